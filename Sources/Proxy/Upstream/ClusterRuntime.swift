import Primitives

/// One cluster on one worker: the newest configuration, its hosts, and the balancer's own state.
struct ClusterRuntime {
  /// Retained while the cluster exists; the newest version that this worker has seen.
  var config: Unmanaged<Frozen<ClusterConfig>>
  var pointer: UnsafeMutablePointer<ClusterConfig>
  /// By index into the configuration's `hosts`.
  var hosts: UnsafeMutableBufferPointer<HostRef>
  var balancer: LoadBalancer
  var isRemoved = false
  /// Hosts, removed ones too, that still point here.
  var hostCount = 0

  init(_ config: Frozen<ClusterConfig>) {
    self.config = .passRetained(config)
    self.pointer = config.pointer
    self.hosts = .init(start: nil, count: 0)
    self.balancer = LoadBalancer()
  }
}

typealias ClusterRef = UnsafeMutablePointer<ClusterRuntime>
