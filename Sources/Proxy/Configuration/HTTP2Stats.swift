import HTTP2
import Stats

/// Statistics of the HTTP/2 codec (`http2.` for all listeners, `cluster.<name>.http2.`), under Envoy's names.
public struct HTTP2Stats: Sendable {
  public let droppedHeadersWithUnderscores, goawaySent, goawayGracefulSent, headerOverflow, headersCbNoStream,
    inboundEmptyFramesFlood, inboundPriorityFramesFlood, inboundWindowUpdateFramesFlood, inboundResetFramesFlood,
    inboundControlFramesFlood, inboundContinuationFramesFlood, keepaliveTimeout, metadataEmptyFrames, outboundControlFlood,
    outboundFlood, requestsRejectedWithUnderscores, rxMessagingError, rxReset, streamRefusedErrors, trailers, txFlushTimeout,
    txReset, badPreface, cookiesTooLarge: Counter
  public let deferredStreamClose, outboundControlFramesActive, outboundFramesActive, pendingSendBytes, streamsActive: Gauge

  public init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter("http2." + name) }
    func gauge(_ name: String) -> Gauge { scope.gauge("http2." + name) }
    droppedHeadersWithUnderscores = counter("dropped_headers_with_underscores")
    goawaySent = counter("goaway_sent")
    goawayGracefulSent = counter("goaway_graceful_sent")
    headerOverflow = counter("header_overflow")
    headersCbNoStream = counter("headers_cb_no_stream")
    inboundEmptyFramesFlood = counter("inbound_empty_frames_flood")
    inboundPriorityFramesFlood = counter("inbound_priority_frames_flood")
    inboundWindowUpdateFramesFlood = counter("inbound_window_update_frames_flood")
    inboundResetFramesFlood = counter("inbound_reset_frames_flood")
    inboundControlFramesFlood = counter("inbound_control_frames_flood")
    inboundContinuationFramesFlood = counter("inbound_continuation_frames_flood")
    keepaliveTimeout = counter("keepalive_timeout")
    metadataEmptyFrames = counter("metadata_empty_frames")
    outboundControlFlood = counter("outbound_control_flood")
    outboundFlood = counter("outbound_flood")
    requestsRejectedWithUnderscores = counter("requests_rejected_with_underscores_in_headers")
    rxMessagingError = counter("rx_messaging_error")
    rxReset = counter("rx_reset")
    streamRefusedErrors = counter("stream_refused_errors")
    trailers = counter("trailers")
    txFlushTimeout = counter("tx_flush_timeout")
    txReset = counter("tx_reset")
    badPreface = counter("bad_preface")
    cookiesTooLarge = counter("cookies_total_bytes_too_large")
    deferredStreamClose = gauge("deferred_stream_close")
    outboundControlFramesActive = gauge("outbound_control_frames_active")
    outboundFramesActive = gauge("outbound_frames_active")
    pendingSendBytes = gauge("pending_send_bytes")
    streamsActive = gauge("streams_active")
  }

  /// The counter of what ended a connection or a message.
  public func counter(of reason: HTTP2Error.Reason) -> Counter? {
    switch reason {
    case .badPreface: badPreface
    case .emptyFramesFlood: inboundEmptyFramesFlood
    case .priorityFramesFlood: inboundPriorityFramesFlood
    case .windowUpdateFramesFlood: inboundWindowUpdateFramesFlood
    case .resetFramesFlood: inboundResetFramesFlood
    case .controlFramesFlood: inboundControlFramesFlood
    case .continuationFramesFlood: inboundContinuationFramesFlood
    case .headerBlockFlood, .headersTooLarge, .tooManyFields: headerOverflow
    case .outboundFramesFlood: outboundFlood
    case .outboundControlFramesFlood: outboundControlFlood
    case .underscoreName: requestsRejectedWithUnderscores
    case .invalidField, .messagingRule, .bodyLength: rxMessagingError
    case .protocolViolation, .streamClosed, .badCompression, .library, .shutDown: nil
    }
  }
}
