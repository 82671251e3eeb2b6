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
  /// This worker's requests of it, and those that wait for a connection to it: a host that is slow to accept is busy.
  var active: UInt32 = 0
  /// All connections, in whatever state.
  var connectionCount = 0
  /// Its HTTP connections for requests of the priority DEFAULT: enough for most clusters.
  var main: ConnectionPool
  /// Streams and TCP sessions whose log record will name this host.
  var users = 0
  /// With `auto_config`: what the latest handshake has agreed on. Requests go to the pool of that protocol.
  var agreesOnHTTP2 = false
  /// How often its connections were given up, modulo 256: those that were made before take no more requests.
  var drainCount: UInt8 = 0
  /// No longer in the cluster: freed when nobody uses it.
  var isRemoved = false
  /// The cluster's configuration when it was removed; owned.
  var lastConfig: Unmanaged<Frozen<ClusterConfig>>?

  /// How it is spoken to. A cluster that changes this has new hosts, but for the sockets of others: the old ones keep it for what
  /// still goes to them.
  var settings: UnsafeMutablePointer<ClusterConfig> {
    lastConfig.map { $0._withUnsafeGuaranteedRef { $0.pointer } } ?? cluster.pointee.pointer
  }

  /// TLS to it; nil = plain.
  var transport: TLSUpstreamTransport? {
    let transports = settings.pointee.transports.buffer
    let number = Int(pointer.pointee.transport)
    return number < transports.count ? transports[number] : nil
  }

  /// The name of the transport socket that was chosen for it; empty: there was no choice.
  var socketMatch: ByteView { pointer.pointee.socketMatch?.view ?? .empty }

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

  /// Pools beside the main one, at most: names come from requests, so a client could make them without end.
  static let poolsMax = 1000

  /// The pool of a kind, made when it is first asked for.
  ///
  /// - Parameter name: What its connections ask for (SNI); empty = the cluster says.
  /// - Returns: Nil when there are too many that are in use.
  static func pool(_ host: HostRef, isHTTP2: Bool, name: ByteView, isHigh: Bool) -> PoolRef? {
    let main = mainPool(host)
    if main.pointee.isHTTP2 == isHTTP2, !isHigh, main.pointee.serverName == name { return main }
    var previous = main
    var unused: (pool: PoolRef, before: PoolRef)?
    var count = 0
    while let pool = previous.pointee.next {
      if pool.pointee.isHTTP2 == isHTTP2, pool.pointee.isHigh == isHigh, pool.pointee.serverName == name {
        // Lately used ones first: what is asked for often is found at once.
        previous.pointee.next = pool.pointee.next
        pool.pointee.next = main.pointee.next
        main.pointee.next = pool
        return pool
      }
      if pool.pointee.isUnused { unused = (pool, previous) }
      previous = pool
      count += 1
    }
    if count >= poolsMax {
      guard let (pool, before) = unused else { return nil }
      before.pointee.next = pool.pointee.next
      free(pool)
    }
    let pool = PoolRef.allocate(capacity: 1)
    pool.initialize(
      to: ConnectionPool(
        host: host, isHTTP2: isHTTP2, isHigh: isHigh,
        streamsPerConnection: host.pointee.cluster.pointee.pointer.pointee.streamsPerConnection))
    pool.pointee.keepName(name)
    pool.pointee.next = main.pointee.next
    main.pointee.next = pool
    return pool
  }

  private static func free(_ pool: PoolRef) {
    pool.pointee.freeMemory()
    pool.deinitialize(count: 1)
    pool.deallocate()
  }

  /// Frees the pools beside the main one and what all of them own; nothing is in them.
  mutating func freePools() {
    main.freeMemory()
    while let pool = main.next {
      main.next = pool.pointee.next
      Self.free(pool)
    }
  }
}

typealias HostRef = UnsafeMutablePointer<HostRuntime>
