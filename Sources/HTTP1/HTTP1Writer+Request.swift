import HTTPCore
import Primitives

extension HTTP1Writer {
  @frozen
  public struct RequestOptions: OptionSet, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Write `connection: close`.
    public static let connectionClose = RequestOptions(rawValue: 1)
    /// Write `connection: upgrade` and the map's Upgrade field.
    public static let upgrade = RequestOptions(rawValue: 2)
    /// Names as `Content-Length` rather than `content-length`.
    public static let properCase = RequestOptions(rawValue: 4)
    /// The target in absolute form, for a proxy upstream; `:scheme` or `http`.
    public static let absoluteTarget = RequestOptions(rawValue: 8)
  }

  /// Bytes that suffice for the head with these options, whatever the framing.
  @inline(never)
  public static func requestHeadSize(_ map: HeaderMap, options: RequestOptions) -> Int {
    // Start line and host take their parts from the map; the rest is what the writer adds:
    // content-length (36), connection (44), version and separators.
    let size = fieldBytes(map) &+ 160
    // The authority stands in the target and in Host: of CONNECT, which has no path, too.
    if !options.contains(.absoluteTarget), map.contains(.path) { return size }
    return size &+ (map.value(.authority)?.count ?? 0)
  }

  /// Writes a request head of HTTP/1.1: target from `:method`, `:path` and `:authority`, then
  /// `host`, the fields, and what framing and connection need.
  ///
  /// With `.chunked` the map's Content-Length is left out; with `.length` one is added when the map
  /// has none; with `.none` the map's is written as it is. Fields of the connection alone are never
  /// written from the map. A TE field brings `connection: te` (RFC 9110 section 10.1.4).
  /// - Parameter target: Room for ``requestHeadSize(_:options:)`` bytes.
  /// - Returns: Bytes written.
  @inline(never)
  public static func writeRequestHead(
    _ map: HeaderMap, framing: BodyFraming, options: RequestOptions,
    to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var cursor = WireCursor(target)
    let method = map.value(.method) ?? ByteView("GET")
    let authority = map.value(.authority) ?? .empty
    let properCase = options.contains(.properCase)
    cursor.put(method)
    cursor.put(byte: 32)
    if let path = map.value(.path) {
      if options.contains(.absoluteTarget), path.count > 0, path.base[0] == 47 {
        cursor.put(map.value(.scheme) ?? ByteView("http"))
        cursor.put("://")
        cursor.put(authority)
      }
      cursor.put(path)
    } else {
      cursor.put(method == "CONNECT" ? authority : ByteView("/"))
    }
    cursor.put(" HTTP/1.1\r\n")
    cursor.put(properCase ? "Host: " : "host: ")
    cursor.put(authority)
    cursor.lineEnd()

    let upgrade = options.contains(.upgrade)
    var skip = connectionFields | bit(.host)
    if !upgrade { skip |= bit(.upgrade) }
    if framing == .chunked { skip |= bit(.contentLength) }
    writeFields(map, skip: skip, properCase: properCase, &cursor)
    writeFraming(framing, map, properCase: properCase, &cursor)
    writeConnection(
      close: options.contains(.connectionClose), keepAlive: false,
      upgrade: upgrade && map.contains(.upgrade), te: map.contains(.te), properCase: properCase,
      &cursor)
    cursor.lineEnd()
    return cursor.at - target
  }
}
