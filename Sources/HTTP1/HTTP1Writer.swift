import HTTPCore
import Primitives

/// Writes messages: measure, then write into memory of that size; nothing is allocated.
///
/// Values are written as they are. Whatever came through a parser is valid; whoever puts other
/// text into a map checks it with ``MessageRules`` first.
public enum HTTP1Writer {
  /// The interim response to `Expect: 100-continue`.
  public static let continue100: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

  /// Fields of the connection, which the writer makes itself.
  static let connectionFields: UInt64 =
    bit(.method) | bit(.path) | bit(.authority) | bit(.scheme) | bit(.status) | bit(.connection)
    | bit(.connectProtocol) | bit(.keepAlive) | bit(.proxyConnection) | bit(.transferEncoding)

  @inline(__always)
  static func bit(_ known: KnownHeader) -> UInt64 { 1 << UInt64(known.rawValue) }

  /// Bytes that suffice for the field lines of `map`.
  @inline(__always)
  static func fieldBytes(_ map: HeaderMap) -> Int {
    var total = 0
    var i = 0
    while i < map.slotCount {
      let field = map[slot: i]
      total &+= field.name.count &+ field.value.count &+ 4
      i &+= 1
    }
    return total
  }

  /// Writes the fields of `map` that are not in `skip`, a set of known headers below 64.
  @inline(__always)
  static func writeFields(
    _ map: HeaderMap, skip: UInt64, properCase: Bool, _ cursor: inout WireCursor
  ) {
    if properCase { return writeProperCaseFields(map, skip: skip, &cursor) }
    var i = 0
    while i < map.slotCount {
      let field = map[slot: i]
      i &+= 1
      if field.isRemoved || isIn(skip, field.known) { continue }
      cursor.field(field.name, field.value)
    }
  }

  @inline(never)
  private static func writeProperCaseFields(
    _ map: HeaderMap, skip: UInt64, _ cursor: inout WireCursor
  ) {
    for i in 0..<map.slotCount {
      let field = map[slot: i]
      if field.isRemoved || isIn(skip, field.known) { continue }
      cursor.properCaseField(field.name, field.value)
    }
  }

  @inline(__always)
  static func isIn(_ set: UInt64, _ known: KnownHeader) -> Bool {
    known.rawValue < 64 && set &>> UInt64(known.rawValue) & 1 == 1
  }

  /// `transfer-encoding` or a `content-length` that the map lacks.
  @inline(__always)
  static func writeFraming(
    _ framing: BodyFraming, _ map: HeaderMap, properCase: Bool,
    _ cursor: inout WireCursor
  ) {
    switch framing {
    case .chunked:
      cursor.put(
        properCase ? "Transfer-Encoding: chunked\r\n" : "transfer-encoding: chunked\r\n")
    case .length(let length):
      if map.contains(.contentLength) { break }
      cursor.put(properCase ? "Content-Length: " : "content-length: ")
      cursor.decimal(length)
      cursor.lineEnd()
    case .none, .untilClose: break
    }
  }

  /// The Connection field with these options, if any.
  @inline(__always)
  static func writeConnection(
    close: Bool, keepAlive: Bool, upgrade: Bool, te: Bool, properCase: Bool,
    _ cursor: inout WireCursor
  ) {
    if !(close || keepAlive || upgrade || te) { return }
    cursor.put(properCase ? "Connection: " : "connection: ")
    var isFirst = true
    @inline(__always) func option(_ text: StaticString, _ cursor: inout WireCursor) {
      if !isFirst { cursor.put(", ") }
      isFirst = false
      cursor.put(text)
    }
    if close { option("close", &cursor) } else if keepAlive { option("keep-alive", &cursor) }
    if upgrade { option("upgrade", &cursor) }
    if te { option("te", &cursor) }
    cursor.lineEnd()
  }
}
