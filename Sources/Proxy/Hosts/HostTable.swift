import Synchronization

/// The host sets of all clusters at one moment. Main makes it, workers read it; a set that did not
/// change is the same object as in the table before.
///
/// A worker has one, and lets go of it the moment it takes another: no stream holds a table, however
/// long it lives. The last reference is main's, so a large table is never freed on a worker.
public final class HostTable: @unchecked Sendable {
  // Sendable: immutable but for two atomics.
  /// That of the snapshot whose clusters these are the hosts of.
  public let generation: UInt64
  /// By cluster slot; nil where no cluster is.
  public let sets: FrozenList<Frozen<HostSet>?>
  /// How many threads have it: main counts up before it publishes, each worker down when it has left.
  public let holders: Atomic<Int>
  /// Tables in memory; for the assertion that none leaks.
  public static let liveCount = Atomic<Int>(0)

  public init(generation: UInt64, sets: [Frozen<HostSet>?], workerCount: Int) {
    self.generation = generation
    self.sets = FrozenList(sets)
    self.holders = Atomic(workerCount)
    Self.liveCount.wrappingAdd(1, ordering: .relaxed)
  }

  deinit { Self.liveCount.wrappingSubtract(1, ordering: .relaxed) }

  /// The set of a cluster slot; nobody's where the table has none.
  func set(_ slot: Int) -> Frozen<HostSet> {
    (slot < sets.buffer.count ? sets.buffer[slot] : nil) ?? HostSet.nobody
  }
}
