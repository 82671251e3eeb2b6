import HTTP2
import HTTP2Harness
import Testing

/// Frames that end the connection (RFC 9113 sections 3.4 to 6.10), and frames that do not.
@Suite struct ConnectionRuleTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    /// The code of GOAWAY.
    let code: UInt32

    init(_ name: String, _ code: UInt32, _ bytes: [UInt8]) {
      testDescription = name
      self.code = code
      self.bytes = bytes
    }
  }

  static let refused: [Row] = {
    let request = HeaderBlock.request()
    let open = Wire.headers(1, HeaderBlock.request("POST"))
    return [
      Row("DATA on stream 0", 1, Wire.data(0, [1])),
      Row("DATA on an idle stream", 1, Wire.data(1, [1])),
      Row("DATA on an even stream", 1, Wire.data(2, [1])),
      Row("DATA behind END_STREAM", 5, open + Wire.data(1, [], ends: true) + Wire.data(1, [1])),
      Row("padding longer than DATA", 1, open + Wire.frame(0, flags: 8, stream: 1, [5, 1, 2])),
      Row("padded DATA without a length", 1, open + Wire.frame(0, flags: 8, stream: 1)),
      Row("HEADERS on stream 0", 1, Wire.headers(0, request, ends: true)),
      Row("HEADERS on an even stream", 1, Wire.headers(2, request, ends: true)),
      Row(
        "HEADERS behind END_STREAM", 5,
        Wire.headers(1, request, ends: true) + Wire.headers(1, request, ends: true)),
      Row("padding longer than HEADERS", 1, Wire.frame(1, flags: 0xD, stream: 1, [99] + request)),
      Row(
        "a stream that depends on itself", 1,
        Wire.frame(1, flags: 0x25, stream: 1, Wire.big(1) + [1] + request)),
      Row("RST_STREAM on stream 0", 1, Wire.reset(0)),
      Row("RST_STREAM on an idle stream", 1, Wire.reset(1)),
      Row("RST_STREAM of 3 bytes", 6, open + Wire.frame(3, stream: 1, [0, 0, 0])),
      Row("SETTINGS on a stream", 1, Wire.frame(4, stream: 1)),
      Row("SETTINGS of 5 bytes", 6, Wire.frame(4, [0, 0, 0, 0, 0])),
      Row("SETTINGS ACK with payload", 6, Wire.frame(4, flags: 1, [0, 3, 0, 0, 0, 1])),
      Row("ENABLE_PUSH 2", 1, Wire.settings([(2, 2)])),
      Row("INITIAL_WINDOW_SIZE 2^31", 3, Wire.settings([(4, 1 << 31)])),
      Row("MAX_FRAME_SIZE 16383", 1, Wire.settings([(5, 16_383)])),
      Row("MAX_FRAME_SIZE 2^24", 1, Wire.settings([(5, 1 << 24)])),
      Row("ENABLE_CONNECT_PROTOCOL 2", 1, Wire.settings([(8, 2)])),
      Row("33 settings", 11, Wire.settings(Array(repeating: (99, 1), count: 33))),
      Row("PUSH_PROMISE", 1, Wire.frame(5, flags: 4, stream: 1, Wire.big(2) + request)),
      Row("PING on a stream", 1, Wire.frame(6, stream: 1, Array(repeating: 0, count: 8))),
      Row("PING of 7 bytes", 6, Wire.frame(6, Array(repeating: 0, count: 7))),
      Row("GOAWAY on a stream", 1, Wire.frame(7, stream: 1, Array(repeating: 0, count: 8))),
      Row("GOAWAY of 7 bytes", 6, Wire.frame(7, Array(repeating: 0, count: 7))),
      Row("WINDOW_UPDATE of 5 bytes", 6, Wire.frame(8, [0, 0, 0, 0, 1])),
      Row("WINDOW_UPDATE 0", 1, Wire.windowUpdate(0, 0)),
      Row("WINDOW_UPDATE 0 on a stream", 1, open + Wire.windowUpdate(1, 0)),
      Row("WINDOW_UPDATE on an idle stream", 1, Wire.windowUpdate(1, 1)),
      Row("connection window above 2^31-1", 3, Wire.windowUpdate(0, 0x7FFF_FFFF)),
      Row("CONTINUATION without HEADERS", 1, Wire.continuation(1, request)),
      Row(
        "another frame in a header block", 1,
        Wire.headers(1, request, isWhole: false) + Wire.ping()),
      Row(
        "CONTINUATION of another stream", 1,
        Wire.headers(1, Array(request.prefix(4)), isWhole: false)
          + Wire.continuation(3, Array(request.dropFirst(4)))),
      Row(
        "an unknown frame in a header block", 1,
        Wire.headers(1, request, isWhole: false) + Wire.frame(99)),
      Row("a frame of 16,385 bytes", 6, Wire.data(1, Array(repeating: 1, count: 16_385))),
      // RFC 7541
      Row("index 0", 9, Wire.headers(1, [0x80], ends: true)),
      Row("an index beyond the tables", 9, Wire.headers(1, [0x80 | 62], ends: true)),
      Row("a name index beyond the tables", 9, Wire.headers(1, [0x7E, 1, 97], ends: true)),
      Row("a table size above the setting", 9, Wire.headers(1, [0x3F, 0xE2, 0x1F] + request, ends: true)),
      Row("a late table size", 9, Wire.headers(1, request + [0x20], ends: true)),
      Row("a string that ends early", 9, Wire.headers(1, request + [0, 5, 97], ends: true)),
      Row("an integer without end", 9, Wire.headers(1, [0x7F] + Array(repeating: 0xFF, count: 9), ends: true)),
      Row("Huffman padding of zeros", 9, Wire.headers(1, request + [0, 1, 97, 0x81, 0x00], ends: true)),
      Row("Huffman EOS", 9, Wire.headers(1, request + [0, 1, 97, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], ends: true)),
    ]
  }()

  @Test(arguments: refused)
  func endsTheConnection(_ row: Row) {
    // What follows is nobody's.
    let outcome = served(row.bytes + Wire.ping(7) + Wire.headers(9, HeaderBlock.request(), ends: true))
    #expect(outcome.events.filter { $0.hasPrefix("failed") }.count == 1, "\(outcome)")
    #expect(outcome.events.last?.hasPrefix("failed") == true, "\(outcome)")
    let goAway = outcome.frames.last ?? ""
    #expect(goAway.hasPrefix("GOAWAY ") && goAway.split(separator: " ")[2] == "\(row.code)", "\(outcome)")
  }

  @Test func prefaces() {
    let bad = ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "PRI * HTTP/1.1"]
    for text in bad {
      let outcome = served([], start: text.utf8 + [])
      #expect(outcome.events == ["failed badPreface 1"])
      #expect(outcome.frames.last == "GOAWAY 0 1 http2.bad_preface")
    }
    // SETTINGS come first.
    let noSettings = served(Wire.ping(), start: Wire.preface)
    #expect(noSettings.events == ["failed protocolViolation 1"], "\(noSettings)")
    #expect(served([], start: Wire.preface + Wire.settingsAck).events == ["failed protocolViolation 1"])
  }

  @Test func theServersFirstFrameIsSettings() {
    let client = SessionRecorder(client: HTTP2Options())
    client.feed(Wire.ping())
    client.drain()
    #expect(client.events == ["failed protocolViolation 1"])
  }

  static let allowed: [Row] = {
    let open = Wire.headers(1, HeaderBlock.request("POST"))
    return [
      Row("unknown type", 0, Wire.frame(99, flags: 255, stream: 77, [1, 2, 3])),
      Row("unknown setting", 0, Wire.settings([(99, 1)])),
      Row("PING", 0, Wire.ping(1)),
      Row("PRIORITY of any stream", 0, Wire.priority(77, on: 76)),
      Row("the reserved bit", 0, Wire.frame(8, stream: 0x8000_0000, Wire.big(0x8000_0001))),
      Row("an empty header block fragment", 0,
        Wire.headers(1, [], ends: true, isWhole: false) + Wire.continuation(1, HeaderBlock.request())),
      Row("HEADERS with priority and padding", 0,
        Wire.frame(1, flags: 0x2D, stream: 1, [2] + Wire.big(0) + [1] + HeaderBlock.request() + [0, 0])),
      Row("undefined flags", 0, Wire.frame(1, flags: 0xD7, stream: 1, HeaderBlock.request())),
      Row("a table size of 0", 0, Wire.headers(1, [0x20] + HeaderBlock.request(), ends: true)),
      Row("a stream's window above 2^31-1", 0, open + Wire.windowUpdate(1, 0x7FFF_FFFF)),
    ]
  }()

  @Test(arguments: allowed)
  func goesOn(_ row: Row) {
    let outcome = served(row.bytes + Wire.headers(9, HeaderBlock.request(), ends: true))
    #expect(outcome.events.last?.hasPrefix("9 head END") == true, "\(outcome)")
  }

  @Test func aStreamsWindowOverflows() {
    let outcome = served(
      Wire.headers(1, HeaderBlock.request("POST")) + Wire.windowUpdate(1, 0x7FFF_FFFF))
    #expect(outcome.events.last == "1 reset 3")
    #expect(outcome.frames.contains("1 RST 3"))
  }

  @Test func pings() {
    let outcome = served(Wire.ping(7) + Wire.ping(1, isAnswer: true))
    #expect(outcome.events == ["settings", "pong \(UInt64(0x0101_0101_0101_0101))"])
    #expect(outcome.frames.contains("PING ACK 117901063 117901063"))
    let server = SessionRecorder()
    server.session.pointee.ping(0x0102_0304_0506_0708)
    server.drain()
    #expect(server.frames.contains("PING 16909060 84281096"))
  }
}
