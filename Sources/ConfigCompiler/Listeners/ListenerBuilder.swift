import Primitives
import Proxy
import Stats

/// Turns checked listeners into what workers read.
struct ListenerBuilder {
  let registry: StatsRegistry
  let workerNames: [String]
  let pass: CompilerPass

  func build(
    _ blueprint: ListenerBlueprint, _ plan: ListenerPlan, sockets: [[Int32]],
    bound: [SocketAddress]
  ) -> ListenerRecord {
    let prefix = "listener.\(blueprint.statName)."
    let build = ListenerBuild(registry: registry, prefix: prefix, pass: pass, mentions: blueprint.mentions)
    let stats = ListenerConfig.ListenerStats(build.scope(prefix), workerNames: workerNames)
    var places: [Int: TLSPlace<TLSServerConfig>] = [:]
    let chains = blueprint.chains.enumerated().map { index, chain in
      var config = FilterChainConfig(
        name: chain.name, connectionLimits: chain.limits.map { $0(build) },
        terminal: chain.terminal(build))
      if let tls = chain.tls {
        let slot = TLSSlot(tls.config)
        let scope = build.scope(prefix)
        let place = TLSPlace(slot: slot, stats: TLSFactoryStats(scope, isServer: true))
        registry.mainSlab.add(place.stats.contextUpdateBySDS, UInt64(tls.secretCount))
        place.stats.show([tls.config.inventory])
        places[index] = place
        var transport = TLSTransport(slot: slot, stats: TLSStats(scope))
        transport.timeoutNanoseconds = tls.timeoutNanoseconds
        transport.details = blueprint.mentions.downstream
        transport.forwarded = chain.forwarded
        config.transport = transport
      }
      return Frozen(config)
    }
    var config = ListenerConfig(
      name: plan.name, addresses: bound, sockets: sockets,
      version: pass.state.takeListenerVersion(), stats: stats, chains: chains,
      matcher: blueprint.matcher, accessLogs: blueprint.accessLogs)
    config.number = pass.state.listenerNumber(plan.name)
    config.bufferLimitBytes = blueprint.bufferLimitBytes
    config.listenerFilters = blueprint.listenerFilters
    config.proxyProtocol = blueprint.proxyProtocol
    config.tlsInspector = blueprint.tlsInspector
    if blueprint.listenerFilters.contains(.tlsInspector) {
      config.inspectorStats = TLSInspectorStats(build.scope(""))
    }
    config.listenerFiltersTimeoutNanoseconds = blueprint.listenerFiltersTimeoutNanoseconds
    config.continueOnListenerFiltersTimeout = blueprint.continueOnListenerFiltersTimeout
    config.owners = build.owners
    return ListenerRecord(
      proto: plan.proto, signature: blueprint.signature, frozen: Frozen(config),
      tables: build.tables, tls: places, references: blueprint.references,
      configuredAddresses: blueprint.addresses, mentions: blueprint.mentions)
  }
}
