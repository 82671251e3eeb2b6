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
    self.main = ConnectionPool(host: address)
  }

  @inline(__always)
  static func mainPool(_ host: HostRef) -> PoolRef {
    UnsafeMutableRawPointer(host).advanced(by: mainOffset)
      .assumingMemoryBound(to: ConnectionPool.self)
  }

  @inline(__always)
  private static var mainOffset: Int { MemoryLayout<HostRuntime>.offset(of: \.main) ?? 0 }

  /// Whether a request waits for one of its connections.
  var hasPending: Bool { main.pending.head != nil }
}

typealias HostRef = UnsafeMutablePointer<HostRuntime>
