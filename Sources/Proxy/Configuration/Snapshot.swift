import HTTPCore
import Primitives
import Synchronization

/// One complete, immutable configuration. Main makes it, workers read it; what did not change is
/// shared with the snapshot before.
///
/// A worker holds one strong reference a generation (taken when it picks the snapshot up), and the
/// streams that use the generation are a plain number in the worker. The last reference is main's,
/// so a large snapshot is never freed on a worker.
public final class Snapshot: @unchecked Sendable {
  // Sendable: immutable but for two atomics.
  public let generation: UInt64
  /// By cluster slot; nil where no cluster is.
  public let clusters: FrozenList<Frozen<ClusterConfig>?>
  /// Hosts that the generation begins with; newer ones are published without a snapshot.
  public let hosts: HostTable
  /// By route table slot.
  public let routeTables: FrozenList<Frozen<RouteTableConfig>?>
  public let clusterNames: ClusterNameIndex
  public let listeners: [Frozen<ListenerConfig>]
  /// What is kept of TLS connections to hosts, beyond the usual.
  public let upstreamDetails: TLSDetailNeeds
  /// How many threads hold this generation: main counts up before it publishes, each worker down
  /// when it has left.
  public let holders: Atomic<Int>
  /// Snapshots in memory; for the assertion that none leaks.
  public static let liveCount = Atomic<Int>(0)

  /// - Parameter hosts: By cluster slot: a set for each cluster.
  public init(
    generation: UInt64, clusters: [Frozen<ClusterConfig>?], hosts: [Frozen<HostSet>?],
    routeTables: [Frozen<RouteTableConfig>?],
    listeners: [Frozen<ListenerConfig>], upstreamDetails: TLSDetailNeeds = [], workerCount: Int
  ) {
    self.upstreamDetails = upstreamDetails
    self.generation = generation
    self.clusters = FrozenList(clusters)
    self.hosts = HostTable(generation: generation, sets: hosts, workerCount: workerCount)
    self.routeTables = FrozenList(routeTables)
    self.clusterNames = ClusterNameIndex(
      clusters.compactMap { $0.map { ($0.pointer.pointee.name.view.string, $0.pointer.pointee.slot) } })
    self.listeners = listeners
    self.holders = Atomic(workerCount)
    Self.liveCount.wrappingAdd(1, ordering: .relaxed)
  }

  deinit { Self.liveCount.wrappingSubtract(1, ordering: .relaxed) }
}
