import ConfigSchema
import Proxy
import SwiftProtobuf

extension CompilerPass {
  private static let httpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

  /// How HTTP is spoken with a cluster: from its extension options, or from the older fields of the
  /// cluster itself.
  func upstreamHTTP(
    _ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String
  ) -> UpstreamHTTPSettings {
    var settings = UpstreamHTTPSettings()
    for key in proto.typedExtensionProtocolOptions.keys.sorted() where key != Self.httpOptionsKey {
      error(
        "\(path).typed_extension_protocol_options[\"\(shown(key))\"]",
        "the only options known are \"\(Self.httpOptionsKey)\"")
    }
    if let any = proto.typedExtensionProtocolOptions[Self.httpOptionsKey] {
      let place = "\(path).typed_extension_protocol_options[\"\(Self.httpOptionsKey)\"]"
      let excludes = "and typed_extension_protocol_options exclude each other"
      if proto.hasCommonHTTPProtocolOptions {
        error("\(path).common_http_protocol_options", excludes)
      }
      if proto.hasHTTPProtocolOptions { error("\(path).http_protocol_options", excludes) }
      if proto.hasHTTP2ProtocolOptions { error("\(path).http2_protocol_options", excludes) }
      if let options = unpack(
        any, as: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions.self, place)
      {
        apply(options, &settings, place)
      }
      return settings
    }
    if proto.hasCommonHTTPProtocolOptions {
      apply(
        proto.commonHTTPProtocolOptions, &settings, "\(path).common_http_protocol_options")
    }
    if proto.hasHTTPProtocolOptions {
      apply(proto.httpProtocolOptions, &settings, "\(path).http_protocol_options")
    }
    if proto.hasHTTP2ProtocolOptions {
      settings.upstreamProtocol = .http2
      settings.http2 = http2Settings(
        proto.http2ProtocolOptions, "\(path).http2_protocol_options")
    }
    if proto.hasMaxRequestsPerConnection {
      settings.maxRequestsPerConnection = proto.maxRequestsPerConnection.value
    }
    return settings
  }

  private func apply(
    _ options: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions,
    _ settings: inout UpstreamHTTPSettings, _ path: String
  ) {
    if options.hasCommonHTTPProtocolOptions {
      apply(
        options.commonHTTPProtocolOptions, &settings, "\(path).common_http_protocol_options")
    }
    settings.upstream = options.upstreamHTTPProtocolOptions
    switch options.upstreamProtocolOptions {
    case nil: break
    case .explicitHTTPConfig(let config):
      let place = "\(path).explicit_http_config"
      switch config.protocolConfig {
      case .httpProtocolOptions(let http1):
        apply(http1, &settings, "\(place).http_protocol_options")
      case .http2ProtocolOptions(let http2):
        settings.upstreamProtocol = .http2
        settings.http2 = http2Settings(http2, "\(place).http2_protocol_options")
      case nil: break
      }
    case .autoConfig(let config):
      let place = "\(path).auto_config"
      if config.hasHTTPProtocolOptions {
        apply(config.httpProtocolOptions, &settings, "\(place).http_protocol_options")
      }
      settings.upstreamProtocol = .automatic
      settings.http2 = http2Settings(
        config.http2ProtocolOptions, "\(place).http2_protocol_options")
    case .useDownstreamProtocolConfig(let config):
      let place = "\(path).use_downstream_protocol_config"
      if config.hasHTTPProtocolOptions {
        apply(config.httpProtocolOptions, &settings, "\(place).http_protocol_options")
      }
      settings.upstreamProtocol = .asDownstream
      settings.http2 = http2Settings(
        config.http2ProtocolOptions, "\(place).http2_protocol_options")
    }
  }

  private func apply(
    _ options: Envoy_Config_Core_V3_HttpProtocolOptions,
    _ settings: inout UpstreamHTTPSettings, _ path: String
  ) {
    if options.hasIdleTimeout {
      settings.idleTimeoutNanoseconds = nanoseconds(options.idleTimeout, "\(path).idle_timeout")
    }
    if options.hasMaxConnectionDuration {
      settings.maxConnectionDurationNanoseconds = nanoseconds(
        options.maxConnectionDuration, "\(path).max_connection_duration")
    }
    if options.hasMaxHeadersCount {
      settings.maxResponseHeaders = Int(options.maxHeadersCount.value)
    }
    if options.hasMaxResponseHeadersKb {
      settings.maxResponseHeadBytes = Int(options.maxResponseHeadersKb.value) * 1024
      settings.limitsResponseHeads = true
    }
    if options.hasMaxRequestsPerConnection {
      settings.maxRequestsPerConnection = options.maxRequestsPerConnection.value
    }
    if options.hasMaxStreamDuration {
      settings.maxStreamDurationNanoseconds = nanoseconds(options.maxStreamDuration, "\(path).max_stream_duration")
    }
    refuse(
      "\(path).headers_with_underscores_action",
      if: options.headersWithUnderscoresAction != .allow)
  }

  private func apply(
    _ options: Envoy_Config_Core_V3_Http1ProtocolOptions,
    _ settings: inout UpstreamHTTPSettings, _ path: String
  ) {
    settings.enableTrailers = options.enableTrailers
    settings.usesProperCaseHeaders = options.hasHeaderKeyFormat
    refuse("\(path).allow_chunked_length", if: options.allowChunkedLength)
    refuse("\(path).send_fully_qualified_url", if: options.sendFullyQualifiedURL)
    let onlyDownstream = "has no effect on a cluster"
    ignore("\(path).allow_absolute_url", if: options.hasAllowAbsoluteURL, onlyDownstream)
    ignore("\(path).accept_http_10", if: options.acceptHTTP10, onlyDownstream)
    ignore(
      "\(path).default_host_for_http_10", if: !options.defaultHostForHTTP10.isEmpty,
      onlyDownstream)
    ignore(
      "\(path).override_stream_error_on_invalid_http_message",
      if: options.hasOverrideStreamErrorOnInvalidHTTPMessage, onlyDownstream)
  }
}
