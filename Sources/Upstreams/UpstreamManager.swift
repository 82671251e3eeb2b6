import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Stats
import Synchronization

/// Everything that main does about hosts: has them checked, judges them, and tells workers.
///
/// Lives on the loop of the worker it is given, and must not be called from elsewhere.
public final class UpstreamManager {
  /// What others do.
  public struct Effects {
    /// Hands a table of hosts to the workers.
    public var publish: (HostTable) -> Void
    /// Something for the process log.
    public var note: (_ isWarning: Bool, String) -> Void

    public init(publish: @escaping (HostTable) -> Void, note: @escaping (Bool, String) -> Void) {
      self.publish = publish
      self.note = note
    }
  }

  private let worker: Worker
  private let compiler: SnapshotCompiler
  /// What main listens on beside its checks.
  private let listeners: [Frozen<ListenerConfig>]
  private let effects: Effects
  private let publisher: HostPublisher
  private var outliers: OutlierDirector!
  private var health: HealthDirector!
  private let limits: LimitDirector
  private let absence: AbsenceDirector
  /// Hosts that workers may tell something about, by number.
  private var hosts: [UInt32: Frozen<HostConfig>] = [:]
  /// Main's own snapshots, the newest last.
  private var snapshots: [Snapshot] = []
  /// Clusters of which no host had been heard when they were configured.
  private var newClusters: [String] = []

  public init(
    _ worker: Worker, _ registry: StatsRegistry, _ compiler: SnapshotCompiler, listeners: [Frozen<ListenerConfig>],
    seed: UInt64, _ effects: Effects
  ) {
    self.worker = worker
    self.compiler = compiler
    self.listeners = listeners
    self.effects = effects
    limits = LimitDirector(worker, registry, note: effects.note)
    absence = AbsenceDirector(
      read: { registry.value(of: $0) }, hosts: { compiler.hostSet(ofCluster: $0) }, note: effects.note)
    publisher = HostPublisher(worker, registry) {
      if let table = compiler.changedHosts() { effects.publish(table) }
    }
    outliers = OutlierDirector(
      worker, registry, seed: seed,
      OutlierDirector.Effects(
        setEjected: { [unowned self] cluster, host, isEjected in
          set(.failedOutlierCheck, to: isEjected ? .failedOutlierCheck : [], ofHost: host, in: cluster)
        }, note: effects.note))
    health = HealthDirector(
      worker, registry, seed: ~seed,
      HealthDirector.Effects(
        setFlags: { [unowned self] cluster, host, flags, _ in set(.activeCheck, to: flags, ofHost: host, in: cluster) },
        passed: { [unowned self] host, flags in outliers.checkPassed(host: host, flags: flags) }, note: effects.note))
  }

  private func set(_ mask: HostFlags, to flags: HostFlags, ofHost host: UInt32, in cluster: String) {
    switch compiler.setFlags(mask, to: flags, ofHost: host, in: cluster) {
    case .none: break
    case .leaves: publisher.changed(mergeWindow: nil)
    case .comes: publisher.changed(mergeWindow: compiler.mergeWindow(ofCluster: cluster))
    }
  }

  // MARK: Configuration

  /// The compiler's newest configuration is in force, or about to be.
  public func configured() {
    let checked = compiler.checkedClusters
    let watched = compiler.watchedClusters
    hosts = [:]
    for host in checked.flatMap(\.hosts).map(\.config) + watched.flatMap(\.hosts) {
      hosts[host.pointer.pointee.number] = host
    }
    if !checked.isEmpty || !snapshots.isEmpty {
      let snapshot = compiler.checkSnapshot(listeners: listeners)
      snapshots.append(snapshot)
      worker.use(snapshot)
    }
    health.update(checked)
    newClusters = checked.filter { $0.waitsForWarm && !health.isHeard(inCluster: $0.name) }.map(\.name)
    outliers.update(watched, eventLog: compiler.outlierEventLog)
    limits.update(compiler.limitedClusters)
    absence.update(
      compiler.hostSets.map {
        let config = $0.config.pointer
        return AbsenceDirector.Cluster(name: config.pointee.name.view.string, missed: config.pointee.stats.cxNoneHealthy)
      })
    publisher.superseded()
    releaseSnapshots()
  }

  /// New clusters that wait until all of their hosts have been heard of.
  public var coldClusters: [String] { newClusters.filter { !health.isWarm($0) } }

  /// All that is known of hosts now, however long it might have waited for more.
  public func newestHosts() -> HostTable {
    publisher.superseded()
    return compiler.changedHosts() ?? compiler.hostTable()
  }

  private func releaseSnapshots() {
    guard snapshots.count > 1 else { return }
    for index in (0..<snapshots.count - 1).reversed()
    where snapshots[index].holders.load(ordering: .acquiring) == 0 { snapshots.remove(at: index) }
  }

  // MARK: Events

  /// A worker tells something about a host.
  public func hostEvent(number: UInt32) {
    guard let shared = hosts[number]?.pointer.pointee.shared?.takeUnretainedValue() else { return }
    take(shared.takeEvents(), number)
  }

  private func take(_ events: HostEvents, _ number: UInt32) {
    if events.isEmpty { return }
    if events.contains(.immediateFailure) { health.failedPassively(host: number) }
    outliers.handle(events, host: number)
  }

  /// What has to be done now and then. A message of a worker that was lost is no loss: all hosts are looked at.
  public func everySecond() {
    for (number, host) in hosts {
      if let shared = host.pointer.pointee.shared?.takeUnretainedValue() { take(shared.takeEvents(), number) }
    }
    limits.everySecond()
    health.showLoad()
    absence.everySecond()
    releaseSnapshots()
  }

  /// Brings gauges up to date that only this thread writes.
  public func updateGauges() {
    limits.showAll()
    health.showLoad()
  }

  /// Nothing is due any more.
  public func stop() {
    limits.stop()
    publisher.stop()
    health.stop()
    outliers.stop()
  }

  // MARK: Questions

  public func outlierFacts(ofHost number: UInt32) -> OutlierFacts? { outliers.facts(ofHost: number) }
  public func outlierLatency(ofCluster name: String) -> (median: Double?, threshold: Double?)? {
    outliers.latency(ofCluster: name)
  }
  public func outlierRates(ofCluster name: String) -> OutlierRates? { outliers.rates(ofCluster: name) }
  public func checkFacts(ofHost number: UInt32) -> [CheckFacts] { health.facts(ofHost: number) }
}
