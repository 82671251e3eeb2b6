import Primitives
import Reactor

/// One host on one worker: its connections and who waits for one.
struct HostRuntime {
  let config: Unmanaged<Frozen<HostConfig>>
  /// The same memory, without the reference count.
  let pointer: UnsafeMutablePointer<HostConfig>
  let identity: UInt64
  /// The cluster that made it; newer ones with the same settings may use it too.
  var cluster: UnsafeMutablePointer<ClusterRuntime>
  /// All connections, in whatever state.
  var connectionCount = 0
  /// Its HTTP connections: enough for most clusters.
  var main: ConnectionPool
  /// Streams and TCP sessions whose log record will name this host.
  var users = 0
  /// No longer in the cluster: freed when nobody uses it.
  var isRemoved = false

  /// - Parameter address: Where the host is going to live.
  init(
    at address: HostRef, _ config: Frozen<HostConfig>,
    cluster: UnsafeMutablePointer<ClusterRuntime>
  ) {
    self.config = .passRetained(config)
    self.pointer = config.pointer
    self.identity = config.pointer.pointee.identity
    self.cluster = cluster
    let config = cluster.pointee.pointer
    self.main = ConnectionPool(
      host: address, isHTTP2: config.pointee.upstreamProtocol == .http2,
      streamsPerConnection: config.pointee.streamsPerConnection)
  }

  @inline(__always)
  static func mainPool(_ host: HostRef) -> PoolRef {
    UnsafeMutableRawPointer(host).advanced(by: mainOffset)
      .assumingMemoryBound(to: ConnectionPool.self)
  }

  @inline(__always)
  private static var mainOffset: Int { MemoryLayout<HostRuntime>.offset(of: \.main) ?? 0 }

  /// Whether a request waits for one of its connections.
  var hasPending: Bool {
    if main.pending.head != nil { return true }
    var next = main.next
    while let pool = next {
      if pool.pointee.pending.head != nil { return true }
      next = pool.pointee.next
    }
    return false
  }

  /// The pool for requests of a client that speaks HTTP/2, where that decides.
  static func http2Pool(_ host: HostRef) -> PoolRef {
    var next = host.pointee.main.next
    while let pool = next {
      if pool.pointee.isHTTP2 { return pool }
      next = pool.pointee.next
    }
    let pool = PoolRef.allocate(capacity: 1)
    let config = host.pointee.cluster.pointee.pointer
    pool.initialize(
      to: ConnectionPool(
        host: host, isHTTP2: true, streamsPerConnection: config.pointee.streamsPerConnection))
    pool.pointee.next = host.pointee.main.next
    host.pointee.main.next = pool
    return pool
  }

  /// Frees the pools beside the main one; nothing is in them.
  mutating func freePools() {
    while let pool = main.next {
      main.next = pool.pointee.next
      pool.deinitialize(count: 1)
      pool.deallocate()
    }
  }
}

typealias HostRef = UnsafeMutablePointer<HostRuntime>
