import Balancing
import Primitives
import Reactor
import Stats

/// One endpoint of a cluster.
public struct HostConfig {
  /// The same as long as connections made for an earlier configuration may be used for this one.
  public let identity: UInt64
  /// As main and workers call it in messages: never another host's.
  public var number: UInt32 { UInt32(truncatingIfNeeded: identity) }
  public let address: SocketAddress
  public let kernelAddress: KernelAddress
  /// `10.0.0.1:80` or a path.
  public let text: FrozenText
  public let hostname: FrozenText
  public let weight: UInt32
  public let priority: UInt32
  public let locality: Locality
  public let stats: HostStats
  /// Of requests from the own zone to the host's, where both are known.
  public var zoneStats: RequestKindStats?
  /// What stands for it on rings and tables; nil: its hostname or address.
  public var hashKey: FrozenText?
  /// What subsets are made of (`metadata.filter_metadata["envoy.lb"]`), where its cluster has them.
  public var subsetMetadata: [MetadataPair] = []
  public var labels = HostLabels.none
  /// How it is spoken to: an index into ``ClusterConfig/transports``; 0 = plain. With the same identity always the same.
  public var transport: UInt16 = 0
  /// The name of the transport socket that its metadata chose, where its cluster has `transport_socket_matches`.
  public var socketMatch: FrozenText?
  /// What all workers know of it together; nil when nothing in its cluster needs that. `owners` keeps it.
  public var shared: Unmanaged<HostShared>?
  /// With outlier detection.
  public var outlierCells: OutlierCells?
  /// Where it was once looked for slow hosts: answers by the time they took (`LatencyBuckets`).
  public var latencyCells: CounterBlock?
  /// What must live as long as this host (``StatsScopeOwner``).
  public var owners: [AnyObject] = []

  public struct Locality: Sendable, Hashable {
    public var region = ""
    public var zone = ""
    public var subZone = ""
    public init() {}
  }

  public init(
    identity: UInt64, address: SocketAddress, kernelAddress: KernelAddress, hostname: String,
    weight: UInt32, priority: UInt32, locality: Locality, stats: HostStats
  ) {
    self.identity = identity
    self.address = address
    self.kernelAddress = kernelAddress
    self.text = FrozenText(address.description)
    self.hostname = FrozenText(hostname)
    self.weight = weight
    self.priority = priority
    self.locality = locality
    self.stats = stats
  }
}

/// Cells that `/clusters` shows for each host; they are in no sink.
public struct HostStats: Sendable {
  public let cxTotal: Counter
  public let cxActive: Gauge
  public let cxConnectFail: Counter
  public let rqTotal: Counter
  public let rqActive: Gauge
  public let rqSuccess: Counter
  public let rqError: Counter
  public let rqTimeout: Counter

  public init(_ scope: StatsScope) {
    cxTotal = scope.counter("cx_total")
    cxActive = scope.gauge("cx_active")
    cxConnectFail = scope.counter("cx_connect_fail")
    rqTotal = scope.counter("rq_total")
    rqActive = scope.gauge("rq_active")
    rqSuccess = scope.counter("rq_success")
    rqError = scope.counter("rq_error")
    rqTimeout = scope.counter("rq_timeout")
  }
}
