import HTTP2
import HTTP2Harness
import HTTPCore
import HTTPHarness
import Primitives
import Testing

@Suite struct HeaderListTests {
  private func request(_ more: [(String, String)], ends: Bool = true) -> [UInt8] {
    Wire.headers(1, HeaderBlock.request(more: more), ends: ends)
  }

  /// Pseudo-headers and the bytes of names count, as in Envoy.
  @Test func limits() {
    var options = HTTP2Options()
    options.fieldCountMax = 6
    #expect(served(request([("a", "1"), ("b", "2")]), options).events[1].hasPrefix("1 head"))
    let many = served(request([("a", "1"), ("b", "2"), ("c", "3")]), options)
    #expect(many.events[1] == "1 too large tooManyFields 6")
    #expect(many.events.count == 2)

    // :method GET, :scheme http, :path /, :authority a are 38 bytes.
    options = HTTP2Options()
    options.headBytesMax = 50
    #expect(served(request([("x", "12345678901")]), options).events[1].hasPrefix("1 head"))
    #expect(
      served(request([("x", "123456789012")]), options).events[1] == "1 too large headersTooLarge 4")
    // Crumbs count each for itself.
    options = HTTP2Options()
    options.fieldCountMax = 6
    let crumbs = (0..<3).map { ("cookie", "\($0)") }
    #expect(served(request(crumbs), options).events[1] == "1 too large tooManyFields 5")
  }

  /// A head that is too large is answered; what the client still sends is not in the way.
  @Test func tooLargeIsAnswered() {
    var options = HTTP2Options()
    options.fieldCountMax = 4
    let server = SessionRecorder(server: options)
    server.feed(
      Wire.clientStart
        + Wire.headers(1, HeaderBlock.request("POST", more: [("a", "b")])) + Wire.data(1, [1]))
    #expect(server.events == ["settings", "1 too large tooManyFields 4", "1 data 1"])
    server.respond(1, 431)
    server.drain()
    server.reset(1, .noError)
    server.drain()
    #expect(server.frames.suffix(2) == ["1 HEADERS END [:status: 431]", "1 RST 0"])
    #expect(server.memory.streamCount == 0)
  }

  @Test func trailersTooLarge() {
    var options = HTTP2Options()
    options.fieldCountMax = 4
    let outcome = served(
      Wire.headers(1, HeaderBlock.request("POST"))
        + Wire.headers(1, HeaderBlock.literal((0..<5).map { ("a", "\($0)") }), ends: true), options)
    #expect(outcome.events.last == "1 malformed tooManyFields")
    #expect(outcome.frames.contains("1 RST 11"))
  }

  @Test func cookies() {
    let outcome = served(
      request([("cookie", "a=1"), ("x", "y"), ("cookie", "b=2;"), ("cookie", " ;c".trimmed)]))
    #expect(outcome.events[1].hasSuffix("cookie: a=1; b=2;; ;c, x: y]"), "\(outcome)")
  }

  @Test func sensitiveFields() {
    let server = SessionRecorder()
    server.feed(
      Wire.clientStart
        + Wire.headers(
          1,
          HeaderBlock.request() + HeaderBlock.literal([("a", "1")], isSensitive: true)
            + HeaderBlock.literal([("b", "2")]), ends: true))
    #expect(server.events.count == 2)
    #expect(server.sensitiveNames == ["a"])
  }

  /// Fields in any representation, twice, so that the second time they come from the tables.
  @Test func tables() {
    let encoder = HeaderEncoder()
    let fields = [
      (":method", "GET"), (":scheme", "https"), (":path", "/index.html"), (":authority", "a"),
      ("user-agent", "x"), ("x-own", "value"), ("accept-encoding", "gzip, deflate"),
    ]
    let bytes = (0..<3).flatMap { Wire.headers(UInt32(1 + 2 * $0), encoder.encode(fields), ends: true) }
    let outcome = served(bytes)
    let list = fields.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
    #expect(outcome.events.dropFirst() == ["1 head END [\(list)]", "3 head END [\(list)]", "5 head END [\(list)]"])
  }

  @Test func blocksInPieces() {
    let block = HeaderBlock.request(more: [("x", String(repeating: "y", count: 300))])
    let whole = served(Wire.headers(1, block, ends: true)).events
    for size in [1, 7, 100] {
      var bytes = Wire.headers(1, Array(block.prefix(size)), ends: true, isWhole: false)
      var at = size
      while at < block.count {
        let end = min(block.count, at + size * 4)
        bytes += Wire.continuation(1, Array(block[at..<end]), isWhole: end == block.count)
        at = end
      }
      #expect(served(bytes).events == whole)
    }
  }

  @Test func isMidHeaderBlock() {
    let server = SessionRecorder()
    let block = HeaderBlock.request()
    server.feed(Wire.clientStart)
    #expect(!server.session.pointee.isMidHeaderBlock)
    server.feed(Wire.headers(1, block, isWhole: false))
    #expect(server.session.pointee.isMidHeaderBlock)
    server.feed(Wire.continuation(1, []))
    #expect(!server.session.pointee.isMidHeaderBlock)
    server.feed(Array(Wire.headers(3, block).prefix(12)))
    #expect(server.session.pointee.isMidHeaderBlock)
  }

  /// A request that nobody takes leaves nothing behind.
  @Test func untakenRequest() {
    let arenas = ArenaPool()
    let memory = HTTP2Memory(arenas: arenas)
    guard let session = HTTP2Session.makeServer(HTTP2Options(), memory) else { return }
    let bytes = Wire.clientStart + request([("x", "y")]) + Wire.ping()
    withExactCopy(bytes) { view in
      var offset = 0
      loop: while true {
        switch session.pointee.next(view, &offset, now: 1) {
        case .head(let stream, _):
          #expect(session.pointee.headers.count == 5)
          session.pointee.reset(stream, .refusedStream)
          session.pointee.release(stream)
        case .needMore: break loop
        default: break
        }
      }
    }
    #expect(arenas.lentCount == 0)
    HTTP2Session.free(session)
    #expect(memory.streamCount == 0 && memory.sessionCount == 0 && memory.bytesHeld == 0)
  }
}

extension String {
  fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
