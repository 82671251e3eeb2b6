import ConfigSchema
import HTTP2
import Primitives
import Proxy
import Reactor
import Stats

/// A cluster that only main has, for one active check of another cluster: the same hosts, perhaps at other ports, spoken to
/// by the check's protocol. So what checks do counts as nobody's traffic and takes nothing of anybody's limits.
struct CheckCluster {
  let check: ActiveCheck
  let config: Frozen<ClusterConfig>
  /// Where the cluster's own hosts are asked, in their order.
  let hosts: [Frozen<HostConfig>]
  /// Whose checks those are: identities of the cluster's own hosts.
  let identities: [UInt64]
  let set: Frozen<HostSet>

  var slot: UInt32 { config.pointer.pointee.slot }
}

extension ClusterBuilder {
  /// The clusters for the checks of `plan`.
  ///
  /// - Parameters:
  ///   - config: Of the cluster itself.
  ///   - hosts: The cluster's own.
  func checkClusters(
    _ plan: ClusterPlan, _ config: ClusterConfig, _ hosts: [Frozen<HostConfig>], _ choices: SocketChoices,
    previous: ClusterRecord?, state: inout CompilerState
  ) -> [CheckCluster] {
    plan.checks.enumerated().map { index, check in
      let known = previous.flatMap { $0.connection == plan.connection ? $0.checks : nil }
      let old = known.flatMap { index < $0.count ? $0[index] : nil }
      let slot = state.checkSlot(cluster: plan.proto.name, check: index)
      // Connections of the version before give their units back to what they took them from.
      let shared = previous.flatMap { index < $0.checks.count ? $0.checks[index].config.pointer.pointee.shared : nil }
      let made = checkConfig(plan, check, config, slot: slot, shared ?? ClusterShared())
      // A pool speaks one protocol for as long as it lives.
      let isSpokenAsBefore = old.map {
        $0.config.pointer.pointee.upstreamProtocol == made.upstreamProtocol && $0.check.protocols == check.protocols
      }
      let own = checkHosts(plan, check, hosts, old, isSpokenAsBefore ?? true, choices, state: &state)
      let set = HostSetBuilder(BalanceSettings()).build(own, flags: own.map { _ in [] }, after: old?.set)
      return CheckCluster(
        check: check, config: Frozen(made), hosts: own, identities: hosts.map(\.pointer.pointee.identity), set: set)
    }
  }

  /// The hosts as those who check see them.
  func checkedHosts(
    _ plan: ClusterPlan, _ hosts: [Frozen<HostConfig>], _ checks: [CheckCluster]
  ) -> [CheckedCluster.Host] {
    if checks.isEmpty { return [] }
    return zip(plan.hosts, hosts).enumerated().map { index, host in
      CheckedCluster.Host(
        config: host.1, checkHostname: host.0.checkHostname, isCheckDisabled: host.0.isCheckDisabled,
        targets: checks.map { (index, $0.hosts[index].pointer.pointee.identity) })
    }
  }

  private func checkConfig(
    _ plan: ClusterPlan, _ check: ActiveCheck, _ target: ClusterConfig, slot: UInt32,
    _ shared: ClusterShared
  ) -> ClusterConfig {
    let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
    let name = "\(plan.proto.name) (check\(check.name.isEmpty ? "" : " \(check.name)"))"
    var config = ClusterConfig(
      slot: slot, name: name, statName: name, stats: ClusterStats(owner.scope), shared: shared)
    config.owners = [owner]
    config.normalLimits = .unlimited
    config.highLimits = .unlimited
    config.connectTimeoutNanoseconds = min(
      target.connectTimeoutNanoseconds == 0 ? .max : target.connectTimeoutNanoseconds, check.timeoutNanoseconds)
    config.bufferLimitBytes = target.bufferLimitBytes
    config.keepalive = target.keepalive
    config.maxRequestsPerConnection = check.reusesConnections ? 0 : 1
    config.enableTrailers = true
    // What the handshake agrees on decides where ALPN offers both.
    let usesHTTP2 = check.kind.usesHTTP2
    let isAgreed = plan.connection.http.upstreamProtocol == .automatic && check.protocols.isEmpty
    config.upstreamProtocol = isAgreed ? .automatic : usesHTTP2 ? .http2 : .http1
    if plan.sockets.hasTLS {
      let stats = TLSStats(owner.scope)
      let offered = FrozenList(check.protocols)
      config.transports = FrozenList(
        target.transports.buffer.map { transport in
          transport.map {
            var own = TLSUpstreamTransport(slot: $0.slot, stats: stats)
            own.keepsTickets = $0.keepsTickets
            // A check may speak something else than requests do.
            own.offersSpokenProtocol = !isAgreed && check.kind.isHTTP && check.protocols.isEmpty
            own.offered = offered
            return own
          }
        })
    }
    if config.upstreamProtocol != .http1 {
      let settings = plan.connection.http.http2 ?? HTTP2Settings()
      config.http2Owner = Frozen(
        settings.config(stats: HTTP2Stats(owner.scope), headBytesMax: 60 * 1024, fieldCountMax: 100))
      config.http2StatsOwner = config.http2Owner
    }
    return config
  }

  /// One host for each of the cluster's; the same object as before where nothing changed.
  private func checkHosts(
    _ plan: ClusterPlan, _ check: ActiveCheck, _ hosts: [Frozen<HostConfig>], _ old: CheckCluster?, _ isSpokenAsBefore: Bool,
    _ choices: SocketChoices, state: inout CompilerState
  ) -> [Frozen<HostConfig>] {
    var known: [UInt64: Frozen<HostConfig>] = [:]
    if let old { for (identity, host) in zip(old.identities, old.hosts) { known[identity] = host } }
    return zip(plan.hosts, hosts).compactMap { plan, host in
      let identity = host.pointer.pointee.identity
      let choice = choices.choice(check, plan)
      if isSpokenAsBefore, let same = known[identity]?.pointer.pointee, same.address == plan.checkAddress, choice.isOf(same) {
        return known[identity]
      }
      guard let address = KernelAddress(plan.checkAddress) else { return nil }
      let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
      var config = HostConfig(
        // Another address, protocol or transport socket is another host, whose connections are not used again.
        identity: known[identity] == nil ? identity : state.takeHostIdentity(), address: plan.checkAddress,
        kernelAddress: address, hostname: plan.hostname, weight: 1, priority: 0,
        locality: HostConfig.Locality(), stats: HostStats(owner.scope))
      config.owners = [owner]
      config.transport = choice.number
      config.socketMatch = choice.name
      if check.socketCriteria != nil { choice.count(registry) }
      return Frozen(config)
    }
  }
}

extension ActiveCheck.Kind {
  /// Asked by requests.
  var isHTTP: Bool {
    switch self {
    case .http, .grpc: true
    case .tcp, .redis: false
    }
  }

  var usesHTTP2: Bool {
    switch self {
    case .http(let http): http.isHTTP2
    case .grpc: true
    case .tcp, .redis: false
    }
  }
}

extension ClusterLimits {
  static var unlimited: ClusterLimits {
    var limits = ClusterLimits()
    limits.connections = .max
    limits.pendingRequests = .max
    limits.requests = .max
    limits.retries = .max
    return limits
  }
}
