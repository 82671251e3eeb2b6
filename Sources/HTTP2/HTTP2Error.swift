/// A fault, what it is called in access logs and which code the peer is told.
@frozen
public struct HTTP2Error: Equatable, Sendable {
  /// Faults that are told apart, by statistics among others.
  public enum Reason: UInt8, CaseIterable, Sendable {
    // The connection's
    /// The connection does not begin as RFC 9113 section 3.4 says.
    case badPreface
    /// A rule of RFC 9113 about frames, streams or windows.
    case protocolViolation
    /// A frame on a stream that has ended (RFC 9113 section 5.1).
    case streamClosed
    /// A header block that cannot be decoded (RFC 7541).
    case badCompression
    case emptyFramesFlood
    case priorityFramesFlood
    case windowUpdateFramesFlood
    case resetFramesFlood
    case controlFramesFlood
    case continuationFramesFlood
    /// Wire bytes of a header block, or fields decoded from it, beyond any reason.
    case headerBlockFlood
    /// More frames are waiting to be sent than may be.
    case outboundFramesFlood
    case outboundControlFramesFlood
    /// The library failed: memory, or a state that should not be.
    case library
    /// ``HTTP2Session/shutDown(_:_:)`` with an error code.
    case shutDown

    // A message's
    /// A field's name or value (RFC 9113 section 8.2).
    case invalidField
    /// A field with `_` in its name while the options refuse it.
    case underscoreName
    /// What fields there are and how they fit together (RFC 9113 sections 8.1 and 8.3).
    case messagingRule
    /// More or fewer bytes than content-length says (RFC 9113 section 8.1.1).
    case bodyLength
    case headersTooLarge
    case tooManyFields
  }

  public var reason: Reason
  /// What RST_STREAM or GOAWAY say.
  public var code: HTTP2Code
  /// The response code detail for access logs, and GOAWAY's debug data: Envoy's name where it has
  /// one.
  public var detail: StaticString

  public init(_ reason: Reason, code: HTTP2Code, detail: StaticString) {
    self.reason = reason
    self.code = code
    self.detail = detail
  }

  /// With the code and the detail that go with the reason.
  public init(_ reason: Reason) {
    self.reason = reason
    switch reason {
    case .badPreface:
      code = .protocolError
      detail = "http2.bad_preface"
    case .protocolViolation:
      code = .protocolError
      detail = "http2.protocol_error"
    case .streamClosed:
      code = .streamClosed
      detail = "http2.stream_closed"
    case .badCompression:
      code = .compressionError
      detail = "http2.header_compression_error"
    case .library, .shutDown:
      code = .internalError
      detail = "http2.internal_error"
    case .invalidField:
      code = .protocolError
      detail = "http2.invalid.header.field"
    case .underscoreName:
      code = .protocolError
      detail = "http2.unexpected_underscore"
    case .messagingRule, .bodyLength:
      code = .protocolError
      detail = "http2.violation.of.messaging.rule"
    case .headersTooLarge, .tooManyFields, .emptyFramesFlood, .priorityFramesFlood,
      .windowUpdateFramesFlood, .resetFramesFlood, .controlFramesFlood, .continuationFramesFlood,
      .headerBlockFlood, .outboundFramesFlood, .outboundControlFramesFlood:
      code = .enhanceYourCalm
      detail = Self.excessDetail(reason)
    }
  }

  private static func excessDetail(_ reason: Reason) -> StaticString {
    switch reason {
    case .tooManyFields: "http2.too_many_headers"
    case .emptyFramesFlood: "http2.inbound_empty_frames_flood"
    case .priorityFramesFlood: "http2.inbound_priority_frames_flood"
    case .windowUpdateFramesFlood: "http2.inbound_window_update_frames_flood"
    case .resetFramesFlood: "http2.inbound_reset_frames_flood"
    case .controlFramesFlood: "http2.inbound_control_frames_flood"
    case .continuationFramesFlood: "http2.inbound_continuation_frames_flood"
    case .outboundFramesFlood: "http2.outbound_frames_flood"
    case .outboundControlFramesFlood: "http2.outbound_control_frames_flood"
    default: "http2.header_list_size_too_large"
    }
  }

  /// Whether the connection ends with it; otherwise it is one stream.
  public var endsConnection: Bool { reason.rawValue <= Reason.shutDown.rawValue }

  public static func == (a: HTTP2Error, b: HTTP2Error) -> Bool {
    // The detail follows from who made the error, not from the bytes.
    a.reason == b.reason && a.code == b.code
  }
}
