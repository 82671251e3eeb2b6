/// What went wrong with a request. Each failed request counts once, under the first kind that applies.
public enum ErrorKind: Int, Sendable, CaseIterable {
  /// The connection was refused or unreachable.
  case connectFailed
  /// The connection was not there in time.
  case connectTimeout
  /// No TLS, or no more: a certificate, a version, an alert.
  case tlsFailed
  /// No whole answer in time.
  case requestTimeout
  /// The peer closed before a whole answer.
  case closedEarly
  /// The peer reset the connection.
  case reset
  /// HTTP/2: the peer ended one request's stream.
  case streamReset
  /// HTTP/2: the peer gave requests up with GOAWAY.
  case goaway
  /// The answer is not what the protocol allows.
  case protocolError
  /// A whole answer, but not with a status that was expected.
  case unexpectedStatus
  /// The body is not the expected one.
  case bodyMismatch
  /// The body has another length than expected.
  case lengthMismatch
  case other

  /// The name in JSON, CSV and text. Stable.
  public var name: String {
    switch self {
    case .connectFailed: "connect_failed"
    case .connectTimeout: "connect_timeout"
    case .tlsFailed: "tls_failed"
    case .requestTimeout: "request_timeout"
    case .closedEarly: "closed_early"
    case .reset: "reset"
    case .streamReset: "stream_reset"
    case .goaway: "goaway"
    case .protocolError: "protocol_error"
    case .unexpectedStatus: "unexpected_status"
    case .bodyMismatch: "body_mismatch"
    case .lengthMismatch: "length_mismatch"
    case .other: "other"
    }
  }

  /// What a person reads beside the number.
  public var explanation: String {
    switch self {
    case .connectFailed: "could not connect"
    case .connectTimeout: "no connection in time"
    case .tlsFailed: "TLS refused by one side"
    case .requestTimeout: "no whole answer in time"
    case .closedEarly: "closed by the peer before a whole answer"
    case .reset: "connection reset by the peer"
    case .streamReset: "stream reset by the peer"
    case .goaway: "given up by the peer with GOAWAY"
    case .protocolError: "malformed answer"
    case .unexpectedStatus: "answered with an unexpected status"
    case .bodyMismatch: "answered with another body than expected"
    case .lengthMismatch: "answered with another length than expected"
    case .other: "other failures"
    }
  }

  public init?(name: String) {
    guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = kind
  }

  /// True when a whole answer came: its time is in the latency histogram.
  public var isAnswered: Bool {
    switch self {
    case .unexpectedStatus, .bodyMismatch, .lengthMismatch: true
    case .connectFailed, .connectTimeout, .tlsFailed, .requestTimeout, .closedEarly, .reset, .streamReset, .goaway,
      .protocolError, .other:
      false
    }
  }
}
