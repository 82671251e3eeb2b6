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
    let build = ListenerBuild(registry: registry, prefix: prefix, pass: pass)
    let stats = ListenerConfig.ListenerStats(build.scope(prefix), workerNames: workerNames)
    let chains = blueprint.chains.map { chain in
      Frozen(
        FilterChainConfig(
          name: chain.name, connectionLimits: chain.limits.map { $0(build) },
          terminal: chain.terminal(build)))
    }
    var config = ListenerConfig(
      name: plan.name, addresses: bound, sockets: sockets,
      version: pass.state.takeListenerVersion(), stats: stats, chains: chains,
      matcher: blueprint.matcher, accessLogs: blueprint.accessLogs)
    config.number = pass.state.listenerNumber(plan.name)
    config.bufferLimitBytes = blueprint.bufferLimitBytes
    config.proxyProtocol = blueprint.proxyProtocol
    config.listenerFiltersTimeoutNanoseconds = blueprint.listenerFiltersTimeoutNanoseconds
    config.continueOnListenerFiltersTimeout = blueprint.continueOnListenerFiltersTimeout
    config.owners = build.owners
    return ListenerRecord(
      proto: plan.proto, signature: blueprint.signature, frozen: Frozen(config),
      tables: build.tables, references: blueprint.references,
      configuredAddresses: blueprint.addresses)
  }
}
