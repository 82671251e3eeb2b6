import HTTPCore
import Primitives

/// The operators' names and how their parameters are read.
enum OperatorTable {
  private enum Shape {
    /// No parameters, no length.
    case plain(FormatOperation.Kind)
    case endpoint(FormatOperation.Kind, FormatOperation.Endpoint)
    case duration(FormatOperation.TimePoint, FormatOperation.TimePoint)
    case header(FormatOperation.Kind)
    case time(FormatOperation.Kind, local: Bool)
    case details(FormatOperation.Kind)
    case tls(TLSFact, isUpstream: Bool)
    /// An end of a certificate's validity, with a time format.
    case validity(FormatOperation.Kind, isUpstream: Bool)
    case commonDuration, grpcStatus, path, queryParameter, hostname, environment
    /// Has no value on a plaintext connection without the filters that would set it; parameters
    /// are accepted as they are.
    case absent
  }

  private static let shapes: [String: Shape] = {
    var table: [String: Shape] = [
      "REQ": .header(.requestHeader), "REQUEST_HEADER": .header(.requestHeader),
      "RESP": .header(.responseHeader), "RESPONSE_HEADER": .header(.responseHeader),
      "TRAILER": .header(.responseTrailer), "RESPONSE_TRAILER": .header(.responseTrailer),
      "REQUEST_HEADERS_BYTES": .plain(.requestHeadersBytes),
      "RESPONSE_HEADERS_BYTES": .plain(.responseHeadersBytes),
      "RESPONSE_TRAILERS_BYTES": .plain(.responseTrailersBytes),
      "PATH": .path, "QUERY_PARAM": .queryParameter, "QUERY_PARAMS": .plain(.queryParameters),
      "START_TIME": .time(.startTime, local: false),
      "START_TIME_LOCAL": .time(.startTime, local: true),
      "EMIT_TIME": .time(.emitTime, local: false), "EMIT_TIME_LOCAL": .time(.emitTime, local: true),
      "DURATION": .duration(.downstreamReceiveBegin, .downstreamSendEnd),
      "REQUEST_DURATION": .duration(.downstreamReceiveBegin, .downstreamReceiveEnd),
      "REQUEST_TX_DURATION": .duration(.downstreamReceiveBegin, .upstreamSendEnd),
      "RESPONSE_DURATION": .duration(.downstreamReceiveBegin, .upstreamReceiveBegin),
      "RESPONSE_TX_DURATION": .duration(.upstreamReceiveBegin, .downstreamSendEnd),
      "COMMON_DURATION": .commonDuration,
      "UPSTREAM_CONNECTION_POOL_READY_DURATION": .plain(.connectionPoolReadyDuration),
      "BYTES_RECEIVED": .plain(.bytesReceived), "BYTES_SENT": .plain(.bytesSent),
      "DOWNSTREAM_WIRE_BYTES_RECEIVED": .plain(.downstreamWireBytesReceived),
      "DOWNSTREAM_WIRE_BYTES_SENT": .plain(.downstreamWireBytesSent),
      "UPSTREAM_WIRE_BYTES_RECEIVED": .plain(.upstreamWireBytesReceived),
      "UPSTREAM_WIRE_BYTES_SENT": .plain(.upstreamWireBytesSent),
      "DOWNSTREAM_HEADER_BYTES_RECEIVED": .plain(.downstreamHeaderBytesReceived),
      "DOWNSTREAM_HEADER_BYTES_SENT": .plain(.downstreamHeaderBytesSent),
      "UPSTREAM_HEADER_BYTES_RECEIVED": .plain(.upstreamHeaderBytesReceived),
      "UPSTREAM_HEADER_BYTES_SENT": .plain(.upstreamHeaderBytesSent),
      // Counted for QUIC only.
      "BYTES_RETRANSMITTED": .plain(.zero), "PACKETS_RETRANSMITTED": .plain(.zero),
      "RESPONSE_CODE": .plain(.responseCode),
      "UPSTREAM_REQUEST_ATTEMPT_COUNT": .plain(.upstreamAttempts),
      "CONNECTION_ID": .plain(.connectionID),
      "UPSTREAM_CONNECTION_ID": .plain(.upstreamConnectionID),
      "GRPC_STATUS": .grpcStatus, "GRPC_STATUS_NUMBER": .plain(.grpcStatusNumber),
      "PROTOCOL": .plain(.protocolVersion), "UPSTREAM_PROTOCOL": .plain(.upstreamProtocol),
      "RESPONSE_CODE_DETAILS": .details(.responseCodeDetails),
      "CONNECTION_TERMINATION_DETAILS": .plain(.connectionTerminationDetails),
      "UPSTREAM_TRANSPORT_FAILURE_REASON": .plain(.upstreamTransportFailureReason),
      "DOWNSTREAM_TRANSPORT_FAILURE_REASON": .plain(.downstreamTransportFailureReason),
      "RESPONSE_FLAGS": .plain(.responseFlags), "RESPONSE_FLAGS_LONG": .plain(.responseFlagsLong),
      "UPSTREAM_HOST_NAME": .plain(.upstreamHostName),
      "UPSTREAM_HOST_NAME_WITHOUT_PORT": .plain(.upstreamHostNameWithoutPort),
      "UPSTREAM_CLUSTER": .plain(.upstreamCluster),
      "UPSTREAM_CLUSTER_RAW": .plain(.upstreamClusterRaw),
      "ROUTE_NAME": .plain(.routeName), "VIRTUAL_CLUSTER_NAME": .plain(.virtualClusterName),
      "FILTER_CHAIN_NAME": .plain(.filterChainName),
      "REQUESTED_SERVER_NAME": .plain(.requestedServerName),
      "STREAM_ID": .plain(.streamID), "UNIQUE_ID": .plain(.uniqueID),
      "APUS_FAILURE": .plain(.failure), "LOCAL_REPLY_BODY": .plain(.localReplyBody), "ACCESS_LOG_TYPE": .plain(.accessLogType),
      "CUSTOM_FLAGS": .plain(.emptyText),
      "HOSTNAME": .hostname, "ENVIRONMENT": .environment,
      "UPSTREAM_HOST": .endpoint(.address, .upstreamHost),
    ]
    let endpoints: [(String, FormatOperation.Endpoint)] = [
      ("DOWNSTREAM_REMOTE", .downstreamRemote),
      ("DOWNSTREAM_DIRECT_REMOTE", .downstreamDirectRemote),
      ("DOWNSTREAM_LOCAL", .downstreamLocal), ("DOWNSTREAM_DIRECT_LOCAL", .downstreamLocal),
      ("UPSTREAM_REMOTE", .upstreamHost), ("UPSTREAM_LOCAL", .upstreamLocal),
    ]
    for (name, endpoint) in endpoints {
      table["\(name)_ADDRESS"] = .endpoint(.address, endpoint)
      table["\(name)_ADDRESS_WITHOUT_PORT"] = .endpoint(.addressWithoutPort, endpoint)
      table["\(name)_PORT"] = .endpoint(.port, endpoint)
    }
    let facts: [(String, TLSFact)] = [
      ("TLS_VERSION", .version), ("TLS_CIPHER", .cipher), ("TLS_SESSION_ID", .sessionID),
      ("PEER_SUBJECT", .peerSubject), ("PEER_ISSUER", .peerIssuer), ("PEER_CERT", .peerCertificate),
      ("PEER_URI_SAN", .peerURINames), ("PEER_DNS_SAN", .peerDNSNames), ("PEER_IP_SAN", .peerIPNames),
      ("LOCAL_URI_SAN", .localURINames), ("LOCAL_DNS_SAN", .localDNSNames), ("LOCAL_IP_SAN", .localIPNames),
    ]
    let downstreamOnly: [(String, TLSFact)] = [
      ("PEER_SERIAL", .peerSerial), ("PEER_FINGERPRINT_256", .peerFingerprint256),
      ("PEER_FINGERPRINT_1", .peerFingerprint1), ("PEER_EMAIL_SAN", .peerEmailNames),
      ("PEER_OTHERNAME_SAN", .peerOtherNames), ("PEER_CHAIN_SERIALS", .peerChainSerials),
      ("PEER_CHAIN_FINGERPRINTS_256", .peerChainFingerprints256),
      ("PEER_CHAIN_FINGERPRINTS_1", .peerChainFingerprints1), ("LOCAL_SUBJECT", .localSubject),
      ("LOCAL_EMAIL_SAN", .localEmailNames), ("LOCAL_OTHERNAME_SAN", .localOtherNames),
    ]
    for (name, fact) in facts + downstreamOnly { table["DOWNSTREAM_\(name)"] = .tls(fact, isUpstream: false) }
    for (name, fact) in facts { table["UPSTREAM_\(name)"] = .tls(fact, isUpstream: true) }
    for (side, isUpstream) in [("DOWNSTREAM", false), ("UPSTREAM", true)] {
      table["\(side)_PEER_CERT_V_START"] = .validity(.tlsValidFrom, isUpstream: isUpstream)
      table["\(side)_PEER_CERT_V_END"] = .validity(.tlsValidUntil, isUpstream: isUpstream)
    }
    table["DOWNSTREAM_HANDSHAKE_DURATION"] = .plain(.tlsHandshakeDuration)
    for name in [
      "TLS_JA3_FINGERPRINT", "TLS_JA4_FINGERPRINT", "ROUNDTRIP_DURATION", "TRACE_ID", "SPAN_ID",
      "DYNAMIC_METADATA", "FILTER_STATE", "UPSTREAM_FILTER_STATE",
    ] {
      table[name] = .absent
    }
    return table
  }()

  static func resolve(
    _ command: FormatCommand, memory: ConfigurationMemory, environment: FormatEnvironment
  ) throws(FormatError) -> FormatOperation {
    guard let shape = shapes[command.name] else {
      throw command.error(
        "unknown or unsupported operator",
        suggestion: Suggestion.closest(to: command.name, among: shapes.keys))
    }
    var operation: FormatOperation
    switch shape {
    case .plain(let kind):
      try refuseParameters(command)
      operation = FormatOperation(kind)
    case .endpoint(let kind, let endpoint):
      try refuseParameters(command)
      operation = FormatOperation(kind)
      operation.endpoint = endpoint
    case .duration(let from, let to):
      try refuseParameters(command)
      operation = FormatOperation(.commonDuration)
      operation.from = from
      operation.to = to
    case .header(let kind):
      operation = FormatOperation(kind)
      try readHeaders(command, into: &operation, memory)
    case .time(let kind, let isLocal):
      operation = FormatOperation(kind)
      try readTime(command, isLocal: isLocal, into: &operation, memory)
    case .tls(let fact, let isUpstream):
      try refuseParameters(command)
      operation = FormatOperation(.tlsText)
      operation.fact = fact
      operation.isUpstream = isUpstream
    case .validity(let kind, let isUpstream):
      operation = FormatOperation(kind)
      operation.isUpstream = isUpstream
      try readTime(command, isLocal: false, into: &operation, memory)
    case .details(let kind):
      operation = FormatOperation(kind)
      operation.flag = command.parameters == "ALLOW_WHITESPACES"
    case .commonDuration:
      operation = try commonDuration(command)
    case .grpcStatus:
      operation = FormatOperation(.grpcStatus)
      switch command.parameters ?? "" {
      case "", "CAMEL_STRING": break
      case "SNAKE_STRING": operation.flag = true
      case "NUMBER": operation = FormatOperation(.grpcStatusNumber)
      default: throw command.error("the parameter is CAMEL_STRING, SNAKE_STRING or NUMBER")
      }
    case .path:
      operation = try path(command)
    case .queryParameter:
      guard let name = command.parameters, !name.isEmpty else {
        throw command.error("needs a query parameter's name")
      }
      operation = FormatOperation(.queryParameter)
      operation.text = memory.store(name)
    case .hostname:
      try refuseParameters(command)
      operation = FormatOperation(.literal)
      operation.text = memory.store(environment.hostname)
    case .environment:
      guard let name = command.parameters, !name.isEmpty else {
        throw command.error("needs an environment variable's name")
      }
      let value = environment.variable(name) ?? "-"
      operation = FormatOperation(.literal)
      operation.text = memory.store(bytes: Array(value.utf8.prefix(command.length ?? .max)))
    case .absent:
      operation = FormatOperation(.absent)
    }
    if let length = command.length {
      switch shape {
      case .header, .path, .queryParameter, .environment, .absent: operation.lengthMax = length
      default: throw command.error("takes no length")
      }
    }
    return operation
  }

  private static func refuseParameters(_ command: FormatCommand) throws(FormatError) {
    if let parameters = command.parameters, !parameters.isEmpty {
      throw command.error("takes no parameters")
    }
  }

  private static func readTime(
    _ command: FormatCommand, isLocal: Bool, into operation: inout FormatOperation, _ memory: ConfigurationMemory
  ) throws(FormatError) {
    let written = command.parameters ?? ""
    // Without a format, local time shows its offset.
    let fallback = isLocal ? "%Y-%m-%dT%H:%M:%S.%3f%z" : TimeFormat.defaultText
    let (parts, problem) = TimeFormat.parse(written.isEmpty ? fallback : written)
    if let problem { throw command.error(problem) }
    operation.time = memory.store([TimeFormat(parts, isLocal: isLocal, memory: memory)])
  }

  private static func readHeaders(
    _ command: FormatCommand, into operation: inout FormatOperation, _ memory: ConfigurationMemory
  ) throws(FormatError) {
    let names = (command.parameters ?? "").split(separator: "?", omittingEmptySubsequences: false)
    guard let main = names.first, !main.isEmpty else {
      throw command.error("needs a header's name")
    }
    guard names.count <= 2 else {
      throw command.error("takes one alternative header at most")
    }
    for name in names where name.utf8.contains(where: { $0 <= 32 || $0 == 127 }) {
      throw command.error("\"\(name)\" is not a header's name")
    }
    (operation.text, operation.known) = HeaderName.store(String(main), memory)
    if names.count == 2 {
      (operation.alternative, operation.alternativeKnown) =
        HeaderName.store(String(names[1]), memory)
    }
  }

  private static func commonDuration(_ command: FormatCommand) throws(FormatError) -> FormatOperation {
    let words = (command.parameters ?? "").split(separator: ":", omittingEmptySubsequences: false)
    guard (2...3).contains(words.count) else {
      throw command.error("needs START:END or START:END:PRECISION")
    }
    func point(_ name: Substring) throws(FormatError) -> FormatOperation.TimePoint {
      let all = FormatOperation.TimePoint.allCases
      guard let found = all.first(where: { $0.name == name }) else {
        throw command.error(
          "unknown time point \"\(name)\"; known are \(all.map(\.name).joined(separator: ", "))")
      }
      return found
    }
    var operation = FormatOperation(.commonDuration)
    operation.from = try point(words[0])
    operation.to = try point(words[1])
    if words.count == 3 {
      switch words[2] {
      case "ms": operation.divisor = 1_000_000
      case "us": operation.divisor = 1000
      case "ns": operation.divisor = 1
      default: throw command.error("the precision is ms, us or ns")
      }
    }
    return operation
  }

  private static func path(_ command: FormatCommand) throws(FormatError) -> FormatOperation {
    var operation = FormatOperation(.path)
    let words = (command.parameters ?? "").split(separator: ":", omittingEmptySubsequences: false)
    switch words.first ?? "" {
    case "", "WQ": break
    case "NQ": operation.flag = true
    default: throw command.error("the first parameter is WQ or NQ")
    }
    if words.count > 1 {
      switch words[1] {
      case "", "ORIG_OR_PATH": break
      case "ORIG": operation.pathSource = .original
      case "PATH": operation.pathSource = .path
      default: throw command.error("the second parameter is ORIG, PATH or ORIG_OR_PATH")
      }
    }
    if words.count > 2 { throw command.error("takes two parameters at most") }
    return operation
  }
}
