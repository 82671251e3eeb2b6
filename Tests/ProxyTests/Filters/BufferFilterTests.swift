import Reactor
import Routing
import Testing

@testable import Proxy

@Suite(.serialized)
struct BufferFilterTests {
  private func setup(_ limit: UInt32, route: BufferRouteConfig? = nil) -> ProxyHarness.Setup {
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in [BufferFilter(name: "buffer", maxRequestBytes: limit)] }
    if let route {
      setup.filterConfigs = [route]
      setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "buffer", slot: 0)]
    }
    return setup
  }

  private func chunked(_ pieces: [String]) -> String {
    pieces.map { String($0.utf8.count, radix: 16) + "\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
  }

  @Test func chunksBecomeALength() throws {
    try withProxy(setup(10)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
          + chunked(["01234", "56789"]))
      #expect(try client.readMessage()?.status == 200)
      let seen = try #require(proxy.origin.requests.first)
      #expect(seen["content-length"] == "10")
      #expect(seen["transfer-encoding"] == nil)
      #expect(seen.text == "0123456789")
    }
  }

  @Test func nothingGoesOnBeforeTheEnd() throws {
    try withProxy(setup(1000)) { (proxy) throws in
      let client = try proxy.connect()
      let head = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\n"
      var sent = 0
      for piece in [head, "a", "b", "c", "d", "e"] {
        try client.send(piece)
        sent += piece.utf8.count
        proxy.wait(for: "the piece") {
          proxy.value("http.p.downstream_cx_rx_bytes_total") == UInt64(sent)
        }
      }
      #expect(proxy.value("cluster.c.upstream_cx_total") == 0)
      // Held bytes keep no receive buffer.
      let lent = proxy.onWorker { $0.segments.totalBuffers - $0.segments.availableBuffers }
      #expect(lent == 0)
      try client.send("f")
      #expect(try client.readMessage()?.text.hasSuffix("||abcdef") == true)
    }
  }

  @Test(arguments: [0, 1, 9, 10])
  func withinTheLimitPasses(count: Int) throws {
    try withProxy(setup(10)) { (proxy) throws in
      let client = try proxy.connect()
      for _ in 0..<2 {
        let body = String(repeating: "x", count: count)
        try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: \(count)\r\n\r\n\(body)")
        #expect(try client.readMessage()?.text.hasSuffix("||\(body)") == true)
        let pieces = count == 0 ? [] : [body]
        try client.send(
          "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(pieces))
        #expect(try client.readMessage()?.text.hasSuffix("||\(body)") == true)
      }
    }
  }

  @Test(arguments: ["content-length: 11\r\n\r\n01234567890", "content-length: 11\r\n\r\n"])
  func longerLengthIs413(rest: String) throws {
    try withProxy(setup(10)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\n" + rest)
      let answer = try #require(try client.readMessage())
      #expect(answer.status == 413)
      #expect(answer.text == "Payload Too Large")
      #expect(proxy.nextLogLine() == "413 - request_payload_too_large")
      #expect(proxy.value("http.p.downstream_rq_too_large") == 1)
      #expect(proxy.origin.requests.isEmpty)
    }
  }

  @Test(arguments: [["01234567890"], ["0123456789", "0"], ["01234", "56789", "01234"]])
  func moreChunksAre413(pieces: [String]) throws {
    try withProxy(setup(10)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(pieces))
      #expect(try client.readMessage()?.status == 413)
      #expect(proxy.origin.requests.isEmpty)
    }
  }

  @Test func endlessBodyIsCutOff() throws {
    try withProxy(setup(100_000)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
      let piece = "8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n"
      for _ in 0..<4 { try client.send(piece) }
      let answer = try #require(try client.readMessage())
      #expect(answer.status == 413)
      #expect(answer["connection"] == "close")
    }
  }

  @Test func trailersReleaseTheBody() throws {
    var setup = setup(10)
    setup.manager = { $0.enableTrailers = true }
    setup.cluster = { $0.enableTrailers = true }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
          + "3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n")
      #expect(try client.readMessage()?.status == 200)
      let seen = try #require(proxy.origin.requests.first)
      #expect(seen.text == "abc")
      #expect(seen.trailers.first?.name == "x-t")
    }
  }

  @Test func routeMayRaiseTheLimitOrSwitchOff() throws {
    let raised = setup(1, route: BufferRouteConfig(maxRequestBytes: 20))
    try withProxy(raised) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\n01234567890")
      #expect(try client.readMessage()?.status == 200)
    }
    let off = setup(1, route: BufferRouteConfig(maxRequestBytes: nil))
    try withProxy(off) { (proxy) throws in
      let client = try proxy.connect()
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(["abc"]))
      #expect(try client.readMessage()?.status == 200)
      #expect(proxy.origin.requests.first?["transfer-encoding"] == "chunked")
    }
  }

  @Test func disabledFilterDoesNothing() throws {
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in [BufferFilter(name: "buffer", maxRequestBytes: 1)] }
    setup.filterConfigs = [DisabledFilter()]
    setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "buffer", slot: 0)]
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\n01234567890")
      #expect(try client.readMessage()?.status == 200)
    }
  }

  @Test func clientThatLeavesInTheMiddleLeavesNothing() throws {
    try withProxy(setup(1000)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 600\r\n\r\nabc")
      proxy.wait(for: "the request") { proxy.value("http.p.downstream_rq_active") == 1 }
      client.shutdownBoth()
      #expect(proxy.nextLogLine() == "0 DC downstream_remote_disconnect")
    }
  }
}
