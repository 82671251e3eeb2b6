import ConfigLoader
import ConfigSchema
import Proxy
import Stats
import SwiftProtobuf

/// Gathers the chains of one listener.
struct ChainsBuild {
  let listener: String
  let listenerPath: String
  var chains: [FilterChainPlan] = []
  var references: [ClusterReference] = []
}

extension CompilerPass {
  /// Checks one filter chain: filters that look at the connection, then one that takes its bytes.
  func chain(
    _ proto: Envoy_Config_Listener_V3_FilterChain, _ build: inout ChainsBuild, _ path: String
  ) {
    let tls = chainTLS(proto, path)
    var limits: [(ListenerBuild) -> FilterChainConfig.ConnectionLimit] = []
    var terminal: ((ListenerBuild) -> FilterChainConfig.Terminal)?
    var hasTerminal = false
    for (index, filter) in proto.filters.enumerated() {
      let place = "\(path).filters[\(index)]"
      guard filter.configType != nil else {
        error(place, "typed_config is required")
        continue
      }
      let config = "\(place).typed_config"
      if let limit = filter.typedConfig.unpacked(
        as: Envoy_Extensions_Filters_Network_ConnectionLimit_V3_ConnectionLimit.self)
      {
        if hasTerminal { error(place, "stands behind a filter that takes all bytes") }
        let key = LimiterKey(
          listener: build.listener, chain: build.chains.count, filter: index)
        limits.append(connectionLimit(limit, key, config))
        continue
      }
      if hasTerminal { error(place, "stands behind a filter that takes all bytes") }
      hasTerminal = true
      terminal = self.terminal(filter, &build, config)
    }
    if !hasTerminal {
      error(
        "\(path).filters",
        "the last filter must be a connection manager, tcp_proxy or direct_response")
    }
    guard let terminal else { return }
    let manager = proto.filters.last.flatMap { connectionManager($0) }
    build.chains.append(
      FilterChainPlan(
        name: proto.name, limits: limits, terminal: terminal, tls: tls,
        forwarded: manager.map(forwardedCertificate) ?? []))
  }

  /// TLS in front of a chain; nil for none, or after errors.
  func chainTLS(_ proto: Envoy_Config_Listener_V3_FilterChain, _ path: String) -> ChainTLS? {
    guard proto.hasTransportSocket,
      case .tls(let context) = downstreamTransport(proto.transportSocket, "\(path).transport_socket"),
      let config = serverTLS(
        context, serverNames: proto.filterChainMatch.serverNames, "\(path).transport_socket.typed_config")
    else {
      ignore(
        "\(path).transport_socket_connect_timeout",
        if: proto.hasTransportSocketConnectTimeout && !proto.hasTransportSocket, "has no effect without TLS")
      return nil
    }
    checkProtocols(context.commonTlsContext.alpnProtocols, proto, "\(path).transport_socket.typed_config")
    return ChainTLS(
      config: config, secretCount: SecretReferences.keys(in: context).count,
      timeoutNanoseconds: proto.hasTransportSocketConnectTimeout
        ? nanoseconds(proto.transportSocketConnectTimeout, "\(path).transport_socket_connect_timeout")
        : 15_000_000_000)
  }

  /// What is offered in the handshake must be spoken behind it.
  private func checkProtocols(
    _ protocols: [String], _ proto: Envoy_Config_Listener_V3_FilterChain, _ path: String
  ) {
    guard let manager = proto.filters.last.flatMap({ connectionManager($0) }) else { return }
    for (index, name) in protocols.enumerated() {
      let place = "\(path).common_tls_context.alpn_protocols[\(index)]"
      if name == "h2", manager.codecType == .http1 {
        error(place, "\"h2\" is offered, but the chain's connection manager speaks HTTP1 only (codec_type)")
      } else if name == "http/1.1", manager.codecType == .http2 {
        error(place, "\"http/1.1\" is offered, but the chain's connection manager speaks HTTP2 only (codec_type)")
      }
    }
  }

  private func terminal(
    _ filter: Envoy_Config_Listener_V3_Filter, _ build: inout ChainsBuild, _ path: String
  ) -> ((ListenerBuild) -> FilterChainConfig.Terminal)? {
    let any = filter.typedConfig
    if let manager = connectionManager(filter) {
      return connectionManager(manager, &build, path)
    }
    if let proxy = any.unpacked(
      as: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy.self)
    {
      return tcpProxy(proxy, &build, path)
    }
    if let response = any.unpacked(
      as: Envoy_Extensions_Filters_Network_DirectResponse_V3_Config.self)
    {
      let text = response.hasResponse ? text(response.response, "\(path).response") : ""
      guard let text else { return nil }
      let frozen = FrozenText(text)
      return { _ in .directResponse(frozen) }
    }
    error(path, "\"\(shown(any.messageName))\" is not a network filter")
    return nil
  }

  private func connectionLimit(
    _ proto: Envoy_Extensions_Filters_Network_ConnectionLimit_V3_ConnectionLimit,
    _ key: LimiterKey, _ path: String
  ) -> (ListenerBuild) -> FilterChainConfig.ConnectionLimit {
    refuse(
      "\(path).runtime_enabled",
      if: proto.hasRuntimeEnabled && !proto.runtimeEnabled.defaultValue.value)
    let delay = proto.hasDelay ? nanoseconds(proto.delay, "\(path).delay") : 0
    let max = UInt32(clamping: proto.maxConnections.value)
    return { build in
      let limiter = build.pass.state.limiters[key] ?? ConnectionLimiter()
      build.pass.state.limiters[key] = limiter
      let scope = build.scope("connection_limit.\(proto.statPrefix).")
      return FilterChainConfig.ConnectionLimit(
        limiter: limiter, max: max, delayNanoseconds: delay,
        limited: scope.counter("limited_connections"),
        active: scope.gauge("active_connections"))
    }
  }

  /// What hosts are wanted, by target; nil for nothing.
  private func matches(
    _ proto: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy, _ path: String
  ) -> SubsetMatches? {
    let own = subsetMatch(proto.hasMetadataMatch ? proto.metadataMatch : nil, "\(path).metadata_match")
    guard case .weightedClusters(let weighted)? = proto.clusterSpecifier else {
      return own.map { SubsetMatches([$0.match]) }
    }
    let drafts = weighted.clusters.enumerated().map { index, entry in
      subsetMatch(
        entry.hasMetadataMatch ? entry.metadataMatch : nil, over: own,
        "\(path).weighted_clusters.clusters[\(index)].metadata_match")
    }
    return drafts.contains { $0 != nil } ? SubsetMatches(drafts.map { $0?.match }) : nil
  }

  private func tcpProxy(
    _ proto: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy, _ build: inout ChainsBuild,
    _ path: String
  ) -> (ListenerBuild) -> FilterChainConfig.Terminal {
    let matches = matches(proto, path)
    let hashesSourceIP = hashesSourceIP(proto, "\(path).hash_policy")
    var targets: [TCPProxyConfig.Target] = []
    switch proto.clusterSpecifier {
    case .cluster(let name):
      let slot = target(name, &build, "\(path).cluster")
      targets.append(TCPProxyConfig.Target(cluster: slot, weight: 1))
    case .weightedClusters(let weighted):
      var total: UInt64 = 0
      for (index, entry) in weighted.clusters.enumerated() {
        total += UInt64(entry.weight)
        let slot = target(
          entry.name, &build, "\(path).weighted_clusters.clusters[\(index)].name")
        targets.append(TCPProxyConfig.Target(cluster: slot, weight: entry.weight))
      }
      if total > UInt64(UInt32.max) {
        error(
          "\(path).weighted_clusters", "the sum of weights must be at most \(UInt32.max)")
      }
    case nil: error(path, "a cluster is required")
    }
    let idle = proto.hasIdleTimeout ? nanoseconds(proto.idleTimeout, "\(path).idle_timeout") : nil
    let duration =
      proto.hasMaxDownstreamConnectionDuration
      ? nanoseconds(
        proto.maxDownstreamConnectionDuration, "\(path).max_downstream_connection_duration") : 0
    let logs = accessLogs(proto.accessLog, "\(path).access_log")
    return { build in
      var config = TCPProxyConfig(
        stats: TCPProxyConfig.ProxyStats(build.scope("tcp.\(proto.statPrefix).")),
        targets: targets, accessLogs: logs)
      if let matches { config.matches = matches }
      if let idle { config.idleTimeoutNanoseconds = idle }
      if proto.hasMaxConnectAttempts {
        config.maxConnectAttempts = proto.maxConnectAttempts.value
      }
      config.maxDurationNanoseconds = duration
      config.hashesSourceIP = hashesSourceIP
      config.keepsUpstreamTLS = build.mentions.upstream != nil
      config.explainsFailures = build.mentions.failures
      return .tcpProxy(Frozen(config))
    }
  }

  private func hashesSourceIP(
    _ proto: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy, _ path: String
  ) -> Bool {
    switch proto.hashPolicy.first?.policySpecifier {
    case nil: return false
    case .filterState:
      error("\(path)[0].filter_state", "is not supported by apus: no filter leaves state for others yet")
      return false
    case .sourceIp:
      let names = proto.weightedClusters.clusters.map(\.name)
      warnOfUnusedHash(names.isEmpty ? [proto.cluster] : names, path)
      return true
    }
  }

  private func target(_ name: String, _ build: inout ChainsBuild, _ path: String) -> UInt32 {
    build.references.append(
      ClusterReference(
        name: name, path: String(path.dropFirst(build.listenerPath.count)), mustExist: true))
    if !clusterNames.contains(name) { reportUnknownCluster(name, path) }
    return state.clusterSlot(name)
  }
}
