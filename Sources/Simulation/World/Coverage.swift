/// How often each thing that the simulation can do was done: a fault that never happens proves nothing.
public struct Coverage: Sendable {
  public enum Feature: Int, CaseIterable, Sendable {
    // The kernel's freedom.
    case shortRead, shortWrite, multishotEnd, lateCompletion
    case cancelledReceiveHasData, cancelledSend, cancelledAccept, cancelledPoll, cancelledConnect
    case submissionQueueFull, completionQueueFull
    // Its trouble.
    case shortSend, noBuffersInjected, noBuffersLeft, acceptFailure, socketFailure
    case connectRefused, connectUnanswered, connectUnreachable, reset
    // Splices.
    case spliceFill, spliceFillShort, spliceFillWaits, spliceEmpty, spliceEmptyShort, spliceEmptyWaits
    case spliceRefused, spliceSourceEnd, spliceSourceReset, spliceTargetReset
    case pipeRefused, pipeDiscarded, pollReadable, pollWritable
    // Operators and clocks.
    case clockJump, snapshotSwap, snapshotSwapMidRequest, drainMidRequest
    // Clients.
    case keepAlive, pipelinedRequest, requestContentLength, requestChunked, requestTrailers, headRequest
    case expectContinue, continueReceived, proxyProtocolV1, proxyProtocolV2, malformedRequest
    case connectionClose, clientLeavesInRequest, clientLeavesInResponse, clientHalfCloses, clientResets
    case slowPeer
    // Origins.
    case responseContentLength, responseChunked, responseUntilClose, responseTrailers, interimPassedOn
    case noContent, notModified, earlyAnswer, delayedAnswer, garbageAnswer, silentOrigin, brokenAnswer
    case originCloses, originClosesSilently, largeResponse, largeRequest
    // HTTP/2.
    case http2Client, http2Origin, bridgeHTTP1ToHTTP2, bridgeHTTP2ToHTTP1, http2ToHTTP2, http2ConcurrentStreams
    case http2Ping, http2Padding, http2Continuation, http2UnknownFrame, http2SlowWindow
    case http2StreamWindowFull, http2ConnectionWindowFull
    case http2ClientCancels, http2ProxyCancels, http2StreamReset, http2Refused
    case http2GoAwayToClient, http2GracefulGoAway, http2AbruptGoAway
    // TLS.
    case tls12, tls13, tlsResumedByClient, tlsResumedByProxy, tlsClientCertificate, tlsProxyCertificate
    case tlsHTTP1, tlsHTTP2, tlsTCP, tlsPassedThrough, tlsToHost, tlsBridge, tlsProtocolAgreed, tlsAttached
    case tlsKeyUpdate, tlsSmallRecords, tlsCloseOmitted, tlsCutAnswer, directSend
    case tlsAlertSent, tlsAlertReceived, tlsGarbage, tlsSilence, tlsBrokenHandshake
    case tlsPlainHTTP, tlsNoHello, tlsHalfHello, tlsHugeHello, tlsUntrustedClient, tlsClientWithoutCertificate, tlsEarlyAlert
    case tlsRotation, tlsRotationMidHandshake, tlsRotationMidRequest, tlsTicketKeysTurned, tlsLogLine
    // Tunnels.
    case tunnelHTTP1ToHTTP1, tunnelHTTP1ToHTTP2, tunnelHTTP2ToHTTP1, tunnelHTTP2ToHTTP2, tunnelPassedOn
    case tunnelHTTP1ToTCP, tunnelHTTP2ToTCP, tunnelProxyHeader, tunnelRefused, tunnelForbidden, tunnelSpeaksEarly
    case tunnelEndsFirst, tunnelEndsLast, tunnelBroken, tunnelNotAllowedByHost, tunnelOverTLS
    // Copies of requests.
    case mirroredRequest, mirroredBody, mirroredTrailers, mirrorUnfinished, mirrorSilent, mirrorGarbage, mirrorBreaks
    case mirrorAnswersEarly
    // Attempts beside each other.
    case hedgeBegins, hedgeWins, hedgeLoses, hedgeWithBody, hedgeWithTrailers, hedgeOverHTTP1, hedgeOverHTTP2, hedgeOverTLS
    case hedgeFails, hedgeOfCaller, hedgeWinsLarge, lateAndNotKept
    // Scripts of hosts, and what main makes of hosts.
    case hostSlow, hostFails, hostResets, hostRefuses, hostUnreachable, hostSilent, hostGone
    case checkAnswered, checkFailed, checkConnected, hostTablePublished
    // TCP.
    case tcpSession, tcpEndsFirst, tcpEndsLast, tcpReset
    // Filters.
    case corsRequest, healthCheckAnswer, redirectAnswer, bufferedRequest, mutatedResponse
    case httpLogLine, tcpLogLine
  }

  /// Statistics that show that something in the proxy happened: any metric whose name ends so.
  public static let metrics = [
    ".upstream_cx_connect_timeout", ".upstream_rq_timeout", ".upstream_rq_retry",
    ".upstream_rq_retry_success", ".upstream_rq_retry_overflow", ".upstream_rq_retry_limit_exceeded", ".upstream_rq_per_try_timeout",
    ".upstream_rq_per_try_idle_timeout", ".upstream_rq_retry_backoff_exponential", ".retry_or_shadow_abandoned",
    ".upstream_rq_pending_overflow", ".upstream_cx_overflow", ".upstream_rq_active_overflow",
    ".upstream_cx_protocol_error", ".upstream_cx_max_requests", ".upstream_cx_idle_timeout",
    ".upstream_cx_connect_attempts_exceeded", ".upstream_rq_pending_failure_eject",
    ".upstream_flow_control_paused_reading_total", ".upstream_flow_control_resumed_reading_total",
    ".upstream_cx_destroy_remote_with_active_rq", ".downstream_cx_idle_timeout",
    ".downstream_rq_idle_timeout", ".downstream_rq_header_timeout", ".downstream_cx_drain_close",
    ".downstream_cx_protocol_error", ".downstream_rq_too_large",
    ".downstream_flow_control_paused_reading_total", ".downstream_rq_response_before_rq_complete",
    ".health_check.attempt", ".health_check.failure", ".health_check.network_failure", ".lb_healthy_panic",
    ".upstream_cx_none_healthy", ".outlier_detection.ejections_enforced_total", ".outlier_detection.ejections_overflow",
    ".outlier_detection.ejections_enforced_consecutive_5xx", ".outlier_detection.ejections_enforced_consecutive_gateway_failure",
    ".outlier_detection.ejections_enforced_consecutive_local_origin_failure",
    ".outlier_detection.ejections_enforced_success_rate", ".outlier_detection.ejections_enforced_failure_percentage",
    "worker_0.host_tables_adopted", "apus.hosts.publications", "cluster_manager.cluster_updated_via_merge",
    ".bytes.idle_timeout", ".spliced_bytes", ".receive_buffer_starvations", ".rq_direct_response",
    ".downstream_cx_upgrades_total", ".downstream_rq_ws_on_non_ws_route", ".upstream_rq_101",
    ".no_route", ".fault.aborts_injected", ".fault.delays_injected",
    ".ssl.handshake", ".ssl.session_reused", ".ssl.connection_error", ".ssl.fail_verify_no_cert", ".ssl.fail_verify_error",
    ".downstream_cx_transport_socket_connect_timeout", "tls_inspector.tls_found", "tls_inspector.tls_not_found",
    "tls_inspector.sni_found", "tls_inspector.client_hello_too_large", ".tls_handshakes_deferred",
  ]

  private var counts = Array(repeating: 0, count: Feature.allCases.count + Self.metrics.count)

  public init() {}

  mutating func note(_ feature: Feature) { counts[feature.rawValue] += 1 }

  mutating func note(metric name: String, _ value: Int) {
    for (index, ending) in Self.metrics.enumerated() where name.hasSuffix(ending) {
      counts[Feature.allCases.count + index] += value
    }
  }

  public mutating func add(_ other: Coverage) {
    for index in counts.indices { counts[index] += other.counts[index] }
  }

  /// Name and count, in the order of the declarations.
  public var rows: [(name: String, count: Int)] {
    Array(zip(Feature.allCases.map { "\($0)" } + Self.metrics.map { "metric \($0)" }, counts)).map {
      (name: $0.0, count: $0.1)
    }
  }

  /// Features that never happened; the metrics want more runs.
  public var missingFeatures: [String] {
    rows.prefix(Feature.allCases.count).filter { $0.count == 0 }.map(\.name)
  }

  /// What was never done.
  public var missing: [String] { rows.filter { $0.count == 0 }.map(\.name) }
}

/// The counts of one run.
final class CoverageRecord {
  private(set) var coverage = Coverage()
  func note(_ feature: Coverage.Feature) { coverage.note(feature) }
  func note(metric name: String, _ value: Int) { coverage.note(metric: name, value) }
}
