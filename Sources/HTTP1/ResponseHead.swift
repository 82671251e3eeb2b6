import Primitives

/// A parsed response head: its status and what its fields mean for the connection.
@frozen
public struct ResponseHead {
  /// Bytes of the head.
  public var length: UInt32 = 0
  /// 100...999.
  public var status: UInt16 = 0
  public var framing: BodyFraming = .none
  public var isHTTP10: Bool = false
  /// Whether the connection may be used again after this response (RFC 9112 section 9.3).
  public var keepAlive: Bool = true
  /// The host closes the connection after this response, by its own words or by its version (`Connection: close`,
  /// HTTP/1.0).
  public var saysClose: Bool = false
  /// 101, or 2xx to CONNECT: the connection is a tunnel from here on.
  public var isTunnel: Bool = false

  @inlinable @inline(__always)
  public init() {}

  /// 1xx other than 101: another head follows.
  @inlinable
  public var isInterim: Bool { status < 200 && status != 101 }
}
