import ConfigSchema
import Format
import HTTPCore
import HostHealth
import Routing
import SwiftProtobuf

extension CompilerPass {
  private typealias Message = Envoy_Config_Core_V3_HealthCheck

  /// Checks a cluster's active checks.
  ///
  /// - Parameter isTLS: Connections to the hosts are.
  func activeChecks(_ protos: [Envoy_Config_Core_V3_HealthCheck], isTLS: Bool, _ path: String) -> [ActiveCheck] {
    if protos.count > CombinedChecks.countMax {
      error(path, "at most \(CombinedChecks.countMax) checks, got \(protos.count)")
      return []
    }
    var names: [String: Int] = [:]
    for (index, proto) in protos.enumerated() where protos.count > 1 {
      if proto.name.isEmpty {
        error("\(path)[\(index)].name", "is required: the cluster has \(protos.count) health checks")
      } else if let other = names[proto.name] {
        error("\(path)[\(index)].name", "\"\(shown(proto.name))\" is already used by health_checks[\(other)]")
      } else {
        names[proto.name] = index
      }
    }
    return protos.enumerated().compactMap { activeCheck($1, isTLS: isTLS, "\(path)[\($0)]") }
  }

  private func activeCheck(_ proto: Message, isTLS: Bool, _ path: String) -> ActiveCheck? {
    guard let kind = kind(proto, path) else { return nil }
    let timeout = nanoseconds(proto.timeout, "\(path).timeout")
    let settings = settings(proto, path)
    if timeout / 1_000_000 > settings.interval {
      warn(
        "\(path).timeout",
        "is longer than interval: a host that hangs is checked every \((timeout + 500_000_000) / 1_000_000_000) s")
    }
    // As in Envoy, which knows the field and does nothing with it.
    ignore(
      "\(path).alt_port", if: proto.hasAltPort,
      "has no effect; health_check_config.port_value of an endpoint says where to check")
    let protocols = proto.tlsOptions.alpnProtocols
    ignore(
      "\(path).tls_options", if: !protocols.isEmpty && !isTLS, "has no effect: the cluster has no transport_socket with TLS")
    return ActiveCheck(
      name: proto.name, kind: kind, settings: settings, timeoutNanoseconds: max(1_000_000, timeout),
      reusesConnections: proto.hasReuseConnection ? proto.reuseConnection.value : true,
      protocols: Self.wireForm(protocols),
      socketCriteria: proto.hasTransportSocketMatchCriteria ? SocketLabels(proto.transportSocketMatchCriteria) : nil,
      eventLogs: eventLogs(proto, path))
  }

  // MARK: Times

  private func settings(_ proto: Message, _ path: String) -> CheckSettings {
    func time(_ isSet: Bool, _ duration: Google_Protobuf_Duration, _ name: String) -> UInt64? {
      isSet ? milliseconds(duration, "\(path).\(name)") : nil
    }
    let interval = milliseconds(proto.interval, "\(path).interval")
    return CheckSettings(
      healthyThreshold: proto.healthyThreshold.value, unhealthyThreshold: proto.unhealthyThreshold.value,
      interval: interval,
      unhealthyInterval: time(proto.hasUnhealthyInterval, proto.unhealthyInterval, "unhealthy_interval"),
      unhealthyEdgeInterval: time(
        proto.hasUnhealthyEdgeInterval, proto.unhealthyEdgeInterval, "unhealthy_edge_interval"),
      healthyEdgeInterval: time(proto.hasHealthyEdgeInterval, proto.healthyEdgeInterval, "healthy_edge_interval"),
      noTrafficInterval: time(proto.hasNoTrafficInterval, proto.noTrafficInterval, "no_traffic_interval")
        ?? 60_000,
      noTrafficHealthyInterval: time(
        proto.hasNoTrafficHealthyInterval, proto.noTrafficHealthyInterval, "no_traffic_healthy_interval"),
      initialJitter: time(proto.hasInitialJitter, proto.initialJitter, "initial_jitter") ?? 0,
      intervalJitter: time(proto.hasIntervalJitter, proto.intervalJitter, "interval_jitter") ?? 0,
      intervalJitterPercent: proto.intervalJitterPercent,
      intervalMin: runtimeMilliseconds("health_check.min_interval") ?? 0,
      intervalMax: runtimeMilliseconds("health_check.max_interval") ?? .max,
      alwaysLogsFailures: proto.alwaysLogHealthCheckFailures,
      alwaysLogsSuccess: proto.alwaysLogHealthCheckSuccess)
  }

  // MARK: Kinds

  private func kind(_ proto: Message, _ path: String) -> ActiveCheck.Kind? {
    switch proto.healthChecker {
    case .httpHealthCheck(let http): return self.http(http, "\(path).http_health_check").map { .http($0) }
    case .grpcHealthCheck(let grpc):
      let place = "\(path).grpc_health_check"
      return mutations(adding: grpc.initialMetadata, removing: [], place, "initial_metadata").map {
        .grpc(ActiveCheck.GRPC(service: grpc.serviceName, authority: grpc.authority, metadata: $0))
      }
    case .tcpHealthCheck(let tcp):
      let place = "\(path).tcp_health_check"
      var version: UInt8?
      if tcp.hasProxyProtocolConfig { version = tcp.proxyProtocolConfig.version == .v2 ? 2 : 1 }
      return .tcp(
        ActiveCheck.TCP(
          send: tcp.hasSend ? payload(tcp.send, "\(place).send") : [],
          receive: PayloadMatch(tcp.receive.enumerated().map { payload($1, "\(place).receive[\($0)]") }),
          proxyProtocolVersion: version))
    case .customHealthCheck(let custom):
      let place = "\(path).custom_health_check"
      guard custom.configType != nil else {
        error(place, "typed_config is required")
        return nil
      }
      return unpack(
        custom.typedConfig, as: Envoy_Extensions_HealthCheckers_Redis_V3_Redis.self, "\(place).typed_config"
      ).map { .redis(ActiveCheck.Redis(key: $0.key)) }
    case nil: return nil
    }
  }

  private func http(_ proto: Message.HttpHealthCheck, _ path: String) -> ActiveCheck.HTTP? {
    if proto.codecClientType == .http3 { error("\(path).codec_client_type", "HTTP3 is not supported by apus yet") }
    let method = method(proto.method)
    let body = proto.hasSend ? payload(proto.send, "\(path).send") : []
    if !body.isEmpty, ["GET", "HEAD", "CONNECT", "TRACE"].contains(method) {
      error("\(path).send", "a check by \(method) has no body; use POST, PUT or PATCH")
    }
    var size = 1024
    if proto.hasResponseBufferSize { size = Int(clamping: proto.responseBufferSize.value) }
    var service: HeaderConditions?
    if proto.hasServiceNameMatcher, runtimeFlag("health_check.verify_cluster") ?? true {
      // An answer without the header is one with an empty name.
      let condition = HeaderMatcherSpec(
        name: "x-envoy-upstream-healthchecked-cluster",
        kind: .string(matcher(proto.serviceNameMatcher), ignoresCase: proto.serviceNameMatcher.ignoreCase),
        inverts: false, treatsMissingAsEmpty: true)
      do { service = try HeaderConditions(compiling: [condition]) } catch {
        for fault in error.errors { self.error("\(path).service_name_matcher", fault.message) }
        return nil
      }
    }
    guard
      let headers = mutations(
        adding: proto.requestHeadersToAdd, removing: proto.requestHeadersToRemove, path, "request_headers_to_add")
    else { return nil }
    return ActiveCheck.HTTP(
      path: proto.path, host: proto.host, method: method, isHTTP2: proto.codecClientType == .http2, body: body,
      receive: PayloadMatch(proto.receive.enumerated().map { payload($1, "\(path).receive[\($0)]") }),
      bodyBytesMax: size == 0 ? .max : size, headers: headers,
      expected: ranges(proto.expectedStatuses, "\(path).expected_statuses") ?? StatusRanges([200..<201]),
      retriable: ranges(proto.retriableStatuses, "\(path).retriable_statuses") ?? StatusRanges([]),
      service: service)
  }

  private func method(_ method: Envoy_Config_Core_V3_RequestMethod) -> String {
    switch method {
    case .methodUnspecified, .get, .UNRECOGNIZED: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .connect: "CONNECT"
    case .options: "OPTIONS"
    case .trace: "TRACE"
    case .patch: "PATCH"
    }
  }

  // MARK: Pieces

  /// Text is hexadecimal, as Envoy has it.
  private func payload(_ proto: Message.Payload, _ path: String) -> [UInt8] {
    switch proto.payload {
    case .binary(let data): return [UInt8](data)
    case .text(let text):
      guard let bytes = Self.bytes(hexadecimal: text) else {
        error("\(path).text", "must be pairs of hexadecimal digits, got \"\(shown(text))\"")
        return []
      }
      return bytes
    case nil: return []
    }
  }

  static func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = text.unicodeScalars.map { Character($0).hexDigitValue.map { UInt8(truncatingIfNeeded: $0) } }
    guard digits.count % 2 == 0, text.utf8.count == digits.count else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index], let low = digits[index + 1] else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private func ranges(_ protos: [Envoy_Type_V3_Int64Range], _ path: String) -> StatusRanges? {
    if protos.isEmpty { return nil }
    var ranges: [Range<UInt16>] = []
    for (index, range) in protos.enumerated() {
      let place = "\(path)[\(index)]"
      if range.start >= range.end {
        error(place, "start must be less than end (which does not belong to it), got \(range.start) and \(range.end)")
      } else if range.start < 100 || range.end > 600 {
        error(place, "must be within 100 to 600, got \(range.start) to \(range.end)")
      } else {
        ranges.append(UInt16(range.start)..<UInt16(range.end))
      }
    }
    return StatusRanges(ranges)
  }

  private func mutations(
    adding: [Envoy_Config_Core_V3_HeaderValueOption], removing: [String], _ path: String, _ field: String
  ) -> HeaderMutations? {
    let spec = HeaderMutationSpec(
      additions: adding.enumerated().map { addition($1, "\(path).\(field)[\($0)]") }, removals: removing)
    do { return try HeaderMutations(spec) } catch {
      self.error("\(path).\(field)", error.description)
      return nil
    }
  }

  private func eventLogs(_ proto: Message, _ path: String) -> [UInt16] {
    var logs: [UInt16] = []
    if !proto.eventLogPath.isEmpty, let log = fileLog(proto.eventLogPath, "\(path).event_log_path") {
      logs.append(log)
    }
    for (index, logger) in proto.eventLogger.enumerated() {
      let place = "\(path).event_logger[\(index)].typed_config"
      if let sink = unpack(
        logger.typedConfig, as: Envoy_Extensions_HealthCheck_EventSinks_File_V3_HealthCheckEventFileSink.self, place),
        let log = fileLog(sink.eventLogPath, "\(place).event_log_path")
      {
        logs.append(log)
      }
    }
    return logs
  }

  /// The number of a file for lines of events; nil after an error.
  func fileLog(_ path: String, _ place: String) -> UInt16? {
    let resolved = options.resolved(path)
    if let problem = LogPath.problem(resolved) {
      error(place, problem)
      return nil
    }
    return logTarget(.file(path: resolved), place)
  }
}
