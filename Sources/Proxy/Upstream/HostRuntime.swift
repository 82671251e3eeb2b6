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
  /// HTTP connections with nothing to do, most recently used first.
  var idle: ConnectionRef?
  var idleCount = 0
  /// All connections, in whatever state.
  var connectionCount = 0
  var connectingCount = 0
  /// Requests waiting for a connection, oldest first.
  var pendingHead: UnsafeMutablePointer<HTTPStream>?
  var pendingTail: UnsafeMutablePointer<HTTPStream>?
  var pendingCount = 0
  /// Streams and TCP sessions whose log record will name this host.
  var users = 0
  /// No longer in the cluster: freed when nobody uses it.
  var isRemoved = false

  init(_ config: Frozen<HostConfig>, cluster: UnsafeMutablePointer<ClusterRuntime>) {
    self.config = .passRetained(config)
    self.pointer = config.pointer
    self.identity = config.pointer.pointee.identity
    self.cluster = cluster
  }
}

typealias HostRef = UnsafeMutablePointer<HostRuntime>
