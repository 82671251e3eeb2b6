import HTTPCore
import Reactor
import Routing
import Testing

@testable import Proxy

/// What a filter's return values do to the message, to the other filters and to memory.
@Suite(.serialized)
struct FilterFlowTests {
  private static let soon: UInt64 = 2_000_000
  private static let request =
    "POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
    + "3\r\nabc\r\n3\r\ndef\r\n0\r\nx-t: 1\r\n\r\n"
  private static let answer =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + "3\r\nuvw\r\n3\r\nxyz\r\n0\r\nx-u: 1\r\n\r\n"

  private func setup(_ filters: [HTTPFilter]) -> ProxyHarness.Setup {
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in filters }
    setup.manager = { $0.enableTrailers = true }
    setup.cluster = { $0.enableTrailers = true }
    setup.origin = { _ in .text(Self.answer) }
    return setup
  }

  /// One exchange with bodies and trailers both ways; all of it must arrive whatever stops.
  private func exchange(_ proxy: ProxyHarness, _ client: BlockingSocket) throws {
    let before = proxy.origin.requests.count
    try client.send(Self.request)
    let answer = try #require(try client.readMessage())
    #expect(answer.status == 200)
    #expect(answer.text == "uvwxyz")
    #expect(answer.trailers.first?.name == "x-u")
    let requests = proxy.origin.requests
    #expect(requests.count == before + 1)
    #expect(requests.last?.text == "abcdef")
    #expect(requests.last?.trailers.first?.name == "x-t")
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let script: ScriptFilter.Script

    init(_ description: String, _ change: (inout ScriptFilter.Script) -> Void) {
      testDescription = description
      var script = ScriptFilter.Script()
      script.continueAfterNanoseconds = FilterFlowTests.soon
      change(&script)
      self.script = script
    }
  }

  static let stops: [Row] = [
    Row("nothing stops") { _ in },
    Row("decodeHeaders: stop") {
      $0.decodeHeaders = .stop
      $0.decodeData = [.stopAndWatermark]
      $0.decodeTrailers = .stop
    },
    Row("decodeHeaders: stop, data go on") { $0.decodeHeaders = .stop },
    Row("decodeHeaders: stopAll") { $0.decodeHeaders = .stopAll },
    Row("decodeData: buffer until trailers") { $0.decodeData = [.stopAndBuffer] },
    Row("decodeData: watermark") {
      $0.decodeData = [.stopAndWatermark]
      $0.decodeTrailers = .stop
    },
    Row("decodeData: first stops, second goes on") { $0.decodeData = [.stopAndBuffer, .continue] },
    Row("decodeTrailers: stop") { $0.decodeTrailers = .stop },
    Row("encodeHeaders: stop") {
      $0.encodeHeaders = .stop
      $0.encodeData = [.stopAndWatermark]
      $0.encodeTrailers = .stop
    },
    Row("encodeHeaders: stop, data go on") { $0.encodeHeaders = .stop },
    Row("encodeHeaders: stopAll") { $0.encodeHeaders = .stopAll },
    Row("encodeData: buffer until trailers") { $0.encodeData = [.stopAndBuffer] },
    Row("encodeData: watermark") {
      $0.encodeData = [.stopAndWatermark]
      $0.encodeTrailers = .stop
    },
    Row("encodeTrailers: stop") { $0.encodeTrailers = .stop },
    Row("both directions stop everything") {
      $0.decodeHeaders = .stopAll
      $0.encodeHeaders = .stopAll
    },
  ]

  @Test(arguments: stops)
  func stoppedMessagesArriveWhole(_ row: Row) throws {
    for place in 0..<3 {
      let script = ScriptFilter("s", row.script)
      let others = (0..<2).map { ScriptFilter("o\($0)", ScriptFilter.Script()) }
      var filters: [HTTPFilter] = others
      filters.insert(script, at: place)
      try withProxy(setup(filters)) { (proxy) throws in
        let client = try proxy.connect()
        for _ in 0..<3 { try exchange(proxy, client) }
        // Every filter has seen each event once an exchange, in order.
        for filter in others {
          #expect(filter.seen.filter { $0 == "decodeHeaders" }.count == 3)
          #expect(filter.seen.filter { $0 == "decodeTrailers" }.count == 3)
          #expect(filter.seen.filter { $0 == "encodeHeaders" }.count == 3)
          #expect(filter.seen.filter { $0 == "encodeTrailers" }.count == 3)
          #expect(filter.seen.filter { $0 == "streamEnded" }.count == 3)
          #expect(filter.seen.contains("decodeData"))
          #expect(filter.seen.contains("encodeData"))
        }
        #expect(script.seen.filter { $0 == "decodeTrailers" }.count == 3)
        #expect(script.seen.filter { $0 == "encodeTrailers" }.count == 3)
      }
    }
  }

  @Test(arguments: stops)
  func severalFiltersMayStopAtOnce(_ row: Row) throws {
    var late = row.script
    late.continueAfterNanoseconds = 6_000_000
    var first = ScriptFilter.Script()
    first.decodeData = [.stopAndWatermark]
    first.decodeTrailers = .stop
    first.encodeHeaders = .stop
    first.encodeData = [.stopAndBuffer]
    first.encodeTrailers = .stop
    first.continueAfterNanoseconds = Self.soon
    let filters = [
      ScriptFilter("a", first), ScriptFilter("b", late), ScriptFilter("c", row.script),
    ]
    try withProxy(setup(filters)) { (proxy) throws in
      let client = try proxy.connect()
      for _ in 0..<2 { try exchange(proxy, client) }
      for filter in filters {
        #expect(filter.seen.filter { $0 == "decodeHeaders" }.count == 2)
        #expect(filter.seen.filter { $0 == "encodeHeaders" }.count == 2)
      }
    }
  }

  @Test(arguments: stops)
  func requestsWithoutABodyPassToo(_ row: Row) throws {
    var setup = setup([ScriptFilter("s", row.script)])
    setup.origin = { _ in .text("HTTP/1.1 204 No Content\r\n\r\n") }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      for _ in 0..<3 {
        try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        #expect(try client.readMessage()?.status == 204)
      }
    }
  }

  @Test(arguments: ["decodeHeaders", "decodeData", "decodeTrailers"])
  func replyToTheRequest(event: String) throws {
    var script = ScriptFilter.Script()
    script.replyAt = event
    script.decodeHeaders = event == "decodeHeaders" ? .stop : .continue
    let before = ScriptFilter("before", ScriptFilter.Script())
    let after = ScriptFilter("after", ScriptFilter.Script())
    try withProxy(setup([before, ScriptFilter("s", script), after])) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(Self.request)
      let answer = try #require(try client.readMessage())
      #expect(answer.status == 599)
      #expect(answer.text == "scripted")
      #expect(proxy.nextLogLine() == "599 FI scripted")
      // The answer passes all filters, whether or not they saw the request.
      #expect(after.seen.filter { $0.hasPrefix("encodeHeaders") }.count == 1)
      #expect(before.seen.filter { $0.hasPrefix("encodeHeaders") }.count == 1)
      #expect(before.seen.last == "streamEnded")
      #expect(event != "decodeHeaders" || !after.seen.contains("decodeHeaders"))
    }
  }

  @Test(arguments: ["encodeHeaders", "encodeData", "encodeTrailers"])
  func replyInPlaceOfTheResponse(event: String) throws {
    var script = ScriptFilter.Script()
    script.replyAt = event
    // The head has not gone out: the reply can still take its place.
    script.encodeHeaders = .stop
    script.encodeData = [.stopAndBuffer]
    try withProxy(setup([ScriptFilter("s", script)])) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(Self.request)
      let answer = try #require(try client.readMessage())
      #expect(answer.status == 599)
      #expect(answer.text == "scripted")
    }
  }

  @Test func replyAfterTheHeadClosesTheConnection() throws {
    var script = ScriptFilter.Script()
    script.replyAt = "encodeData"
    try withProxy(setup([ScriptFilter("s", script)])) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(Self.request)
      let rest = String(decoding: try client.readToEnd(), as: UTF8.self)
      #expect(!rest.contains("uvw"))
      #expect(!rest.contains("scripted"))
    }
  }

  @Test func replyWhileTheBodyIsStillComing() throws {
    var script = ScriptFilter.Script()
    script.replyAt = "decodeHeaders"
    script.decodeHeaders = .stop
    try withProxy(setup([ScriptFilter("s", script)])) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\nabc")
      let answer = try #require(try client.readMessage())
      #expect(answer.status == 599)
      #expect(answer["connection"] == "close")
      // The rest of the body is no request.
      try? client.send(String(repeating: "GET / HTTP/1.1\r\nhost: h\r\n\r\n", count: 100))
      #expect(try client.readToEnd().isEmpty)
      #expect(proxy.value("http.p.downstream_rq_total") == 1)
    }
  }

  @Test(arguments: stops)
  func clientThatLeavesAtAnyStopLeavesNothing(_ row: Row) throws {
    var script = row.script
    script.continueAfterNanoseconds = 3_600_000_000_000
    try withProxy(setup([ScriptFilter("s", script)])) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(Self.request)
      proxy.wait(for: "the request") { proxy.value("http.p.downstream_rq_total") == 1 }
      client.shutdownBoth()
    }
  }

  @Test func bufferedRequestIsLimited() throws {
    var script = ScriptFilter.Script()
    script.decodeData = [.stopAndBuffer]
    script.decodeEnd = .continue
    var setup = setup([ScriptFilter("s", script)])
    setup.bufferLimitBytes = 1000
    setup.origin = { _ in TestOrigin.ok("") }
    try withProxy(setup) { (proxy) throws in
      for (count, status) in [(1000, 200), (20_000, 413)] {
        let client = try proxy.connect()
        try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: \(count)\r\n\r\n")
        try client.send(String(repeating: "x", count: count - 1))
        try? client.send("x")
        #expect(try client.readMessage()?.status == status)
      }
    }
  }

  @Test func bufferedResponseIsLimited() throws {
    var script = ScriptFilter.Script()
    script.encodeHeaders = .stop
    script.encodeData = [.stopAndBuffer]
    script.encodeEnd = .continue
    var setup = setup([ScriptFilter("s", script)])
    setup.bufferLimitBytes = 4000
    setup.origin = { request in
      TestOrigin.ok(String(repeating: "z", count: request.startLine.contains("/big") ? 200_000 : 4000))
    }
    try withProxy(setup) { (proxy) throws in
      #expect(try proxy.get("/small").body.count == 4000)
      let answer = try proxy.get("/big")
      #expect(answer.status == 500)
      #expect(proxy.value("http.p.rs_too_large") == 1)
    }
  }

  @Test func watermarkPausesTheUpstream() throws {
    var script = ScriptFilter.Script()
    script.encodeHeaders = .stopAll
    script.continueAfterNanoseconds = 50_000_000
    var setup = setup([ScriptFilter("s", script)])
    setup.bufferLimitBytes = 10_000
    let body = String(repeating: "0123456789", count: 100_000)
    setup.origin = { _ in TestOrigin.ok(body) }
    try withProxy(setup) { (proxy) throws in
      #expect(try proxy.get().text == body)
      #expect(proxy.value("cluster.c.upstream_flow_control_paused_reading_total") > 0)
    }
  }

  @Test func filtersMayChangeBodies() throws {
    var script = ScriptFilter.Script()
    script.addsToBodies = "!"
    var setup = setup([ScriptFilter("s", script), ScriptFilter("t", script)])
    setup.origin = { _ in
      .text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nuvw\r\n0\r\n\r\n")
    }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
      #expect(try client.readMessage()?.text == "uvw!!")
      #expect(proxy.origin.requests.first?.text == "abc!!")
    }
  }

  @Test func filtersSeeOnlyWhatTheyAskFor() throws {
    let quiet = ScriptFilter("q", ScriptFilter.Script(), interests: [])
    let headers = ScriptFilter("h", ScriptFilter.Script(), interests: [.decodeHeaders])
    try withProxy(setup([quiet, headers])) { (proxy) throws in
      try exchange(proxy, try proxy.connect())
      #expect(quiet.seen.isEmpty)
      #expect(headers.seen == ["decodeHeaders"])
    }
  }

  @Test func disabledFilterSeesOnlyTheEnd() throws {
    let filter = ScriptFilter("s", ScriptFilter.Script())
    var setup = setup([filter, ScriptFilter("t", ScriptFilter.Script())])
    setup.filterConfigs = [DisabledFilter()]
    setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "s", slot: 0)]
    try withProxy(setup) { (proxy) throws in
      try exchange(proxy, try proxy.connect())
      #expect(filter.seen == ["streamEnded"])
    }
  }

  @Test func manyHeldPiecesKeepNoReceiveBuffer() throws {
    var script = ScriptFilter.Script()
    script.decodeHeaders = .stopAll
    script.continueAfterNanoseconds = 3_600_000_000_000
    try withProxy(setup([ScriptFilter("s", script)])) { (proxy) throws in
      // More pieces than there are receive buffers.
      let clients = try (0..<8).map { _ in try proxy.connect() }
      let head = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n"
      for client in clients { try client.send(head) }
      for round in 0..<16 {
        for client in clients { try client.send("x") }
        let want = UInt64(clients.count * (head.utf8.count + round + 1))
        proxy.wait(for: "the pieces") {
          proxy.value("http.p.downstream_cx_rx_bytes_total") == want
        }
      }
      let lent = proxy.onWorker { $0.segments.totalBuffers - $0.segments.availableBuffers }
      #expect(lent == 0)
    }
  }
}
