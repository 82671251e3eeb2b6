import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Stats

/// Active health checks of all clusters, on main's loop.
public final class HealthDirector {
  /// What others do about it.
  public struct Effects {
    /// What checks say of a host, and whether that changes who is chosen.
    public var setFlags: (_ cluster: String, _ host: UInt32, HostFlags, _ mustPublish: Bool) -> Void
    /// All checks of a host pass: an ejection may end.
    public var passed: (_ host: UInt32, HostFlags) -> Void
    /// Something for the process log.
    public var note: (_ isWarning: Bool, String) -> Void

    public init(
      setFlags: @escaping (String, UInt32, HostFlags, Bool) -> Void, passed: @escaping (UInt32, HostFlags) -> Void,
      note: @escaping (Bool, String) -> Void
    ) {
      self.setFlags = setFlags
      self.passed = passed
      self.note = note
    }
  }

  let worker: Worker
  let gate: CheckGate
  private let registry: StatsRegistry
  private let effects: Effects
  private let checksActive, checksQueued: Gauge
  private var random: FastRandom
  private var clusters: [String: ClusterChecks] = [:]
  private var clusterOfHost: [UInt32: ClusterChecks] = [:]

  public init(_ worker: Worker, _ registry: StatsRegistry, seed: UInt64, _ effects: Effects) {
    self.worker = worker
    self.registry = registry
    self.effects = effects
    random = FastRandom(seed: seed)
    gate = CheckGate(worker)
    checksActive = registry.gauge("apus.hosts.checks_active")
    checksQueued = registry.gauge("apus.hosts.checks_queued")
  }

  // MARK: Clusters

  /// These are the clusters with checks from now on. Hosts that stay keep what is known of them.
  public func update(_ new: [CheckedCluster]) {
    var gone = clusters
    for cluster in new {
      gone[cluster.name] = nil
      let known = clusters[cluster.name] ?? ClusterChecks(cluster)
      clusters[cluster.name] = known
      let sameChecks = known.version == cluster.version || known.checks.count == cluster.checks.count
      let replaces = known.version != cluster.version
      known.version = cluster.version
      known.checks = cluster.checks
      known.connectionsTotal = cluster.connectionsTotal
      update(known, cluster, keepsSessions: sameChecks, replacesChecks: replaces)
      showGauges(known)
    }
    for (name, cluster) in gone {
      for host in cluster.hosts.values { drop(host) }
      clusters[name] = nil
      registry.mainSlab.set(cluster.stats.healthy, to: 0)
      registry.mainSlab.set(cluster.stats.degraded, to: 0)
    }
  }

  private func update(
    _ known: ClusterChecks, _ cluster: CheckedCluster, keepsSessions: Bool, replacesChecks: Bool
  ) {
    var left = known.hosts
    for host in cluster.hosts where !host.isCheckDisabled {
      let number = host.config.pointer.pointee.number
      left[number] = nil
      if let old = known.hosts[number] {
        old.config = host.config
        if keepsSessions {
          for session in old.sessions {
            let target = target(cluster, host, session.index)
            // Of the host that was asked until now nothing is kept open.
            let isOther = session.target.identity != target.identity
            session.target = target
            if replacesChecks || isOther { session.replace(cluster.checks[session.index]) }
          }
          continue
        }
        old.stop()
        known.forget(old.combined.flags)
      }
      let flags = known.hosts[number]?.combined.flags ?? Self.newFlags(cluster.ignoresNewHosts)
      let fresh = CheckedHost(
        number, host.config, known, combined: CombinedChecks(count: cluster.checks.count, flags: flags))
      fresh.sessions = cluster.checks.enumerated().map { index, check in
        CheckSession(
          fresh, index, check, target(cluster, host, index), isPending: cluster.ignoresNewHosts, self)
      }
      known.hosts[number] = fresh
      known.count(flags)
      clusterOfHost[number] = known
      for session in fresh.sessions {
        session.plan(inMilliseconds: firstWait(session.check))
      }
    }
    for (number, host) in left {
      drop(host)
      known.forget(host.combined.flags)
      known.hosts[number] = nil
    }
  }

  private static func newFlags(_ isPending: Bool) -> HostFlags {
    isPending ? [.failedActiveCheck, .pendingActiveCheck] : .failedActiveCheck
  }

  private func target(_ cluster: CheckedCluster, _ host: CheckedCluster.Host, _ index: Int) -> CheckTarget {
    CheckTarget(
      cluster: cluster.slots[index], index: host.targets[index].index, identity: host.targets[index].identity,
      hostname: host.checkHostname, clusterName: cluster.name)
  }

  private func drop(_ host: CheckedHost) {
    host.stop()
    clusterOfHost[host.number] = nil
  }

  // MARK: Results

  func count(_ counter: KeyPath<HealthCheckStats, Counter>, _ host: CheckedHost) {
    registry.mainSlab.increment(host.cluster.stats[keyPath: counter])
  }

  func firstWait(_ check: ActiveCheck) -> UInt64 { check.settings.firstWait(using: &random) }

  func wait(after outcome: CheckOutcome, _ settings: CheckSettings, _ host: CheckedHost) -> UInt64 {
    let hasTraffic = registry.value(of: host.cluster.connectionsTotal) > 0
    return settings.wait(after: outcome, hasTraffic: hasTraffic, using: &random)
  }

  /// A check of a host has a result.
  func heard(_ session: CheckSession, _ result: CheckResult, _ outcome: CheckOutcome) {
    let host = session.host
    switch result.outcome {
    case .passed: count(\.success, host)
    case .failed(let failure, _, _):
      count(\.failure, host)
      if failure.isNetwork { count(\.networkFailure, host) }
      if failure == .passive { count(\.passiveFailure, host) }
      host.config.pointer.pointee.shared?.takeUnretainedValue().note(HostCheckNote(failure, status: result.status))
    }
    log(session, result, outcome)
    let cluster = host.cluster
    cluster.forget(host.combined.flags)
    let said = host.combined.heard(session.index, flags: session.state.flags)
    cluster.count(host.combined.flags)
    guard said.isSaid else { return }
    effects.setFlags(cluster.name, host.number, host.combined.flags, said.mustPublish)
    if said.mustPublish { showGauges(cluster) }
    if said.passes, case .passed = result.outcome { effects.passed(host.number, host.combined.flags) }
  }

  private func log(_ session: CheckSession, _ result: CheckResult, _ outcome: CheckOutcome) {
    if outcome.events.isEmpty { return }
    let host = session.host
    for bit in 0..<UInt8(CheckEvents.words.count) {
      let event = CheckEvents(rawValue: 1 << bit)
      guard outcome.events.contains(event) else { continue }
      for log in session.check.eventLogs {
        worker.writeLog(
          HealthEvent.line(event, session, result, isFirst: outcome.isFirst, wallNow: worker.wallNow), target: log)
      }
      let name = "cluster \"\(host.cluster.name)\": \(host.config.pointer.pointee.text.view.string)"
      switch event {
      case .ejectUnhealthy: effects.note(false, "\(name) is unhealthy: \(result.text)")
      case .addHealthy: effects.note(false, "\(name) is healthy: \(result.text)")
      case .failure where outcome.isFirst: effects.note(false, "\(name) is not healthy yet: \(result.text)")
      case .degraded: effects.note(false, "\(name) is degraded")
      case .noLongerDegraded: effects.note(false, "\(name) is no longer degraded")
      default: break
      }
    }
  }

  private func showGauges(_ cluster: ClusterChecks) {
    registry.mainSlab.set(cluster.stats.healthy, to: UInt64(cluster.healthyCount))
    registry.mainSlab.set(cluster.stats.degraded, to: UInt64(cluster.degradedCount))
  }

  /// Brings the gauges of checks under way and of those that wait up to date. No check does: there are many.
  func showLoad() {
    registry.mainSlab.set(checksActive, to: UInt64(gate.underWay))
    registry.mainSlab.set(checksQueued, to: UInt64(gate.waitingCount))
  }

  // MARK: What workers tell

  /// A response of the host has said that the host fails.
  public func failedPassively(host number: UInt32) {
    guard let host = clusterOfHost[number]?.hosts[number] else { return }
    for session in host.sessions { session.failPassively() }
  }

  // MARK: Questions

  /// Whether every host of a cluster has been heard of.
  public func isWarm(_ cluster: String) -> Bool { clusters[cluster]?.hosts.values.allSatisfy(\.isHeard) ?? true }

  /// Whether any has.
  func isHeard(inCluster name: String) -> Bool { clusters[name]?.hosts.values.contains(where: \.isHeard) ?? false }

  /// The latest results of a host, for pages: by check.
  public func facts(ofHost number: UInt32) -> [CheckFacts] {
    guard let host = clusterOfHost[number]?.hosts[number] else { return [] }
    return host.sessions.map { session in
      CheckFacts(
        name: session.check.name, kind: session.check.kind.word,
        latest: session.latest.map {
          .init(
            text: $0.result.text, hasPassed: $0.result.hasPassed, millisecondsAgo: (worker.now - $0.at) / 1_000_000,
            tookMilliseconds: $0.tookMilliseconds)
        })
    }
  }

  /// Checks that wait for their turn, and those under way.
  public var load: (waiting: Int, underWay: Int) { (gate.waitingCount, gate.underWay) }

  /// Nothing is checked any more.
  public func stop() {
    for cluster in clusters.values {
      for host in cluster.hosts.values { host.stop() }
    }
    // Last: each check that is given up would let the next one begin.
    gate.stop()
    showLoad()
  }
}

/// What one check says of a host.
public struct CheckFacts {
  public struct Latest {
    public let text: String
    public let hasPassed: Bool
    public let millisecondsAgo: UInt64
    public let tookMilliseconds: UInt64
  }

  public let name: String
  public let kind: StaticString
  /// Nil before the first result.
  public let latest: Latest?
}
