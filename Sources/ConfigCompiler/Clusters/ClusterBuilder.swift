import ConfigSchema
import HTTP2
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats
import SwiftProtobuf

/// Turns checked clusters into what workers read.
struct ClusterBuilder {
  let registry: StatsRegistry
  /// Nanoseconds of the workers' clock.
  let now: @Sendable () -> UInt64

  /// - Parameter previous: The cluster of the same name before, whose hosts and statistics live on.
  func build(
    _ plan: ClusterPlan, slot: UInt32, previous: ClusterRecord?, state: inout CompilerState
  ) -> ClusterRecord {
    let shared = previous?.shared ?? ClusterShared()
    let prefix = "cluster.\(plan.statName)."
    let statsOwner: StatsScopeOwner
    let stats: ClusterStats
    if let previous, previous.statsOwner.scope.prefix == prefix {
      statsOwner = previous.statsOwner
      stats = previous.frozen.pointer.pointee.stats
    } else {
      statsOwner = StatsScopeOwner(registry, prefix: prefix)
      stats = ClusterStats(statsOwner.scope)
    }
    let sockets = SocketTable(plan.sockets, after: previous?.sockets) {
      TLSPlace(slot: TLSSlot($0), stats: TLSFactoryStats(statsOwner.scope, isServer: false))
    }
    sockets.showCertificates()
    for case let entry? in sockets.entries where entry.isNew {
      registry.mainSlab.add(entry.place.stats.contextUpdateBySDS, UInt64(entry.settings.secretKeys.count))
    }
    let choices = SocketChoices(plan.sockets, sockets, statsOwner.scope)
    let kept = previous.flatMap { $0.connection == plan.connection ? $0.hosts : nil } ?? [:]
    var hosts: [HostKey: Frozen<HostConfig>] = [:]
    var list: [Frozen<HostConfig>] = []
    var discovered: [HostLedger.Discovered] = []
    var occurrences: [SocketAddress: Int] = [:]
    var zones = ZonesOfCluster(from: state.localCluster.locality.zone, statsOwner)
    for host in plan.hosts {
      let occurrence = occurrences[host.address, default: 0]
      occurrences[host.address] = occurrence + 1
      let key = HostKey(address: host.address, occurrence: occurrence)
      let frozen = build(host, in: plan, previous: kept[key], choices, zones: &zones, state: &state)
      guard let frozen else { continue }
      hosts[key] = frozen
      list.append(frozen)
      discovered.append(
        HostLedger.Discovered(config: frozen, flags: host.flags, isCheckDisabled: host.isCheckDisabled))
    }
    let ledger = previous?.ledger ?? HostLedger(now: now)
    ledger.replace(
      // Who takes a host out of a STATIC cluster wants it gone, however well it is.
      discovered, plan.balancing, MembershipRules(hasActiveChecks: !plan.checks.isEmpty, ignoresHealthOnRemoval: true),
      localityWeights: plan.localityWeights, ignoresNew: plan.proto.commonLbConfig.ignoreNewHostsUntilFirstHc)
    var config = config(
      plan, slot: slot, stats: stats, shared: shared, owner: statsOwner,
      http2Stats: previous?.statsOwner === statsOwner
        ? previous?.frozen.pointer.pointee.http2StatsOwner : nil)
    let isKept = previous?.statsOwner === statsOwner
    var tlsStats = isKept ? previous?.tlsStats : nil
    if plan.sockets.hasTLS {
      let stats = tlsStats ?? TLSStats(statsOwner.scope)
      tlsStats = stats
      config.transports = FrozenList(
        sockets.entries.map { entry in
          entry.map {
            var transport = TLSUpstreamTransport(slot: $0.place.slot, stats: stats)
            transport.keepsTickets = $0.settings.keepsTickets
            return transport
          }
        })
      let names = plan.connection.http.upstream
      if names.autoSni {
        config.takeName(
          from: names.overrideAutoSniHeader.isEmpty
            ? ":authority" : names.overrideAutoSniHeader.lowercased())
      }
    }
    registry.mainSlab.add(config.stats.membershipChange, Self.changedLevels(previous?.hosts ?? [:], hosts))
    config.outlierCounting = plan.outliers.map { OutlierCounting($0) }
    config.hasActiveChecks = !plan.checks.isEmpty
    let checks = checkClusters(plan, config, list, choices, previous: previous, state: &state)
    let checksKept = previous.map { isSame($0, plan) } ?? plan.checks.isEmpty
    return ClusterRecord(
      proto: plan.proto, frozen: Frozen(config), shared: shared, statsOwner: statsOwner,
      connection: plan.connection, hosts: hosts, ledger: ledger, mergeWindow: plan.mergeWindowMilliseconds,
      checksVersion: (previous?.checksVersion ?? 0) + (checksKept ? 0 : 1),
      checkedHosts: checkedHosts(plan, list, checks), checks: checks,
      healthStats: plan.checks.isEmpty
        ? nil : (isKept ? previous?.healthStats : nil) ?? HealthCheckStats(statsOwner.scope),
      outliers: plan.outliers.map {
        OutlierRecord(
          settings: $0, stats: (isKept ? previous?.outliers?.stats : nil) ?? OutlierStats(statsOwner.scope))
      },
      remaining: RemainingGauges(plan, statsOwner.scope, isKept ? previous?.remaining : nil), sockets: sockets,
      tlsStats: tlsStats)
  }

  /// Whether the checks are what they were, the values of runtime keys included.
  private func isSame(_ previous: ClusterRecord, _ plan: ClusterPlan) -> Bool {
    previous.proto.healthChecks == plan.proto.healthChecks
      && previous.checks.elementsEqual(plan.checks) {
        $0.check.settings == $1.settings && $0.check.verifiesService == $1.verifiesService
      }
  }

  /// How many priority levels have other hosts than before: `membership_change` counts each.
  private static func changedLevels(
    _ old: [HostKey: Frozen<HostConfig>], _ new: [HostKey: Frozen<HostConfig>]
  ) -> UInt64 {
    func levels(_ hosts: [HostKey: Frozen<HostConfig>]) -> [UInt32: Set<HostKey>] {
      hosts.reduce(into: [:]) { $0[$1.value.pointer.pointee.priority, default: []].insert($1.key) }
    }
    let (before, after) = (levels(old), levels(new))
    return UInt64(Set(before.keys).union(after.keys).count { before[$0] != after[$0] })
  }

  private func config(
    _ plan: ClusterPlan, slot: UInt32, stats: ClusterStats, shared: ClusterShared,
    owner: StatsScopeOwner, http2Stats: Frozen<HTTP2Config>?
  ) -> ClusterConfig {
    var config = ClusterConfig(
      slot: slot, name: plan.proto.name, statName: plan.statName, stats: stats, shared: shared)
    config.owners = [owner]
    config.hashesRequests = plan.balancing.policy.hashes
    if let policies = plan.hashPolicies { config.setHash(policies) }
    config.dropsPerMillion = plan.dropsPerMillion
    config.maintenancePercent = plan.maintenancePercent
    config.retryPercent = plan.retryPercent
    config.retryBackoff = plan.retryBackoff
    if plan.options.hasRetryConnectFailures {
      config.repeatsConnectFailures = plan.options.retryConnectFailures.value
    }
    config.normalLimits = plan.normalLimits
    config.highLimits = plan.highLimits
    config.connectTimeoutNanoseconds = plan.connection.connectTimeoutNanoseconds
    config.bufferLimitBytes = plan.connection.bufferLimitBytes
    config.closesOnHostFailure = plan.proto.closeConnectionsOnHostHealthFailure
    config.drainsOnHostSetChange = plan.proto.commonLbConfig.closeConnectionsOnHostSetChange
    config.keepalive = plan.connection.keepalive
    let http = plan.connection.http
    config.maxRequestsPerConnection = http.maxRequestsPerConnection
    config.idleTimeoutNanoseconds = http.idleTimeoutNanoseconds
    config.maxConnectionDurationNanoseconds = http.maxConnectionDurationNanoseconds
    config.maxStreamDurationNanoseconds = http.maxStreamDurationNanoseconds
    config.maxResponseHeadBytes = http.maxResponseHeadBytes
    config.maxResponseHeaders = http.maxResponseHeaders
    config.enableTrailers = http.enableTrailers
    config.usesProperCaseHeaders = http.usesProperCaseHeaders
    config.upstreamProtocol = http.upstreamProtocol
    if let http2 = http.http2 {
      config.http2Owner = Frozen(
        http2.config(
          stats: http2Stats?.pointer.pointee.stats ?? HTTP2Stats(owner.scope),
          headBytesMax: UInt32(http.http2ResponseHeadBytesMax),
          fieldCountMax: UInt32(http.maxResponseHeaders)))
    }
    config.http2StatsOwner = config.http2Owner ?? http2Stats
    return config
  }

  private func build(
    _ host: HostPlan, in plan: ClusterPlan, previous: Frozen<HostConfig>?, _ choices: SocketChoices,
    zones: inout ZonesOfCluster, state: inout CompilerState
  ) -> Frozen<HostConfig>? {
    let choice = choices.all[host.socket]
    let needsShared = plan.outliers != nil || !plan.checks.isEmpty || plan.limitsHosts
    // Workers keep the object that a host came with for as long as it has the same identity: with another socket or name, and
    // where something counts that did not yet, it is another host, whose connections are not used again.
    let isSameHost =
      previous.map {
        let old = $0.pointer.pointee
        return old.transport == choice.number && old.hostname.view.string == host.hostname
          && (old.shared != nil || !needsShared) && (old.outlierCells != nil || plan.outliers == nil)
          && (old.latencyCells != nil || plan.outliers?.latency == nil)
      } ?? false
    let previous = isSameHost ? previous : nil
    if let old = previous?.pointer.pointee, old.weight == host.weight,
      old.priority == host.priority, old.locality == host.locality, old.labels == host.labels,
      old.subsetMetadata == (plan.balancing.subsets == nil ? [] : host.subsetMetadata),
      choice.isOf(old), zones.hasCounted(old, in: host.locality.zone), (old.hashKey?.view.string ?? "") == host.hashKey
    {
      return previous
    }
    // The plan's addresses fit: that was checked.
    guard let address = KernelAddress(host.address) else { return nil }
    let old = previous?.pointer.pointee
    var owners = old?.owners ?? []
    let stats: HostStats
    if let old {
      stats = old.stats
    } else {
      let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
      owners.append(owner)
      stats = HostStats(owner.scope)
    }
    var config = HostConfig(
      identity: previous?.pointer.pointee.identity ?? state.takeHostIdentity(),
      address: host.address, kernelAddress: address, hostname: host.hostname,
      weight: host.weight, priority: host.priority, locality: host.locality, stats: stats)
    config.labels = host.labels
    config.transport = choice.number
    config.socketMatch = choice.name
    if old.map({ !choice.isOf($0) }) ?? true { choice.count(registry) }
    if let (stats, owner) = zones.stats(to: host.locality.zone) {
      config.zoneStats = stats
      if !owners.contains(where: { $0 === owner }) { owners.append(owner) }
    }
    // What counts is kept when it is turned off: it may come back, and it is the host's.
    config.shared = old?.shared
    if needsShared, config.shared == nil {
      let shared = HostShared()
      owners.append(shared)
      config.shared = .passUnretained(shared)
    }
    config.outlierCells = old?.outlierCells
    if plan.outliers != nil, config.outlierCells == nil {
      let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
      owners.append(owner)
      config.outlierCells = OutlierCells(owner.scope)
    }
    config.latencyCells = old?.latencyCells
    if plan.outliers?.latency != nil, config.latencyCells == nil {
      let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
      owners.append(owner)
      config.latencyCells = owner.scope.counterBlock()
    }
    config.owners = owners
    if plan.balancing.subsets != nil { config.subsetMetadata = host.subsetMetadata }
    if !host.hashKey.isEmpty { config.hashKey = FrozenText(host.hashKey) }
    return Frozen(config)
  }
}
