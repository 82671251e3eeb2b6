/// How the content of a message is delimited (RFC 9112 section 6.3).
public enum BodyFraming: Equatable, Sendable {
  /// No content; also a Content-Length of 0.
  case none
  /// This many bytes, at least 1.
  case length(UInt64)
  case chunked
  /// Until the connection closes, or a tunnel: responses only.
  case untilClose
}
