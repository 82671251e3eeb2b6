import HTTPCore

/// Bounds on what a peer may make us hold or read.
@frozen
public struct HTTP1Limits: Sendable, Equatable {
  /// Bytes of a head: start line, fields and the empty line. At most 2^31.
  public var headBytesMax: UInt32
  /// Fields of a head, or of a trailer section.
  public var fieldCountMax: UInt32
  /// Bytes of one chunk line, without its CRLF.
  public var chunkLineBytesMax: UInt32
  /// Bytes of a trailer section.
  public var trailerBytesMax: UInt32

  /// The defaults are Envoy's for requests: 60 KiB and 100 fields.
  public init(
    headBytesMax: UInt32 = 60 * 1024, fieldCountMax: UInt32 = 100,
    chunkLineBytesMax: UInt32 = 256, trailerBytesMax: UInt32 = 16 * 1024
  ) {
    self.headBytesMax = min(headBytesMax, 1 << 31)
    self.fieldCountMax = fieldCountMax
    self.chunkLineBytesMax = chunkLineBytesMax
    self.trailerBytesMax = trailerBytesMax
  }
}

/// What a listener accepts beyond the strict minimum
/// (`Http1ProtocolOptions` of Envoy's `protocol.proto`).
@frozen
public struct HTTP1RequestOptions: Sendable, Equatable {
  /// Accept `GET http://host/path`; otherwise it is a bad target.
  public var allowAbsoluteURL: Bool
  /// Accept HTTP/1.0; otherwise 426.
  public var acceptHTTP10: Bool
  /// Content-Length together with chunked: drop the length instead of refusing the request.
  public var allowChunkedLength: Bool
  public var underscores: UnderscorePolicy

  public init(
    allowAbsoluteURL: Bool = true, acceptHTTP10: Bool = false, allowChunkedLength: Bool = false,
    underscores: UnderscorePolicy = .allow
  ) {
    self.allowAbsoluteURL = allowAbsoluteURL
    self.acceptHTTP10 = acceptHTTP10
    self.allowChunkedLength = allowChunkedLength
    self.underscores = underscores
  }
}
