import Primitives

/// One cluster on one worker: the newest configuration and hosts, and the balancer's own state.
struct ClusterRuntime {
  /// Retained while the cluster exists; the newest version that this worker has seen.
  var config: Unmanaged<Frozen<ClusterConfig>>
  var pointer: UnsafeMutablePointer<ClusterConfig>
  /// In the worker's host table.
  var set: HostSetRef
  /// By index into the set's `hosts`; nil until one is first chosen.
  var hosts: UnsafeMutableBufferPointer<HostRef?>
  var balancer: BalancerState
  var subsets: SubsetTurns
  /// This worker's requests of all its hosts, waiting ones too.
  var active: UInt32 = 0
  var isRemoved = false
  /// Hosts, removed ones too, that still point here.
  var hostCount = 0

  init(_ config: Frozen<ClusterConfig>, _ set: HostSetRef, _ start: TurnsStart) {
    self.config = .passRetained(config)
    self.pointer = config.pointer
    self.set = set
    self.hosts = .allocate(capacity: set.pointee.hosts.buffer.count)
    self.hosts.initialize(repeating: nil)
    self.balancer = BalancerState(start)
    self.subsets = SubsetTurns(start)
  }
}

typealias ClusterRef = UnsafeMutablePointer<ClusterRuntime>
