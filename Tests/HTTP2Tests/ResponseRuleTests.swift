import HTTP2
import HTTP2Harness
import Testing

/// What a server may answer (RFC 9113 section 8), and what happens to a client's streams.
@Suite struct ResponseRuleTests {
  @Test func responseWithEverything() {
    let outcome = answered(
      Wire.headers(1, HeaderBlock.response(103, more: [("link", "x")]))
        + Wire.headers(1, HeaderBlock.response(200, more: [("content-length", "3")]))
        + Wire.data(1, [1, 2, 3], padding: 4)
        + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true))
    #expect(
      outcome.events == [
        "settings", "1 interim 103 [:status: 103, link: x]",
        "1 head 200 length 3 [:status: 200, content-length: 3]", "1 data 3", "1 trailers [x: y]",
      ])
    #expect(outcome.activeCount == 0)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    var method = "GET"
  }

  static let malformed: [Row] = {
    let good = Wire.headers(1, HeaderBlock.response())
    func head(_ fields: [(String, String)], ends: Bool = true) -> [UInt8] {
      Wire.headers(1, HeaderBlock.literal(fields), ends: ends)
    }
    return [
      Row(testDescription: "no status", bytes: head([("x", "y")])),
      Row(testDescription: "two statuses", bytes: head([(":status", "200"), (":status", "200")])),
      Row(testDescription: "status 20", bytes: head([(":status", "20")])),
      Row(testDescription: "status abc", bytes: head([(":status", "abc")])),
      Row(testDescription: "status 101", bytes: head([(":status", "101")], ends: false)),
      Row(testDescription: "late status", bytes: head([("x", "y"), (":status", "200")])),
      Row(testDescription: ":path", bytes: head([(":status", "200"), (":path", "/")])),
      Row(testDescription: "upper case", bytes: head([(":status", "200"), ("X", "y")])),
      Row(testDescription: "CR", bytes: head([(":status", "200"), ("x", "a\rb")])),
      Row(testDescription: "LF", bytes: head([(":status", "200"), ("x", "a\nb")])),
      Row(testDescription: "connection", bytes: head([(":status", "200"), ("connection", "x")])),
      Row(
        testDescription: "transfer-encoding",
        bytes: head([(":status", "200"), ("transfer-encoding", "chunked")])),
      Row(testDescription: "interim with END_STREAM", bytes: head([(":status", "103")])),
      Row(
        testDescription: "data after an interim head",
        bytes: head([(":status", "103")], ends: false) + Wire.data(1, [1])),
      Row(
        testDescription: "empty end after an interim head",
        bytes: head([(":status", "103")], ends: false) + Wire.data(1, [], ends: true)),
      Row(testDescription: "open trailers", bytes: good + Wire.headers(1, HeaderBlock.literal([("x", "y")]))),
      Row(
        testDescription: "pseudo-header in trailers",
        bytes: good + head([(":status", "200")])),
      Row(
        testDescription: "two lengths",
        bytes: head([(":status", "200"), ("content-length", "1"), ("content-length", "1")], ends: false)),
    ]
  }()

  @Test(arguments: malformed)
  func isRefused(_ row: Row) {
    for closes in [false, true] {
      var options = HTTP2Options()
      options.closesOnMalformed = closes
      let outcome = answered(row.bytes, options)
      let told = outcome.events.filter { $0.hasPrefix("1 malformed") }
      #expect(told.count == 1, "\(outcome)")
      if closes {
        #expect(outcome.events.last?.hasPrefix("failed") == true, "\(outcome)")
      } else {
        #expect(outcome.events.last?.hasPrefix("1 malformed") == true, "\(outcome)")
        #expect(outcome.frames.contains("1 RST 1"), "\(outcome)")
        #expect(outcome.activeCount == 0)
      }
    }
  }

  @Test func bodyLengths() {
    let head = Wire.headers(1, HeaderBlock.response(200, more: [("content-length", "2")]))
    #expect(answered(head + Wire.data(1, [1, 2, 3])).events.last == "1 malformed bodyLength")
    #expect(answered(head + Wire.data(1, [1], ends: true)).events.last == "1 malformed bodyLength")
    #expect(answered(head + Wire.data(1, [1, 2], ends: true)).events.last == "1 data 2 END")
  }

  /// RFC 9110 section 6.4.1: the length is of what is not sent.
  @Test(arguments: [("HEAD", 200), ("GET", 304)])
  func lengthWithoutContent(method: String, status: Int) {
    let block = HeaderBlock.response(status, more: [("content-length", "9")])
    let requests: [(SessionRecorder) -> Void] = [{ $0.request(method) }]
    let ended = answered(Wire.headers(1, block, ends: true), requests: requests)
    #expect(
      ended.events.last == "1 head \(status) length 9 END [:status: \(status), content-length: 9]")
    let empty = answered(
      Wire.headers(1, block) + Wire.data(1, [], ends: true), requests: requests)
    #expect(empty.events.last == "1 data 0 END")
    let full = answered(
      Wire.headers(1, block) + Wire.data(1, [1], ends: true), requests: requests)
    #expect(full.events.last == "1 malformed bodyLength")
  }

  @Test func tunnel() {
    let requests: [(SessionRecorder) -> Void] = [
      { $0.request("CONNECT", ends: false, pseudo: [(":authority", "a:1")]) }
    ]
    let block = HeaderBlock.response(200, more: [("content-length", "1")])
    let outcome = answered(
      Wire.headers(1, block) + Wire.data(1, [1, 2, 3])
        + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true), .lenient,
      requests: requests)
    #expect(
      outcome.events == [
        "settings", "1 head 200 [:status: 200]", "1 data 3", "1 malformed messagingRule",
      ])
    let refused = answered(
      Wire.headers(1, HeaderBlock.response(403)) + Wire.data(1, [1])
        + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true), requests: requests)
    #expect(refused.events.last == "1 trailers [x: y]")
  }

  // MARK: Ends

  @Test func resets() {
    let requests: [(SessionRecorder) -> Void] = [{ $0.request() }, { $0.request(ends: false) }]
    let outcome = answered(
      Wire.reset(1, 7) + Wire.headers(3, HeaderBlock.response(), ends: true) + Wire.reset(3, 0),
      requests: requests)
    #expect(
      outcome.events == [
        "settings", "1 reset 7 by peer unprocessed", "3 head 200 END [:status: 200]",
        "3 reset 0 by peer",
      ])
    #expect(outcome.activeCount == 0)
  }

  /// Streams above the last one that the server looked at may be tried elsewhere.
  @Test func goAway() {
    let requests = (0..<4).map { _ -> (SessionRecorder) -> Void in { $0.request() } }
    let outcome = answered(
      Wire.goAway(last: 3) + Wire.headers(1, HeaderBlock.response(), ends: true)
        + Wire.headers(3, HeaderBlock.response(), ends: true), requests: requests,
      then: { #expect($0.request() == nil) })
    #expect(outcome.events[1] == "goaway 3 0")
    #expect(Set(outcome.events[2...3]) == ["5 reset 7 by peer unprocessed", "7 reset 7 by peer unprocessed"])
    #expect(outcome.events.suffix(2).map { $0.prefix(6) } == ["1 head", "3 head"])
    #expect(outcome.activeCount == 0)
  }

  @Test func aGoAwayMayNotGrow() {
    let outcome = answered(Wire.goAway(last: 1) + Wire.goAway(last: 3))
    #expect(outcome.events == ["settings", "goaway 1 0", "failed protocolViolation 1"])
  }

  /// Heads 1xx without end would fill the arena.
  @Test func tooManyInterimHeads() {
    let interim = Wire.headers(1, HeaderBlock.response(103))
    let client = SessionRecorder(client: HTTP2Options())
    client.request()
    client.drain()
    client.feed(Wire.settings())
    for _ in 0..<59 { client.feed(interim) }
    #expect(client.events.last?.hasPrefix("1 interim") == true)
    client.feed(interim)
    #expect(client.events.last == "1 malformed headersTooLarge")
    client.drain()
    #expect(client.frames.last == "1 RST 11")
  }

  @Test func pushIsRefused() {
    let outcome = answered(Wire.frame(5, flags: 4, stream: 1, Wire.big(2) + HeaderBlock.request()))
    #expect(outcome.events.last?.hasPrefix("failed") == true, "\(outcome)")
  }

  @Test func peerSettings() {
    let client = SessionRecorder(client: HTTP2Options())
    #expect(client.session.pointee.peerMaxStreams == 1024)
    #expect(!client.session.pointee.hasPeerSettings)
    client.feed(Wire.settings([(3, 1), (8, 1)]))
    #expect(client.session.pointee.peerMaxStreams == 1)
    #expect(client.session.pointee.peerAllowsConnect)
    #expect(client.session.pointee.hasPeerSettings)
    client.request()
    client.request()
    client.drain()
    // The second waits; it goes when the first is over.
    #expect(client.frames.filter { $0.contains("HEADERS") }.count == 1)
    #expect(!client.session.pointee.wantsOutput)
    client.feed(Wire.headers(1, HeaderBlock.response(), ends: true))
    #expect(client.session.pointee.wantsOutput)
    client.drain()
    #expect(client.frames.filter { $0.contains("HEADERS") }.count == 2)
  }

  /// A request that waits when the server goes is told of by the output.
  @Test func goAwayWithWaitingRequests() {
    let client = SessionRecorder(client: HTTP2Options())
    client.feed(Wire.settings([(3, 1)]))
    client.request()
    client.request()
    client.drain()
    client.feed(
      Wire.goAway(last: 1) + Wire.headers(1, HeaderBlock.response(), ends: true))
    client.drain()
    #expect(client.events.last == "3 closed 7", "\(client.events)")
    #expect(client.session.pointee.activeCount == 0)
  }

  @Test func cancelledBeforeItWasSent() {
    let client = SessionRecorder(client: HTTP2Options())
    client.request(ends: false)
    client.reset(1)
    client.drain()
    #expect(!client.frames.contains { $0.contains("HEADERS") })
    #expect(client.session.pointee.activeCount == 0)
    #expect(client.memory.streamCount == 0)
  }
}
