import Testing

@testable import Proxy

/// Clients that do not read must not keep others waiting.
@Suite(.serialized)
struct SlowReaderTests {
  @Test func slowReadersLeaveBuffersForOthers() throws {
    let body = String(repeating: "0123456789", count: 2_000_000)
    var setup = ProxyHarness.Setup()
    setup.origin = { $0.startLine.contains("/slow") ? TestOrigin.ok(body) : TestOrigin.ok(String(body.prefix(3_000_000))) }
    try withProxy(setup) { (proxy) throws in
      let slow = try (0..<6).map { _ in try proxy.connect() }
      for client in slow {
        try client.send("GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
        _ = try client.readHead()
      }
      let answer = try proxy.get("/fast")
      #expect(answer.body.count == 3_000_000)
    }
  }
}
