import ConfigSchema
import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Proxy
import Routing
import Stats
import SwiftProtobuf

typealias ConnectionManagerProto =
  Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

extension CompilerPass {
  func connectionManager(
    _ proto: ConnectionManagerProto, _ build: inout ChainsBuild, _ path: String
  ) -> ((ListenerBuild) -> FilterChainConfig.Terminal)? {
    refuseUnsupported(proto, path)
    let filters = managerFilters(proto, path)
    build.references += filters.references
    let table = routeTable(proto.routeConfig, filters: filters.all, "\(path).route_config")
    let tablePath = String(path.dropFirst(build.listenerPath.count)) + ".route_config"
    let settings = settings(proto, path)
    let http2 = http2Settings(proto.http2ProtocolOptions, "\(path).http2_protocol_options")
    let logs = accessLogs(proto.accessLog, "\(path).access_log")
    let replies =
      proto.hasLocalReplyConfig
      ? localReplies(proto.localReplyConfig, "\(path).local_reply_config") : nil
    guard let table else { return nil }
    let cluster = FrozenText(serviceCluster)
    let node = FrozenText(serviceNode)
    return { build in
      let prefix = "http.\(proto.statPrefix)."
      let scope = build.scope(prefix)
      var config = HTTPConnectionManagerConfig(
        stats: HTTPStats(scope),
        listenerCodes: ResponseCodeStats(
          build.scope(build.prefix + prefix), prefix: "downstream_rq_", withCodes: false),
        http2: Frozen(
          http2.config(
            stats: HTTP2Stats(build.scope("")),
            headBytesMax: (proto.hasMaxRequestHeadersKb ? proto.maxRequestHeadersKb.value : 60) * 1024,
            fieldCountMax: proto.commonHTTPProtocolOptions.hasMaxHeadersCount
              ? proto.commonHTTPProtocolOptions.maxHeadersCount.value : 100,
            underscores: underscores(proto.commonHTTPProtocolOptions),
            closesOnMalformed: !proto.streamErrorOnInvalidHTTPMessage.value)),
        routeTable: build.add(table, tablePath),
        filters: FilterChain(
          filters.main.filters.map { $0.make(scope) },
          disabled: filters.main.filters.indices.filter { filters.main.filters[$0].isDisabled }),
        accessLogs: logs)
      config.upgrades = FrozenList(filters.makeUpgrades(scope))
      settings(&config)
      config.localReplies = replies
      config.keepsUpstreamTLS = build.mentions.upstream != nil
      config.explainsFailures = build.mentions.failures
      config.suppressEnvoyHeaders = filters.main.suppressEnvoyHeaders
      config.respectsExpectedTimeout = filters.main.respectsExpectedTimeout
      config.serviceCluster = cluster
      config.serviceNode = node
      return .http(Frozen(config))
    }
  }

  /// Checks what needs no statistics; the closure writes it into a configuration.
  private func settings(
    _ proto: ConnectionManagerProto, _ path: String
  ) -> (inout HTTPConnectionManagerConfig) -> Void {
    let timeouts = timeouts(proto, path)
    let http1 = http1(proto, path)
    let target = targetRules(proto, path)
    let internalRanges = ranges(
      proto.internalAddressConfig.cidrRanges, "\(path).internal_address_config.cidr_ranges")
    return { config in
      timeouts(&config)
      http1(&config)
      target(&config)
      config.useRemoteAddress = proto.useRemoteAddress.value
      config.trustedHops = Int(proto.xffNumTrustedHops)
      config.skipXFFAppend = proto.skipXffAppend
      config.appendForwardedPort = proto.appendXForwardedPort
      config.via = proto.via.isEmpty ? nil : FrozenText(proto.via)
      if !proto.serverName.isEmpty { config.serverName = FrozenText(proto.serverName) }
      switch proto.serverHeaderTransformation {
      case .overwrite, .UNRECOGNIZED: config.serverHeader = .overwrite
      case .appendIfAbsent: config.serverHeader = .appendIfAbsent
      case .passThrough: config.serverHeader = .passThrough
      }
      if proto.hasGenerateRequestID { config.generateRequestID = proto.generateRequestID.value }
      config.preserveExternalRequestID = proto.preserveExternalRequestID
      config.alwaysSetRequestIDInResponse = proto.alwaysSetRequestIDInResponse
      config.internalRanges = FrozenList(internalRanges)
      config.internalUnixSockets = proto.internalAddressConfig.unixSockets
      config.addUserAgent = proto.addUserAgent.value
      config.proxy100Continue = proto.proxy100Continue
      switch proto.forwardClientCertDetails {
      case .sanitize, .UNRECOGNIZED: config.certificateForwarding = .sanitize
      case .forwardOnly: config.certificateForwarding = .forwardOnly
      case .appendForward: config.certificateForwarding = .appendForward
      case .sanitizeSet: config.certificateForwarding = .sanitizeSet
      case .alwaysForwardOnly: config.certificateForwarding = .alwaysForwardOnly
      }
    }
  }

  /// What `x-forwarded-client-cert` tells of the clients of a chain; empty when it says nothing new.
  func forwardedCertificate(_ proto: ConnectionManagerProto) -> ForwardedCertificate {
    switch proto.forwardClientCertDetails {
    case .appendForward, .sanitizeSet: break
    case .sanitize, .forwardOnly, .alwaysForwardOnly, .UNRECOGNIZED: return []
    }
    let wanted = proto.setCurrentClientCertDetails
    var forwarded: ForwardedCertificate = .element
    if wanted.cert { forwarded.insert(.certificate) }
    if wanted.chain { forwarded.insert(.chain) }
    if wanted.subject.value { forwarded.insert(.subject) }
    if wanted.uri { forwarded.insert(.uriNames) }
    if wanted.dns { forwarded.insert(.dnsNames) }
    return forwarded
  }

  private func timeouts(
    _ proto: ConnectionManagerProto, _ path: String
  ) -> (inout HTTPConnectionManagerConfig) -> Void {
    typealias Field = WritableKeyPath<HTTPConnectionManagerConfig, UInt64>
    let common = proto.commonHTTPProtocolOptions
    let place = "\(path).common_http_protocol_options"
    var values: [(Field, UInt64)] = []
    if common.hasIdleTimeout {
      values.append((\.idleTimeout, nanoseconds(common.idleTimeout, "\(place).idle_timeout")))
    }
    if common.hasMaxConnectionDuration {
      values.append(
        (
          \.maxConnectionDuration,
          nanoseconds(common.maxConnectionDuration, "\(place).max_connection_duration")
        ))
    }
    if common.hasMaxStreamDuration {
      values.append(
        (
          \.maxStreamDuration,
          nanoseconds(common.maxStreamDuration, "\(place).max_stream_duration")
        ))
    }
    if proto.hasStreamIdleTimeout {
      values.append(
        (
          \.streamIdleTimeout,
          nanoseconds(proto.streamIdleTimeout, "\(path).stream_idle_timeout")
        ))
    }
    if proto.hasRequestTimeout {
      values.append(
        (\.requestTimeout, nanoseconds(proto.requestTimeout, "\(path).request_timeout")))
    }
    if proto.hasRequestHeadersTimeout {
      values.append(
        (
          \.requestHeadersTimeout,
          nanoseconds(proto.requestHeadersTimeout, "\(path).request_headers_timeout")
        ))
    }
    if proto.hasDelayedCloseTimeout {
      let place = "\(path).delayed_close_timeout"
      let patience = nanoseconds(proto.delayedCloseTimeout, place)
      if patience == 0 {
        warn(place, "0 means no limit: a client that reads nothing holds its connection for ever")
      }
      values.append((\.delayedCloseTimeout, patience))
    }
    if proto.hasDrainTimeout {
      values.append(
        (\.drainTimeout, nanoseconds(proto.drainTimeout, "\(path).drain_timeout")))
    }
    let flush =
      proto.hasStreamFlushTimeout
      ? nanoseconds(proto.streamFlushTimeout, "\(path).stream_flush_timeout") : nil
    return { config in
      for (field, value) in values { config[keyPath: field] = value }
      config.streamFlushTimeout = flush
      switch proto.codecType {
      case .auto, .http3, .UNRECOGNIZED: config.codec = .automatic
      case .http1: config.codec = .http1
      case .http2: config.codec = .http2
      }
      if common.hasMaxRequestsPerConnection {
        config.maxRequestsPerConnection = common.maxRequestsPerConnection.value
      }
    }
  }

  private func http1(
    _ proto: ConnectionManagerProto, _ path: String
  ) -> (inout HTTPConnectionManagerConfig) -> Void {
    let options = proto.httpProtocolOptions
    let common = proto.commonHTTPProtocolOptions
    let place = "\(path).http_protocol_options"
    refuse(
      "\(place).override_stream_error_on_invalid_http_message",
      if: options.overrideStreamErrorOnInvalidHTTPMessage.value)
    refuse("\(place).send_fully_qualified_url", if: options.sendFullyQualifiedURL)
    return { config in
      if proto.hasMaxRequestHeadersKb {
        config.limits.headBytesMax = proto.maxRequestHeadersKb.value * 1024
      }
      if common.hasMaxHeadersCount {
        config.limits.fieldCountMax = common.maxHeadersCount.value
      }
      config.options.underscores = underscores(common)
      if options.hasAllowAbsoluteURL {
        config.options.allowAbsoluteURL = options.allowAbsoluteURL.value
      }
      config.options.acceptHTTP10 = options.acceptHTTP10
      config.options.allowChunkedLength = options.allowChunkedLength
      config.enableTrailers = options.enableTrailers
      config.usesProperCaseHeaders = options.hasHeaderKeyFormat
      if !options.defaultHostForHTTP10.isEmpty {
        config.defaultHostForHTTP10 = FrozenText(options.defaultHostForHTTP10)
      }
    }
  }

  private func targetRules(
    _ proto: ConnectionManagerProto, _ path: String
  ) -> (inout HTTPConnectionManagerConfig) -> Void {
    if proto.stripMatchingHostPort, proto.stripAnyHostPort {
      error(
        "\(path).strip_any_host_port",
        "strip_matching_host_port and strip_any_host_port exclude each other")
    }
    let slashes: EscapedSlashesAction =
      switch proto.pathWithEscapedSlashesAction {
      case .implementationSpecificDefault, .keepUnchanged, .UNRECOGNIZED: .keepUnchanged
      case .rejectRequest: .rejectRequest
      case .unescapeAndRedirect: .unescapeAndRedirect
      case .unescapeAndForward: .unescapeAndForward
      }
    return { config in
      config.pathRules = PathNormalization(
        normalizesPath: proto.normalizePath.value, mergesSlashes: proto.mergeSlashes,
        escapedSlashes: slashes)
      config.hostRules = HostNormalization(
        port: proto.stripAnyHostPort ? .any : proto.stripMatchingHostPort ? .matching : .none,
        stripsTrailingDot: proto.stripTrailingHostDot)
    }
  }

  private func refuseUnsupported(_ proto: ConnectionManagerProto, _ path: String) {
    if proto.codecType == .http3 {
      error("\(path).codec_type", "HTTP/3 is not supported by apus yet")
    }
    ignore(
      "\(path).http2_protocol_options",
      if: proto.codecType == .http1 && proto.hasHTTP2ProtocolOptions,
      "has no effect: codec_type allows HTTP/1 only")
    ignore(
      "\(path).http2_protocol_options.allow_connect",
      if: proto.http2ProtocolOptions.allowConnect && !namesUpgrades(proto),
      "has no effect: neither the listener nor a route has upgrade_configs")
    refuse(
      "\(path).http1_safe_max_connection_duration", if: proto.http1SafeMaxConnectionDuration)
    refuse("\(path).scheme_header_transformation", if: proto.hasSchemeHeaderTransformation)
    refuse("\(path).access_log_flush_interval", if: proto.hasAccessLogFlushInterval)
    refuse("\(path).flush_access_log_on_new_request", if: proto.flushAccessLogOnNewRequest)
    refuse("\(path).access_log_options", if: proto.hasAccessLogOptions)
    ignore(
      "\(path).set_current_client_cert_details",
      if: proto.hasSetCurrentClientCertDetails && forwardedCertificate(proto).isEmpty,
      "has no effect: forward_client_cert_details is neither APPEND_FORWARD nor SANITIZE_SET")
    refuse(
      "\(path).represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
      if: proto.representIpv4RemoteAddressAsIpv4MappedIpv6)
    ignore(
      "\(path).stream_error_on_invalid_http_message",
      if: proto.streamErrorOnInvalidHTTPMessage.value && proto.codecType == .http1,
      "has no effect on HTTP/1")
    refuse("\(path).append_local_overload", if: proto.appendLocalOverload)
    ignore(
      "\(path).common_http_protocol_options.max_response_headers_kb",
      if: proto.commonHTTPProtocolOptions.hasMaxResponseHeadersKb,
      "has no effect: the limit is the cluster's")
  }
}

private func underscores(_ common: Envoy_Config_Core_V3_HttpProtocolOptions) -> UnderscorePolicy {
  switch common.headersWithUnderscoresAction {
  case .allow, .UNRECOGNIZED: .allow
  case .rejectRequest: .reject
  case .dropHeader: .drop
  }
}
