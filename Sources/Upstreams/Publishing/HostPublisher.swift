import Proxy
import Reactor
import Stats

/// Tells workers of changed hosts: gathers changes, and publishes them together when they are due.
public final class HostPublisher {
  private let worker: Worker
  private let registry: StatsRegistry
  private let publish: () -> Void
  private var schedule = PublicationSchedule()
  private lazy var task = WorkerTask { [unowned self] in publishNow() }
  private let publications: Counter
  private let buildTime: Histogram
  private let viaMerge, mergeCancelled, outOfMergeWindow: Counter

  /// - Parameter publish: Builds what changed and hands it to the workers.
  public init(_ worker: Worker, _ registry: StatsRegistry, publish: @escaping () -> Void) {
    self.worker = worker
    self.registry = registry
    self.publish = publish
    publications = registry.counter("apus.hosts.publications")
    buildTime = registry.histogram("apus.hosts.build_us")
    viaMerge = registry.counter("cluster_manager.cluster_updated_via_merge")
    mergeCancelled = registry.counter("cluster_manager.update_merge_cancelled")
    outOfMergeWindow = registry.counter("cluster_manager.update_out_of_merge_window")
  }

  private var now: UInt64 { worker.now / 1_000_000 }

  /// Hosts have changed.
  ///
  /// - Parameter mergeWindow: Milliseconds that the change may wait for others; nil: a host leaves service, which must
  ///   not wait.
  public func changed(mergeWindow: UInt64?) {
    let hadMerges = schedule.merges
    schedule.changed(now: now, mergeWindow: mergeWindow)
    if mergeWindow == nil, hadMerges { registry.mainSlab.increment(mergeCancelled) }
    if mergeWindow != nil, !schedule.merges { registry.mainSlab.increment(outOfMergeWindow) }
    guard let due = schedule.due else { return }
    if due <= now { publishNow() } else { worker.schedule(task, inMilliseconds: due - now) }
  }

  /// What was due has gone out another way: with a configuration.
  public func superseded() {
    worker.cancel(task)
    schedule.published(now: now, costMicroseconds: 0)
  }

  private func publishNow() {
    worker.cancel(task)
    if schedule.merges { registry.mainSlab.increment(viaMerge) }
    let began = worker.kernel.monotonicNow()
    publish()
    let spent = (worker.kernel.monotonicNow() - began) / 1000
    registry.mainSlab.increment(publications)
    registry.mainSlab.record(buildTime, spent)
    schedule.published(now: now, costMicroseconds: spent)
  }

  /// Nothing is published any more.
  public func stop() { worker.cancel(task) }
}
