import Reactor
import Testing

@testable import Proxy

/// A submission queue with hardly any room: a turn that wants more submits in between.
@Suite(.serialized)
struct FullRingTests {
  @Test func everythingIsAnsweredWithFourEntries() throws {
    var setup = ProxyHarness.Setup()
    setup.ringEntries = 4
    setup.origin = { _ in TestOrigin.ok(String(repeating: "x", count: 5000)) }
    try withProxy(setup) { (proxy) throws in
      let clients = try (0..<48).map { _ in try proxy.connect() }
      for _ in 0..<5 {
        // All at once, so that one turn has dozens of operations to submit.
        for client in clients { try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n") }
        for client in clients {
          let head = String(decoding: try client.read(through: "\r\n\r\n"), as: UTF8.self)
          #expect(head.hasPrefix("HTTP/1.1 200"))
          #expect(try client.read(count: 5000).count == 5000)
        }
      }
      #expect(proxy.onWorker { $0.ring.fullCount } > 0, "the queue was never full: no test")
    }
  }
}
