import ConfigLoader
import ConfigSchema
import Primitives
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// Checks a new or changed listener; nil after errors that leave nothing to build.
  func blueprint(
    _ proto: Envoy_Config_Listener_V3_Listener, _ signature: ListenerSignature, _ name: String,
    _ path: String
  ) -> ListenerBlueprint? {
    refuseUnsupported(proto, path)
    ignoreMetadata(path, if: proto.hasMetadata)
    tlsMentions = signature.mentions
    let addresses = addresses(proto, path)
    var options = ListenerSocketOptions()
    if proto.hasEnableReusePort { options.reusePort = proto.enableReusePort.value }
    if proto.hasTcpBacklogSize { options.backlog = proto.tcpBacklogSize.value }
    switch proto.address.address {
    case .pipe(let pipe)?: options.pipeMode = pipe.mode
    case .socketAddress(let socket)?: options.acceptsIPv4 = socket.ipv4Compat
    case nil: break
    }
    var build = ChainsBuild(listener: name, listenerPath: path)
    forEachChain(proto, path) { chain, place in
      ignoreMetadata(place, if: chain.hasMetadata)
      self.chain(chain, &build, place)
    }
    let criteria = chainCriteria(proto, path)
    if proto.filterChains.isEmpty, !proto.hasDefaultFilterChain {
      error("\(path).filter_chains", "at least one filter chain is required")
    }
    var blueprint = ListenerBlueprint(
      signature: signature, addresses: addresses, options: options,
      statName: proto.statPrefix.isEmpty
        ? addresses.first?.description ?? "" : proto.statPrefix,
      matcher: FilterChainMatcher(
        criteria: criteria,
        defaultChain: proto.hasDefaultFilterChain ? proto.filterChains.count : nil),
      accessLogs: accessLogs(proto.accessLog, "\(path).access_log"))
    blueprint.chains = build.chains
    blueprint.references = build.references
    if proto.hasPerConnectionBufferLimitBytes {
      blueprint.bufferLimitBytes = Int(proto.perConnectionBufferLimitBytes.value)
    }
    if proto.hasListenerFiltersTimeout {
      blueprint.listenerFiltersTimeoutNanoseconds = nanoseconds(
        proto.listenerFiltersTimeout, "\(path).listener_filters_timeout")
    }
    blueprint.continueOnListenerFiltersTimeout = proto.continueOnListenerFiltersTimeout
    listenerFilters(proto.listenerFilters, &blueprint, "\(path).listener_filters")
    addInspector(proto, &blueprint, path)
    blueprint.mentions = tlsMentions
    return addresses.isEmpty ? nil : blueprint
  }

  private func addresses(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String
  ) -> [SocketAddress] {
    let first = streamAddress(proto.address, "\(path).address")
    let others = proto.additionalAddresses.enumerated().compactMap { index, additional in
      streamAddress(additional.address, "\(path).additional_addresses[\(index)].address")
    }
    return (first.map { [$0] } ?? []) + others
  }

  private func listenerFilters(
    _ protos: [Envoy_Config_Listener_V3_ListenerFilter], _ blueprint: inout ListenerBlueprint,
    _ path: String
  ) {
    for (index, proto) in protos.enumerated() {
      let place = "\(path)[\(index)]"
      guard proto.configType != nil else {
        error(place, "typed_config is required")
        continue
      }
      let any = proto.typedConfig
      if let proxy = any.unpacked(
        as: Envoy_Extensions_Filters_Listener_ProxyProtocol_V3_ProxyProtocol.self)
      {
        refuse("\(place).typed_config.disallowed_versions", if: !proxy.disallowedVersions.isEmpty)
        refuse("\(place).typed_config.stat_prefix", if: !proxy.statPrefix.isEmpty)
        if !blueprint.listenerFilters.insert(.proxyProtocol).inserted {
          error(place, "the PROXY protocol is read only once")
        }
        blueprint.proxyProtocol.allowsRequestsWithout = proxy.allowRequestsWithoutProxyProtocol
      } else if let inspector = any.unpacked(
        as: Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self)
      {
        tlsInspector(inspector, &blueprint, place)
      } else if any.unpacked(
        as: Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self) != nil
      {
        // Connections speak HTTP/1 wherever a connection manager is: nothing to find out.
      } else {
        error("\(place).typed_config", "\"\(shown(any.messageName))\" is not a listener filter")
      }
    }
  }

  private func tlsInspector(
    _ proto: Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector,
    _ blueprint: inout ListenerBlueprint, _ path: String
  ) {
    refuse("\(path).typed_config.enable_ja3_fingerprinting", if: proto.enableJa3Fingerprinting.value)
    refuse("\(path).typed_config.enable_ja4_fingerprinting", if: proto.enableJa4Fingerprinting.value)
    ignore("\(path).typed_config.initial_read_buffer_size", if: proto.hasInitialReadBufferSize)
    if !blueprint.listenerFilters.insert(.tlsInspector).inserted {
      error(path, "a ClientHello is read only once")
    }
    blueprint.tlsInspector.closesOnMalformed = proto.closeConnectionOnClientHelloParsingErrors
    if proto.hasMaxClientHelloSize {
      blueprint.tlsInspector.helloBytesMax = Int(proto.maxClientHelloSize.value)
    }
  }

  /// Chains that only a ClientHello can choose need the filter that reads it.
  private func addInspector(
    _ proto: Envoy_Config_Listener_V3_Listener, _ blueprint: inout ListenerBlueprint, _ path: String
  ) {
    guard !blueprint.listenerFilters.contains(.tlsInspector) else { return }
    for (index, chain) in proto.filterChains.enumerated() {
      let match = chain.filterChainMatch
      let field =
        !match.serverNames.isEmpty
        ? "server_names"
        : !match.applicationProtocols.isEmpty
          ? "application_protocols" : !match.transportProtocol.isEmpty ? "transport_protocol" : nil
      guard let field else { continue }
      blueprint.listenerFilters.insert(.tlsInspector)
      warn(path, "filter_chains[\(index)] matches \(field); tls_inspector is added")
      return
    }
  }

  private func refuseUnsupported(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String
  ) {
    refuse("\(path).drain_type", if: proto.drainType != .default)
    refuse("\(path).connection_balance_config", if: proto.hasConnectionBalanceConfig)
    refuse("\(path).bind_to_port", if: proto.hasBindToPort && !proto.bindToPort.value)
    ignore(
      "\(path).max_connections_to_accept_per_socket_event",
      if: proto.hasMaxConnectionsToAcceptPerSocketEvent)
    ignore("\(path).ignore_global_conn_limit", if: proto.ignoreGlobalConnLimit)
  }
}
