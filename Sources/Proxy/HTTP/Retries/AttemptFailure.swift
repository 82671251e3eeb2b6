import HTTPCore
import Primitives

/// Why an attempt brought no response.
struct AttemptFailure {
  enum Cause: UInt8 {
    /// No connection, or no TLS on it.
    case connect
    /// The host, or its library, ended the connection.
    case terminated
    case remoteReset
    /// The host says that it has not begun (RFC 9113 section 8.7).
    case refused
    case protocolError
    case perTryTimeout
    case perTryIdleTimeout
    /// The cluster's `max_stream_duration`.
    case maxDuration
    /// No host can take the request as it is.
    case unsendable
  }

  let cause: Cause
  let flag: ResponseFlags
  let reason: StaticString
  /// What the system, or TLS, says.
  var transport = ByteView.empty
  var status: UInt16 = 503
  /// The system's number of `transport`; 0 = none.
  var errno: Int32 = 0
  /// Of a connection that could not be made: what was tried, and for how many nanoseconds.
  var isHandshake = false
  var isTimeout = false
  var spent: UInt64 = 0

  static func terminated(_ transport: ByteView = .empty, errno: Int32 = 0) -> AttemptFailure {
    AttemptFailure(
      cause: .terminated, flag: .upstreamConnectionTermination, reason: "connection termination", transport: transport,
      errno: errno)
  }

  static func protocolError(_ detail: StaticString) -> AttemptFailure {
    AttemptFailure(
      cause: .protocolError, flag: .upstreamProtocolError, reason: "protocol error", transport: ByteView(detail),
      status: 502)
  }
}
