import Testing

@testable import Proxy

/// Requests through a worker without filters.
@Suite(.serialized)
struct PlainProxyTests {
  @Test func requestAndAnswerPass() throws {
    try withProxy { (proxy) throws in
      let client = try proxy.connect()
      for i in 0..<3 {
        try client.send("GET /\(i) HTTP/1.1\r\nhost: h\r\n\r\n")
        let answer = try #require(try client.readMessage())
        #expect(answer.status == 200)
        #expect(answer.text.hasPrefix("GET /\(i) HTTP/1.1|"))
        #expect(proxy.nextLogLine() == "200 - via_upstream")
      }
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1)
      #expect(proxy.value("http.p.downstream_rq_total") == 3)
    }
  }

  @Test(arguments: [1, 1000, 100_000, 3_000_000])
  func bodiesPass(count: Int) throws {
    let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var setup = ProxyHarness.Setup()
    setup.origin = { request in
      .bytes(Array("HTTP/1.1 200 OK\r\ncontent-length: \(request.body.count)\r\n\r\n".utf8) + request.body)
    }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: \(count)\r\n\r\n")
      try client.send(body)
      let answer = try #require(try client.readMessage())
      #expect(answer.body == body)
    }
  }
}
