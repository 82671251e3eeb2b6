import ConfigCompiler
import HostHealth
import Stats

/// Outlier detection of one cluster: who is ejected, by which rules, and what is counted of it.
///
/// Knows neither threads nor timers; it is told of events and of the time.
final class ClusterOutliers {
  let name: String
  private(set) var settings: OutlierSettings
  let stats: OutlierStats
  private(set) var hosts: [OutlierHost] = []
  private var byNumber: [UInt32: OutlierHost] = [:]
  private var ejections = Ejections()
  private(set) var external: Sweep
  private(set) var local: Sweep
  /// Nil: slow hosts are not looked for.
  private(set) var latency: LatencyOutliers?
  /// A change of membership has been looked at: said once.
  private var saidThatNobodyCanBe = false

  /// What happened to a host.
  enum Change {
    case ejected(EjectionKind)
    /// Found guilty, but the roll was against it.
    case notEnforced(EjectionKind)
    case unejected
  }

  /// Milliseconds of one steady clock.
  typealias Time = UInt64

  init(name: String, _ settings: OutlierSettings, _ stats: OutlierStats) {
    self.name = name
    self.settings = settings
    self.stats = stats
    external = Sweep(settings)
    local = Sweep(settings)
    latency = settings.latency.map { LatencyOutliers($0) }
  }

  var ejectedCount: Int { ejections.active }

  func host(_ number: UInt32) -> OutlierHost? { byNumber[number] }

  /// New settings hold from the next event on; ejections that are under way end by them.
  func replace(_ settings: OutlierSettings) {
    guard settings != self.settings else { return }
    self.settings = settings
    external = Sweep(settings)
    local = Sweep(settings)
    latency = settings.latency.map { LatencyOutliers($0) }
  }

  /// The cluster's hosts are these; the ones that stay keep what is known of them.
  func replace(_ new: [OutlierHost]) {
    hosts = new
    byNumber = Dictionary(new.map { ($0.number, $0) }) { first, _ in first }
  }

  /// A host leaves the cluster: its place in the budget is free.
  func left(_ host: OutlierHost) { ejections.removed(host.state) }

  // MARK: Events

  /// A row of failures of a host has become too long.
  func rowReached(
    _ kind: EjectionKind, _ host: OutlierHost, now: Time, _ slab: StatsSlab,
    using random: inout some RandomNumberGenerator
  ) -> Change? {
    // Requests that were under way when it was ejected.
    if host.state.isEjected { return nil }
    return detected(kind, host, now: now, slab, using: &random)
  }

  private func detected(
    _ kind: EjectionKind, _ host: OutlierHost, now: Time, _ slab: StatsSlab,
    using random: inout some RandomNumberGenerator
  ) -> Change? {
    stats.countDetected(kind, slab)
    let decision = ejections.detected(
      kind, of: &host.state, hostCount: hosts.count, now: now, settings, using: &random)
    stats.count(decision, kind, slab)
    switch decision {
    case .ejected: return .ejected(kind)
    case .notEnforced: return .notEnforced(kind)
    case .overflow, .alreadyEjected: return nil
    }
  }

  /// A host's active checks have passed.
  func checkPassed(_ host: OutlierHost, flags: HostFlags, now: Time) -> Change? {
    ejections.checkPassed(&host.state, flags: flags, now: now, settings) ? .unejected : nil
  }

  // MARK: Sweeps

  func beginSweep() {
    external.begin(hostCount: hosts.count)
    local.begin(hostCount: hosts.count)
    latency?.begin(hostCount: hosts.count)
  }

  /// The first look at a host, whose counts have just been read: its ejection may be over, and its rates are kept.
  func look(_ host: OutlierHost, now: Time) -> Change? {
    let change: Change? = ejections.unejectIfOver(&host.state, now: now, settings) ? .unejected : nil
    host.successRate = nil
    host.localSuccessRate = nil
    host.latencyMilliseconds = nil
    if !host.state.isEjected {
      host.successRate = external.add(host.external)
      if settings.splitsLocalOrigin { host.localSuccessRate = local.add(host.local) }
      if let counts = host.latency { host.latencyMilliseconds = latency?.add(counts) }
    }
    return change
  }

  /// All hosts have been looked at: judges them, in Envoy's order, which decides who gets the last places of the budget.
  func finishSweep(
    now: Time, _ slab: StatsSlab, using random: inout some RandomNumberGenerator,
    _ tell: (OutlierHost, Change) -> Void
  ) {
    external.finish()
    judge(external, \.external, .successRate, .failurePercentage, now, slab, &random, tell)
    if settings.splitsLocalOrigin {
      local.finish()
      judge(local, \.local, .localOriginSuccessRate, .localOriginFailurePercentage, now, slab, &random, tell)
    }
    judgeLatency(now, slab, &random, tell)
    for host in hosts { host.state.relax(now: now, settings) }
  }

  private func judge(
    _ sweep: Sweep, _ counts: KeyPath<OutlierHost, ResultCounts>, _ rate: EjectionKind,
    _ percentage: EjectionKind, _ now: Time, _ slab: StatsSlab,
    _ random: inout some RandomNumberGenerator, _ tell: (OutlierHost, Change) -> Void
  ) {
    // Who was in service when the sweep began.
    let judged = hosts.filter { !$0.state.isEjected }
    for (guilt, kind) in [(SweepVerdict.successRate, rate), (.failurePercentage, percentage)] {
      for host in judged where sweep.verdict(host[keyPath: counts]).contains(guilt) {
        if let change = detected(kind, host, now: now, slab, using: &random) { tell(host, change) }
      }
    }
  }

  /// Those that fail have been judged before: who is slow and fails is out for failing.
  private func judgeLatency(
    _ now: Time, _ slab: StatsSlab, _ random: inout some RandomNumberGenerator, _ tell: (OutlierHost, Change) -> Void
  ) {
    latency?.finish()
    guard let latency else { return }
    for host in hosts where !host.state.isEjected {
      guard let quantile = host.latencyMilliseconds, latency.isOutlier(quantileMilliseconds: quantile) else { continue }
      if let change = detected(.latency, host, now: now, slab, using: &random) { tell(host, change) }
    }
  }

  // MARK: Warnings

  /// The number of hosts has become such that nobody can be ejected; said once.
  func newlyUseless() -> CanNeverEject? {
    guard let problem = CanNeverEject(hostCount: hosts.count, settings) else {
      saidThatNobodyCanBe = false
      return nil
    }
    if saidThatNobodyCanBe { return nil }
    saidThatNobodyCanBe = true
    return problem
  }
}
