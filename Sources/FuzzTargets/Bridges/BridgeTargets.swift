import HTTP1
import HTTP1Harness
import HTTP2
import HTTP2Harness
import HTTPCore
import HTTPHarness
import Primitives

// What one version of HTTP accepts and the other gets: one message with the same meaning, whatever the bytes. A difference is
// how requests are smuggled (RFC 9113 section 10.3).

extension FuzzTarget {
  /// A request over HTTP/2, written as HTTP/1. Choices: the writer's options and the end of the stream; then fields, name and
  /// value parted by a tab, with a tilde behind each.
  package static let http2ToHTTP1 = FuzzTarget(name: "http2-to-http1", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    let choice = input.choice()
    var fields: [(String, String)] = []
    while let name = input.field(upTo: 9), let value = input.field(upTo: 126) { fields.append((name, value)) }
    let wire =
      Wire.clientStart
      + Wire.headers(1, HeaderBlock.literal(fields), ends: choice.bit(0))
    try withRequest(wire, HTTP2Options()) { map, head in
      try HTTP1Copy(map, head, options: choice).check()
    }
  }

  /// A request or response over HTTP/1, submitted to HTTP/2. Choice: which.
  package static let http1ToHTTP2 = FuzzTarget(name: "http1-to-http2", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    let isResponse = input.choice().bit(0)
    let message = input.rest()
    let reader = HeadParser(
      options: HTTP1RequestOptions(acceptHTTP10: true), responseTo: isResponse ? .get : nil)
    let parsed = reader.parse(message)
    if isResponse {
      guard let response = parsed.response, response.status >= 200 else { return }
      try HTTP2Copy(response.fields).checkResponse()
    } else {
      guard let request = parsed.request, !request.isUpgrade else { return }
      // CONNECT has another form (section 8.5), and a request without a host gets one before it is sent on.
      guard request.fields.contains(where: { $0.hasPrefix(":authority: ") }),
        !request.fields.contains(":method: CONNECT")
      else { return }
      try HTTP2Copy(request.fields).checkRequest()
    }
  }
}

extension FuzzInput {
  /// One string of a field, a scalar for each byte; nil at the end.
  fileprivate mutating func field(upTo separator: UInt8) -> String? {
    let bytes = part(upTo: separator)
    if bytes.isEmpty, isAtEnd { return nil }
    return String(String.UnicodeScalarView(bytes.map { UnicodeScalar($0) }))
  }
}

/// Calls `body` for each request that a server session takes from the bytes.
private func withRequest(
  _ wire: [UInt8], _ options: HTTP2Options, _ body: (HeaderMap, HTTP2Head) throws -> Void
) throws {
  let arenas = ArenaPool()
  let memory = HTTP2Memory(arenas: arenas)
  guard let session = HTTP2Session.makeServer(options, memory) else { return }
  defer {
    HTTP2Session.free(session)
    precondition(memory.streamCount == 0 && arenas.lentCount == 0, "something is left")
  }
  try withExactCopy(wire) { view -> Result<Void, any Error> in
    var offset = 0
    var result = Result<Void, any Error>.success(())
    while true {
      switch session.pointee.next(view, &offset, now: 1) {
      case .head(let stream, let head):
        var arena = Arena(pool: arenas)
        withUnsafeMutablePointer(to: &arena) { arena in
          let map = session.pointee.takeRequest(into: arena)
          result = Result { try body(map, head) }
          arena.pointee.reset()
        }
        session.pointee.release(stream)
      case .tooLarge(let stream, _): session.pointee.release(stream)
      case .malformed(let stream, _): if let stream { session.pointee.release(stream) }
      case .needMore, .failed: return result
      default: break
      }
    }
  }.get()
}

/// Fields that are made anew for each hop, and those whose place says what they are.
private func lasting(_ fields: [String]) -> [String] {
  let dropped = [":scheme", "connection", "content-length", "transfer-encoding", "host", "keep-alive", "proxy-connection", "te", "upgrade"]
  let kept = fields.filter { line in
    !dropped.contains { line.utf8.starts(with: ($0 + ": ").utf8) }
  }
  // Pseudo-headers have no order among themselves.
  return kept.filter { $0.hasPrefix(":") }.sorted() + kept.filter { !$0.hasPrefix(":") }
}

/// A request from HTTP/2 as HTTP/1.
private struct HTTP1Copy {
  private let wire: [UInt8]
  private let framing: BodyFraming
  private let fields: [String]
  private let isConnect: Bool

  init(_ map: HeaderMap, _ head: HTTP2Head, options choice: UInt8) {
    let options = HTTP1Writer.RequestOptions(rawValue: choice >> 1 & 5)
    framing = head.ends ? .none : head.contentLength >= 0 ? .length(UInt64(head.contentLength)) : .chunked
    isConnect = head.method == .connect || head.isExtendedConnect
    fields = lasting(describe(map))
    let room = HTTP1Writer.requestHeadSize(map, options: options)
    let target = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
    defer { target.deallocate() }
    let count = HTTP1Writer.writeRequestHead(map, framing: framing, options: options, to: target)
    precondition(count <= room, "wrote \(count) bytes into \(room)")
    wire = ByteView(target, count).array
  }

  func check() throws {
    if isConnect { return }
    var limits = HTTP1Limits()
    limits.headBytesMax = 1 << 20
    let outcome = HeadParser(limits: limits).parse(wire)
    guard let request = outcome.request else {
      throw Violation(description: "\(String(decoding: wire, as: UTF8.self)) is no request: \(outcome)")
    }
    try requireEqual(request.length, wire.count, "length")
    // A length of 0 is no body.
    try requireEqual(request.framing, framing == .length(0) ? .none : framing, "framing")
    try require(!request.isUpgrade, "an upgrade that nobody asked for")
    try requireEqual(lasting(request.fields), fields, "fields")
  }
}

/// A message from HTTP/1 over HTTP/2: from a session to another.
private struct HTTP2Copy {
  private let fields: [(String, String)]
  private let lines: [String]

  init(_ lines: [String]) {
    // By bytes: a value that begins with a combining mark makes one character of the mark and what is before it.
    fields = lines.map { line in
      let bytes = Array(line.utf8)
      let colon = bytes.dropFirst().firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
      func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(String.UnicodeScalarView(bytes.map { UnicodeScalar($0) }))
      }
      return (text(bytes[..<colon]), text(bytes.dropFirst(colon + 2)))
    }
    self.lines = lasting(lines)
  }

  private func value(_ name: String) -> String? { fields.first { $0.0 == name }?.1 }
  private var others: [(String, String)] { fields.filter { !$0.0.hasPrefix(":") } }

  func checkRequest() throws {
    let client = SessionRecorder(client: HTTP2Options())
    let pseudo = [
      (":scheme", value(":scheme") ?? "http"), (":authority", value(":authority") ?? ""), (":path", value(":path") ?? "/"),
    ]
    let method = value(":method") ?? "GET"
    guard client.request(method, others, ends: false, pseudo: pseudo) != nil else { return }
    client.drain()
    let server = SessionRecorder(server: HTTP2Options())
    server.feed(client.takeSent())
    try compare(server.events)
  }

  func checkResponse() throws {
    let server = SessionRecorder(server: HTTP2Options())
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request(), ends: true))
    guard server.respond(1, Int(value(":status") ?? "") ?? 200, others, ends: false) else { return }
    server.drain()
    let client = SessionRecorder(client: HTTP2Options())
    client.request()
    client.drain()
    client.feed(server.takeSent())
    try compare(client.events)
  }

  /// The other side has taken it for a message with these fields.
  private func compare(_ events: [String]) throws {
    guard let head = events.first(where: { $0.contains(" head") }) else {
      throw Violation(description: "\(lines) arrived as \(events)")
    }
    // Whole fields, not beginnings of others. Crumbs of cookies are joined on the way (RFC 9113 section 8.2.3).
    let bytes = Array(head.utf8)
    for line in lines where !line.hasPrefix("cookie: ") {
      let isThere = ["[", ", "].contains { before in
        [", ", "]"].contains { after in holds(bytes, Array((before + line + after).utf8)) }
      }
      try require(isThere, "\(line) is missing in \(head)")
    }
  }

  private func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    guard part.count <= bytes.count else { return false }
    return (0...bytes.count - part.count).contains { bytes[$0..<$0 + part.count].elementsEqual(part) }
  }
}
