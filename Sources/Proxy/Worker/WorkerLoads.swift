import Primitives
import Synchronization

/// How busy each worker is, where all of them can see it: an accepted connection goes to the least
/// loaded one.
///
/// A row a worker, each on cache lines of its own. A worker writes its own row some twenty times a
/// second; the counts move once a connection.
public final class WorkerLoads: Sendable {
  struct Row: ~Copyable {
    /// Where messages to it go; -1 = it takes no connections.
    let ring = Atomic<Int32>(-1)
    /// CPU time it used lately, in thousandths of a core.
    let busyPermille = Atomic<UInt64>(0)
    /// When that was measured: nanoseconds of the monotonic clock.
    let measuredAt = Atomic<UInt64>(0)
    /// Clients' connections that it has, or that are on their way to it.
    let connections = Atomic<Int>(0)
    /// Connections that it was ever given.
    let given = Atomic<UInt64>(0)
    /// Those of them whose cost shows in the measurement.
    let measured = Atomic<UInt64>(0)
    private let padding: InlineArray<10, UInt64> = .init(repeating: 0)
  }

  /// What workers keep: trivial, so that reading it counts no references.
  struct View: BitwiseCopyable {
    let rows: UnsafeMutablePointer<Row>
    let count: Int
  }

  nonisolated(unsafe) let view: View  // plain memory, freed with this object; rows are atomics

  /// Two loads that differ by less, in thousandths of a core, are equal.
  static let noisePermille: UInt64 = 30
  /// A measurement is trusted this long; then the worker must have been asleep, and it counts for
  /// less and less.
  static let trustNanoseconds: UInt64 = 100_000_000

  public init(workerCount: Int) {
    let rows = UnsafeMutablePointer<Row>.allocate(capacity: workerCount)
    for index in 0..<workerCount { (rows + index).initialize(to: Row()) }
    view = View(rows: rows, count: workerCount)
  }

  deinit {
    view.rows.deinitialize(count: view.count)
    view.rows.deallocate()
  }
}

extension WorkerLoads.View {
  /// Who takes a connection that worker `own` has accepted.
  ///
  /// The measured load decides, with what connections given since the measurement will probably
  /// add; among workers that are about equally busy, the number of connections. Staying is free, so
  /// a difference must be worth the way.
  func choose(for own: Int, now: UInt64) -> Int {
    guard count > 1 else { return own }
    var busySum: UInt64 = 0
    var connectionSum: UInt64 = 0
    for index in 0..<count {
      busySum &+= busy(index, now)
      connectionSum &+= UInt64(max(0, rows[index].connections.load(ordering: .relaxed)))
    }
    let unit = max(1, busySum / max(1, connectionSum))
    let ownLoad = busy(own, now) &+ fresh(own, now) &* unit
    let ownConnections = rows[own].connections.load(ordering: .relaxed)
    var best = own
    var bestLoad = ownLoad
    var bestConnections = ownConnections
    for index in 0..<count where index != own && rows[index].ring.load(ordering: .relaxed) >= 0 {
      let load = busy(index, now) &+ fresh(index, now) &* unit
      let connections = rows[index].connections.load(ordering: .relaxed)
      let isEqual = max(load, bestLoad) &- min(load, bestLoad) < WorkerLoads.noisePermille
      if isEqual ? connections < bestConnections : load < bestLoad {
        best = index
        bestLoad = load
        bestConnections = connections
      }
    }
    guard best != own else { return own }
    if ownLoad >= bestLoad &+ max(unit, WorkerLoads.noisePermille) { return best }
    if bestLoad >= ownLoad &+ WorkerLoads.noisePermille { return own }
    return ownConnections - bestConnections > ownConnections / 16 ? best : own
  }

  private func busy(_ index: Int, _ now: UInt64) -> UInt64 {
    let age = now &- min(now, rows[index].measuredAt.load(ordering: .relaxed))
    let halvings = min(age / WorkerLoads.trustNanoseconds, 63)
    return rows[index].busyPermille.load(ordering: .relaxed) >> halvings
  }

  /// Connections given too lately to show in the measurement.
  private func fresh(_ index: Int, _ now: UInt64) -> UInt64 {
    let row = rows + index
    let age = now &- min(now, row.pointee.measuredAt.load(ordering: .relaxed))
    // It has not been running: they cost it nothing.
    if age > 2 * WorkerLoads.trustNanoseconds { return 0 }
    let given = row.pointee.given.load(ordering: .relaxed)
    return given &- min(given, row.pointee.measured.load(ordering: .relaxed))
  }

  /// A connection goes to worker `index`.
  func give(to index: Int) {
    rows[index].connections.wrappingAdd(1, ordering: .relaxed)
    rows[index].given.wrappingAdd(1, ordering: .relaxed)
  }

  /// A connection of worker `index` has ended, or did not get there.
  func take(from index: Int) {
    rows[index].connections.wrappingSubtract(1, ordering: .relaxed)
  }
}
