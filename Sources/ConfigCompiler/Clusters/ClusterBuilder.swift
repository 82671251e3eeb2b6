import ConfigSchema
import HTTP2
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats

/// Turns checked clusters into what workers read.
struct ClusterBuilder {
  let registry: StatsRegistry
  /// Nanoseconds of the workers' clock.
  let now: UInt64

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
    let kept = previous.flatMap { $0.connection == plan.connection ? $0.hosts : nil } ?? [:]
    var hosts: [HostKey: Frozen<HostConfig>] = [:]
    var list: [Frozen<HostConfig>] = []
    var flags: [HostFlags] = []
    var readySince: [HostKey: UInt64] = [:]
    var times: [UInt64] = []
    var occurrences: [SocketAddress: Int] = [:]
    for host in plan.hosts {
      let occurrence = occurrences[host.address, default: 0]
      occurrences[host.address] = occurrence + 1
      let key = HostKey(address: host.address, occurrence: occurrence)
      let frozen = build(host, in: plan, previous: kept[key], state: &state)
      guard let frozen else { continue }
      hosts[key] = frozen
      list.append(frozen)
      flags.append(host.flags)
      let time = host.flags.state == .healthy ? previous?.readySince[key] ?? now : now
      if host.flags.state == .healthy { readySince[key] = time }
      times.append(time)
    }
    let set = HostSetBuilder(plan.balancing).build(
      list, flags: flags, readySince: times, now: now, after: previous?.set)
    let place = plan.tls.map {
      TLSPlace(slot: TLSSlot($0), stats: TLSFactoryStats(statsOwner.scope, isServer: false))
    }
    place?.stats.show(place?.slot.current.inventory ?? TLSInventory())
    if let place, previous?.tls == nil {
      registry.mainSlab.add(
        place.stats.contextUpdateBySDS, UInt64(SecretReferences.keys(in: plan.proto).count))
    }
    var config = config(
      plan, slot: slot, stats: stats, shared: shared, owner: statsOwner,
      http2Stats: previous?.statsOwner === statsOwner
        ? previous?.frozen.pointer.pointee.http2StatsOwner : nil)
    if let place, let settings = plan.connection.transport {
      var transport = TLSUpstreamTransport(
        slot: place.slot,
        stats: previous?.statsOwner === statsOwner
          ? previous?.frozen.pointer.pointee.transport?.stats ?? TLSStats(statsOwner.scope)
          : TLSStats(statsOwner.scope))
      transport.keepsTickets = settings.keepsTickets
      let names = plan.connection.http.upstream
      if names.autoSni {
        transport.takeName(
          from: names.overrideAutoSniHeader.isEmpty
            ? ":authority" : names.overrideAutoSniHeader.lowercased())
      }
      config.transport = transport
    }
    if let counts = set.pointer.pointee.hashCounts { showHashCounts(counts, plan.balancing.policy, statsOwner.scope) }
    setGauges(
      config.stats, set.pointer.pointee.counts,
      isChanged: previous.map { Set($0.hosts.keys) != Set(hosts.keys) } ?? !hosts.isEmpty)
    return ClusterRecord(
      proto: plan.proto, frozen: Frozen(config), shared: shared, statsOwner: statsOwner,
      connection: plan.connection, hosts: hosts, readySince: readySince, set: set, tls: place)
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
    config.normalLimits = plan.normalLimits
    config.highLimits = plan.highLimits
    config.connectTimeoutNanoseconds = plan.connection.connectTimeoutNanoseconds
    config.bufferLimitBytes = plan.connection.bufferLimitBytes
    config.keepalive = plan.connection.keepalive
    let http = plan.connection.http
    config.maxRequestsPerConnection = http.maxRequestsPerConnection
    config.idleTimeoutNanoseconds = http.idleTimeoutNanoseconds
    config.maxConnectionDurationNanoseconds = http.maxConnectionDurationNanoseconds
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
    _ host: HostPlan, in plan: ClusterPlan, previous: Frozen<HostConfig>?,
    state: inout CompilerState
  ) -> Frozen<HostConfig>? {
    if let old = previous?.pointer.pointee, old.weight == host.weight,
      old.priority == host.priority, old.locality == host.locality,
      old.hostname.view.string == host.hostname, (old.hashKey?.view.string ?? "") == host.hashKey
    {
      return previous
    }
    // The plan's addresses fit: that was checked.
    guard let address = KernelAddress(host.address) else { return nil }
    let owners: [AnyObject]
    let stats: HostStats
    if let previous {
      owners = previous.pointer.pointee.owners
      stats = previous.pointer.pointee.stats
    } else {
      let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
      owners = [owner]
      stats = HostStats(owner.scope)
    }
    var config = HostConfig(
      identity: previous?.pointer.pointee.identity ?? state.takeHostIdentity(),
      address: host.address, kernelAddress: address, hostname: host.hostname,
      weight: host.weight, priority: host.priority, locality: host.locality, stats: stats)
    config.owners = owners
    if !host.hashKey.isEmpty { config.hashKey = FrozenText(host.hashKey) }
    return Frozen(config)
  }

  private func showHashCounts(_ counts: HashCounts, _ policy: BalanceSettings.Policy, _ scope: StatsScope) {
    let slab = registry.mainSlab
    if policy == .ringHash {
      slab.set(scope.gauge("ring_hash_lb.size"), to: counts.size)
      slab.set(scope.gauge("ring_hash_lb.min_hashes_per_host"), to: counts.minimum)
      slab.set(scope.gauge("ring_hash_lb.max_hashes_per_host"), to: counts.maximum)
    } else {
      slab.set(scope.gauge("maglev_lb.min_entries_per_host"), to: counts.minimum)
      slab.set(scope.gauge("maglev_lb.max_entries_per_host"), to: counts.maximum)
    }
  }

  private func setGauges(_ stats: ClusterStats, _ counts: HostCounts, isChanged: Bool) {
    let slab = registry.mainSlab
    slab.set(stats.membershipTotal, to: UInt64(counts.total))
    slab.set(stats.membershipHealthy, to: UInt64(counts.healthy))
    slab.set(stats.membershipDegraded, to: UInt64(counts.degraded))
    slab.set(stats.membershipExcluded, to: UInt64(counts.excluded))
    if isChanged { slab.increment(stats.membershipChange) }
  }
}
