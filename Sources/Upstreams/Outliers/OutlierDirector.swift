import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Stats

/// Outlier detection of all clusters, on main's loop: takes what workers tell of hosts, sweeps, ejects and lets back.
public final class OutlierDirector {
  /// What others do about it.
  public struct Effects {
    /// A host was ejected, or is no longer: publish it.
    public var setEjected: (_ cluster: String, _ host: UInt32, Bool) -> Void
    /// Something for the process log.
    public var note: (_ isWarning: Bool, String) -> Void

    public init(
      setEjected: @escaping (String, UInt32, Bool) -> Void, note: @escaping (Bool, String) -> Void
    ) {
      self.setEjected = setEjected
      self.note = note
    }
  }

  /// Hosts looked at in one turn, so that main stays prompt.
  static let hostsPerTurn = 1024

  private final class Watch {
    let outliers: ClusterOutliers
    /// The next turn of a sweep, or the next sweep.
    var task: WorkerTask?
    /// How far the sweep is; nil between sweeps.
    var next: Int?

    init(_ outliers: ClusterOutliers) { self.outliers = outliers }
  }

  private let worker: Worker
  private let registry: StatsRegistry
  private let effects: Effects
  private var random: FastRandom
  private var watches: [String: Watch] = [:]
  private var clusterOfHost: [UInt32: Watch] = [:]
  /// Where events are written.
  private var eventLog: UInt16?

  public init(_ worker: Worker, _ registry: StatsRegistry, seed: UInt64, _ effects: Effects) {
    self.worker = worker
    self.registry = registry
    self.effects = effects
    random = FastRandom(seed: seed)
  }

  private var now: UInt64 { worker.now / 1_000_000 }

  // MARK: Clusters

  /// These are the clusters with outlier detection from now on. Hosts that stay keep what is known of them.
  public func update(_ clusters: [WatchedCluster], eventLog: UInt16?) {
    self.eventLog = eventLog
    var gone = watches
    for cluster in clusters {
      gone[cluster.name] = nil
      let watch = watches[cluster.name] ?? Watch(ClusterOutliers(name: cluster.name, cluster.settings, cluster.stats))
      watches[cluster.name] = watch
      let old = watch.outliers.settings.interval
      watch.outliers.replace(cluster.settings)
      replaceHosts(of: watch, cluster.hosts)
      if watch.task == nil || (old != cluster.settings.interval && watch.next == nil) { plan(watch) }
    }
    for (name, watch) in gone {
      if let task = watch.task { worker.cancel(task) }
      watch.task = nil
      watches[name] = nil
      for host in watch.outliers.hosts {
        clusterOfHost[host.number] = nil
        if host.state.isEjected { effects.setEjected(name, host.number, false) }
      }
      registry.mainSlab.set(watch.outliers.stats.ejectionsActive, to: 0)
    }
  }

  private func replaceHosts(of watch: Watch, _ configs: [Frozen<HostConfig>]) {
    let outliers = watch.outliers
    var left = Set(outliers.hosts.map(\.number))
    let hosts = configs.map { config in
      let number = config.pointer.pointee.number
      left.remove(number)
      if let known = outliers.host(number) {
        known.replace(config)
        return known
      }
      clusterOfHost[number] = watch
      return OutlierHost(config, number: number) { read($0, outliers) }
    }
    for number in left {
      clusterOfHost[number] = nil
      if let host = outliers.host(number) { outliers.left(host) }
    }
    outliers.replace(hosts)
    // A sweep under way begins anew: places in the list have moved.
    if watch.next != nil { beginSweep(watch) }
    showActive(outliers)
    if !left.isEmpty, let problem = outliers.newlyUseless() {
      effects.note(true, "cluster \"\(outliers.name)\": \(problem.sentence)")
    }
  }

  private func read(_ host: HostConfig, _ outliers: ClusterOutliers) -> OutlierReading? {
    guard let cells = host.outlierCells else { return nil }
    return OutlierReading(
      results: registry.value(of: cells.results), failures: registry.value(of: cells.failures),
      localResults: registry.value(of: cells.localResults),
      localFailures: registry.value(of: cells.localFailures),
      latency: outliers.latency == nil ? nil : host.latencyCells.map { registry.values(of: $0) })
  }

  // MARK: What workers tell

  /// Something happened to a host; one that is gone, or has no outlier detection, is nobody's.
  public func handle(_ events: HostEvents, host number: UInt32) {
    guard let watch = clusterOfHost[number], let host = watch.outliers.host(number) else { return }
    handle(events.streaks, host, watch)
  }

  private func handle(_ streaks: Streaks, _ host: OutlierHost, _ watch: Watch) {
    if streaks.isEmpty { return }
    let rows: [(Streaks, EjectionKind)] = [
      (.consecutive5xx, .consecutive5xx), (.gatewayFailure, .consecutiveGatewayFailure),
      (.localOriginFailure, .consecutiveLocalOriginFailure),
    ]
    for (row, kind) in rows where streaks.contains(row) {
      let change = watch.outliers.rowReached(
        kind, host, now: now, registry.mainSlab, using: &random)
      if let change { tell(host, change, watch.outliers) }
    }
    host.shared?.reset(streaks)
  }

  /// Active checks of a host have passed.
  public func checkPassed(host number: UInt32, flags: HostFlags) {
    guard let watch = clusterOfHost[number], let host = watch.outliers.host(number),
      let change = watch.outliers.checkPassed(host, flags: flags, now: now)
    else { return }
    tell(host, change, watch.outliers)
  }

  // MARK: Sweeps

  private func plan(_ watch: Watch) {
    let task = watch.task ?? WorkerTask { [unowned self, unowned watch] in turn(watch) }
    watch.task = task
    worker.schedule(task, inMilliseconds: watch.outliers.settings.interval)
  }

  private func beginSweep(_ watch: Watch) {
    watch.outliers.beginSweep()
    watch.next = 0
  }

  private func turn(_ watch: Watch) {
    if watch.next == nil { beginSweep(watch) }
    let hosts = watch.outliers.hosts
    let start = watch.next ?? 0
    let end = min(hosts.count, start + Self.hostsPerTurn)
    for host in hosts[start..<end] {
      // A message that was lost is no loss.
      if let events = host.shared?.takeEvents(), !events.isEmpty { handle(events.streaks, host, watch) }
      host.take { read($0, watch.outliers) }
      if let change = watch.outliers.look(host, now: now) { tell(host, change, watch.outliers) }
    }
    guard end == hosts.count else {
      watch.next = end
      if let task = watch.task { worker.schedule(task, inMilliseconds: 1) }
      return
    }
    watch.next = nil
    watch.outliers.finishSweep(now: now, registry.mainSlab, using: &random) { host, change in
      tell(host, change, watch.outliers)
    }
    plan(watch)
  }

  // MARK: What becomes of it

  private func tell(_ host: OutlierHost, _ change: ClusterOutliers.Change, _ cluster: ClusterOutliers) {
    switch change {
    case .ejected(let kind):
      host.ejectionReason = EjectionReason.text(kind, host, cluster)
      let until = (host.state.ejectedAt ?? now).saturatingAdd(host.state.ejectionTime(cluster.settings))
      host.shared?.note(HostEjectionNote(kind, untilMilliseconds: until))
      effects.setEjected(cluster.name, host.number, true)
      let seconds = host.state.ejectionTime(cluster.settings) / 1000
      effects.note(
        false,
        "cluster \"\(cluster.name)\": \(host.address) is ejected for \(seconds) s: \(kind.statName), \(host.ejectionReason)"
          + " (\(cluster.ejectedCount) of \(cluster.hosts.count) hosts are)")
    case .unejected:
      // What it did before is forgiven: a row close to its end would throw it out at once.
      host.shared?.reset(.all)
      effects.setEjected(cluster.name, host.number, false)
      effects.note(false, "cluster \"\(cluster.name)\": \(host.address) is no longer ejected")
    case .notEnforced: break
    }
    showActive(cluster)
    guard let eventLog else { return }
    worker.writeLog(
      OutlierEvent.line(change, host, cluster, now: now, wallNow: worker.wallNow), target: eventLog)
  }

  private func showActive(_ cluster: ClusterOutliers) {
    registry.mainSlab.set(cluster.stats.ejectionsActive, to: UInt64(cluster.ejectedCount))
  }

  // MARK: Questions

  /// What is known of a host, for pages.
  public func facts(ofHost number: UInt32) -> OutlierFacts? {
    guard let watch = clusterOfHost[number], let host = watch.outliers.host(number) else { return nil }
    return OutlierFacts(
      successRate: host.successRate, localSuccessRate: host.localSuccessRate,
      latencyMilliseconds: host.latencyMilliseconds, latestEjection: latestEjection(host, watch.outliers.settings))
  }

  private func latestEjection(_ host: OutlierHost, _ settings: OutlierSettings) -> OutlierFacts.Ejection? {
    let state = host.state
    guard let begun = state.ejectedAt else { return nil }
    let until = begun.saturatingAdd(state.ejectionTime(settings))
    return OutlierFacts.Ejection(
      kind: state.kind, reason: host.ejectionReason, count: state.ejections, begunMillisecondsAgo: now - min(now, begun),
      endedMillisecondsAgo: state.isEjected ? nil : state.unejectedAt.map { now - min(now, $0) },
      millisecondsLeft: state.isEjected ? until - min(until, now) : 0)
  }

  /// Success rates of the last sweep; nil for a cluster without outlier detection.
  public func rates(ofCluster name: String) -> OutlierRates? {
    watches[name].map {
      OutlierRates(external: Self.origin($0.outliers.external), local: Self.origin($0.outliers.local))
    }
  }

  private static func origin(_ sweep: Sweep) -> OutlierRates.Origin {
    OutlierRates.Origin(average: sweep.average, threshold: sweep.threshold)
  }

  /// Median of the hosts' quantiles at the last sweep, and what an outlier has passed, in milliseconds; nil where slow
  /// hosts are not looked for.
  public func latency(ofCluster name: String) -> (median: Double?, threshold: Double?)? {
    watches[name]?.outliers.latency.map { ($0.medianMilliseconds, $0.thresholdMilliseconds) }
  }

  /// Nothing is due any more.
  public func stop() {
    for watch in watches.values {
      if let task = watch.task { worker.cancel(task) }
    }
  }
}
