import HTTPCore
import Primitives

extension HTTP1Writer {
  @frozen
  public struct ResponseOptions: OptionSet, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Write `connection: close`.
    public static let connectionClose = ResponseOptions(rawValue: 1)
    /// Write `connection: upgrade` and the map's Upgrade field.
    public static let upgrade = ResponseOptions(rawValue: 2)
    /// Names as `Content-Length` rather than `content-length`.
    public static let properCase = ResponseOptions(rawValue: 4)
    /// Write `connection: keep-alive`, for a client of HTTP/1.0 that asked for it.
    public static let keepAlive = ResponseOptions(rawValue: 8)
    /// `HTTP/1.0` in the status line.
    public static let http10 = ResponseOptions(rawValue: 16)
  }

  /// Bytes that suffice for the head, whatever the framing and options.
  @inline(never)
  public static func responseHeadSize(_ map: HeaderMap) -> Int {
    // Added by the writer: status line (up to 46), content-length (36), connection (44).
    fieldBytes(map) &+ 160
  }
  /// Writes a response head: the status line, the fields, and what framing and connection need.
  ///
  /// Content-Length is treated as in
  /// ``writeRequestHead(_:framing:options:to:)``: use `.none` for an answer to HEAD and for 304,
  /// which keep their Content-Length though no content follows.
  /// - Parameters:
  ///   - status: 100...999.
  ///   - target: Room for ``responseHeadSize(_:)`` bytes.
  /// - Returns: Bytes written.
  @inline(never)
  public static func writeResponseHead(
    _ map: HeaderMap, status: UInt16, framing: BodyFraming, options: ResponseOptions,
    to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var cursor = WireCursor(target)
    if status == 200, !options.contains(.http10) {
      cursor.put("HTTP/1.1 200 OK\r\n")
    } else {
      writeStatusLine(status, options, &cursor)
    }
    let properCase = options.contains(.properCase)
    let upgrade = options.contains(.upgrade)
    var skip = connectionFields
    if !upgrade { skip |= bit(.upgrade) }
    if framing == .chunked { skip |= bit(.contentLength) }
    writeFields(map, skip: skip, properCase: properCase, &cursor)
    writeFraming(framing, map, properCase: properCase, &cursor)
    writeConnection(
      close: options.contains(.connectionClose), keepAlive: options.contains(.keepAlive),
      upgrade: upgrade && map.contains(.upgrade), te: false, properCase: properCase, &cursor)
    cursor.lineEnd()
    return cursor.at - target
  }

  @inline(never)
  private static func writeStatusLine(
    _ status: UInt16, _ options: ResponseOptions, _ cursor: inout WireCursor
  ) {
    cursor.put(options.contains(.http10) ? "HTTP/1.0 " : "HTTP/1.1 ")
    cursor.put(byte: 48 &+ UInt8(truncatingIfNeeded: status / 100 % 10))
    cursor.put(byte: 48 &+ UInt8(truncatingIfNeeded: status / 10 % 10))
    cursor.put(byte: 48 &+ UInt8(truncatingIfNeeded: status % 10))
    cursor.put(byte: 32)
    cursor.put(StatusText.reason(status))
    cursor.lineEnd()
  }
}
