/// An error code of RST_STREAM and GOAWAY (RFC 9113 section 7). Peers may send any number.
@frozen
public struct HTTP2Code: RawRepresentable, Equatable, Sendable {
  public var rawValue: UInt32

  @inlinable @inline(__always)
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static var noError: HTTP2Code { HTTP2Code(rawValue: 0x0) }
  public static var protocolError: HTTP2Code { HTTP2Code(rawValue: 0x1) }
  public static var internalError: HTTP2Code { HTTP2Code(rawValue: 0x2) }
  public static var flowControlError: HTTP2Code { HTTP2Code(rawValue: 0x3) }
  public static var settingsTimeout: HTTP2Code { HTTP2Code(rawValue: 0x4) }
  public static var streamClosed: HTTP2Code { HTTP2Code(rawValue: 0x5) }
  public static var frameSizeError: HTTP2Code { HTTP2Code(rawValue: 0x6) }
  public static var refusedStream: HTTP2Code { HTTP2Code(rawValue: 0x7) }
  public static var cancel: HTTP2Code { HTTP2Code(rawValue: 0x8) }
  public static var compressionError: HTTP2Code { HTTP2Code(rawValue: 0x9) }
  public static var connectError: HTTP2Code { HTTP2Code(rawValue: 0xA) }
  public static var enhanceYourCalm: HTTP2Code { HTTP2Code(rawValue: 0xB) }
  public static var inadequateSecurity: HTTP2Code { HTTP2Code(rawValue: 0xC) }
  public static var http11Required: HTTP2Code { HTTP2Code(rawValue: 0xD) }
}
