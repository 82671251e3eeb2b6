import ConfigCompiler
import Proxy
import Stats
import Synchronization

/// What main does about limits of clusters: shows how much of them is used, says once when one is reached, and counts
/// the requests that budgets of repeats are measured by. Workers only reserve.
final class LimitDirector {
  private final class Watch {
    var cluster: LimitedCluster
    /// Limits of which the log has spoken.
    var told: TrippedLimits = []
    var normal = ShownLimits()
    var high = ShownLimits()
    var recent: RecentRequests?

    init(_ cluster: LimitedCluster) { self.cluster = cluster }

    var config: UnsafeMutablePointer<ClusterConfig> { cluster.config.pointer }
  }

  private let worker: Worker
  private let registry: StatsRegistry
  private let note: (_ isWarning: Bool, String) -> Void
  private var watches: [String: Watch] = [:]
  /// In the order of names.
  private var order: [Watch] = []
  private lazy var countTask = WorkerTask { [unowned self] in countRequests() }

  init(_ worker: Worker, _ registry: StatsRegistry, note: @escaping (Bool, String) -> Void) {
    self.worker = worker
    self.registry = registry
    self.note = note
  }

  private var now: UInt64 { worker.now / 1_000_000 }

  /// These are the clusters from now on.
  func update(_ clusters: [LimitedCluster]) {
    var known: [String: Watch] = [:]
    order = clusters.map { cluster in
      let watch = watches[cluster.name] ?? Watch(cluster)
      replace(watch, cluster)
      known[cluster.name] = watch
      return watch
    }
    watches = known
    worker.cancel(countTask)
    if order.contains(where: { $0.recent != nil }) { countRequests() }
    showAll()
  }

  private func replace(_ watch: Watch, _ cluster: LimitedCluster) {
    let (old, new) = (watch.config, cluster.config.pointer)
    if old.pointee.normalLimits != new.pointee.normalLimits || old.pointee.highLimits != new.pointee.highLimits {
      watch.told = []
      new.pointee.shared.forgetTrips()
    }
    // Gauges of another scope have not been set.
    if old.pointee.statName != new.pointee.statName {
      watch.normal = ShownLimits()
      watch.high = ShownLimits()
    }
    watch.cluster = cluster
    let interval = max(
      new.pointee.normalLimits.retryBudget?.intervalMilliseconds ?? 0,
      new.pointee.highLimits.retryBudget?.intervalMilliseconds ?? 0)
    if interval == 0 {
      watch.recent = nil
    } else if watch.recent?.interval != interval {
      watch.recent = RecentRequests(interval: interval)
    }
  }

  func everySecond() {
    showAll()
    for watch in order { tell(watch) }
  }

  func stop() { worker.cancel(countTask) }

  // MARK: Gauges

  /// Brings the gauges up to date. No request does: it would pay for what nobody looks at.
  func showAll() {
    for watch in order {
      let config = watch.config
      let shared = config.pointee.shared
      let recent = shared.recentRequests.load(ordering: .relaxed)
      watch.normal.show(
        UsedLimits(config.pointee.normalLimits, shared.normal, recentRequests: recent),
        config.pointee.stats.defaultBreakers, watch.cluster.remaining.normal, registry.mainSlab)
      watch.high.show(
        UsedLimits(config.pointee.highLimits, shared.high, recentRequests: recent),
        config.pointee.stats.highBreakers, watch.cluster.remaining.high, registry.mainSlab)
    }
  }

  // MARK: The log

  private func tell(_ watch: Watch) {
    let tripped = watch.config.pointee.shared.trippedLimits.subtracting(watch.told)
    if tripped.isEmpty { return }
    watch.told.formUnion(tripped)
    let config = watch.config
    for (limits, isHigh) in [(config.pointee.normalLimits, false), (config.pointee.highLimits, true)] {
      for sentence in LimitSentences.of(tripped, limits, isHigh: isHigh) {
        note(true, "cluster \"\(watch.cluster.name)\": \(sentence)")
      }
    }
  }

  // MARK: Budgets

  /// Counts the requests that clusters with `budget_interval` have had lately.
  private func countRequests() {
    var wait = UInt64.max
    for watch in order {
      guard var recent = watch.recent else { continue }
      let config = watch.config
      let count = recent.count(registry.value(of: config.pointee.stats.rqTotal), at: now)
      config.pointee.shared.recentRequests.store(count, ordering: .relaxed)
      watch.recent = recent
      wait = min(wait, recent.pauseMilliseconds)
    }
    if wait < .max { worker.schedule(countTask, inMilliseconds: wait) }
  }
}
