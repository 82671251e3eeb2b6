import Glibc
import Primitives
import Synchronization
import Testing

@testable import Proxy

/// Connections whose bytes are a sink's affair, over a real worker.
@Suite(.serialized)
struct ProbeTests {
  private final class Sink: ProbeSink, @unchecked Sendable {
    // Sendable: immutable but for the record, which has a mutex.
    private let record = Mutex<[String]>([])
    private let isCancelledBy: String?

    init(cancelledBy word: String? = nil) { isCancelledBy = word }

    var events: [String] { record.withLock { $0 } }

    private func note(_ word: String, _ text: String, _ worker: Worker, _ probe: Probe) {
      record.withLock { $0.append(text.isEmpty ? word : "\(word) \(text)") }
      if word == isCancelledBy { worker.cancel(probe) }
    }

    override func connected(_ worker: Worker, _ probe: Probe) { note("connected", "", worker, probe) }
    override func received(_ worker: Worker, _ probe: Probe, _ bytes: ByteView) {
      note("received", bytes.string, worker, probe)
    }
    override func ended(_ worker: Worker, _ probe: Probe, _ reason: ByteView) {
      note("ended", reason.string, worker, probe)
    }
  }

  private func start(
    _ proxy: ProxyHarness, _ sink: Sink, identity: UInt64 = 1, sending text: StaticString? = nil
  ) -> Probe? {
    proxy.onWorker { worker in
      let probe = worker.startProbe(cluster: 0, index: 0, identity: identity, sink: sink)
      if let probe, let text { worker.send(ByteView(text), to: probe) }
      return probe
    }
  }

  private func expectNothingLeft(_ proxy: ProxyHarness) {
    proxy.wait(for: "no connection") { proxy.onWorker { $0.audit.connections } == 0 }
    #expect(proxy.value("cluster.c.upstream_cx_active") == 0)
  }

  @Test func bytesPassBothWays() throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in TestOrigin.ok("hello") }
    try withProxy(setup) { proxy in
      let sink = Sink()
      let probe = try #require(start(proxy, sink, sending: "GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
      proxy.wait(for: "an answer") { sink.events.joined().contains("hello") }
      #expect(sink.events.first == "connected")
      proxy.onWorker { $0.cancel(probe) }
      expectNothingLeft(proxy)
      #expect(!sink.events.contains { $0.hasPrefix("ended") }, "who cancels hears no more")
      proxy.onWorker { $0.cancel(probe) }
    }
  }

  @Test func anEndIsTold() throws {
    var setup = ProxyHarness.Setup()
    setup.serve = { $0.shutdownBoth() }
    try withProxy(setup) { proxy in
      let sink = Sink()
      _ = try #require(start(proxy, sink))
      proxy.wait(for: "the end") { sink.events.last == "ended closed by the host" }
      expectNothingLeft(proxy)
    }
  }

  @Test func aClosedPortIsTold() throws {
    var setup = ProxyHarness.Setup()
    let (listener, port) = try BlockingSocket.listen()
    close(listener)
    setup.originPort = port
    try withProxy(setup) { proxy in
      let sink = Sink()
      _ = try #require(start(proxy, sink))
      proxy.wait(for: "the end") { sink.events.first?.hasPrefix("ended ") ?? false }
      #expect(sink.events == ["ended Connection_refused"])
      expectNothingLeft(proxy)
    }
  }

  @Test(arguments: ["connected", "received", "ended"])
  func aSinkMayCancelItsOwnProbe(word: String) throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in .bytesThenClose(Array("HTTP/1.1 200 OK\r\n\r\nhello".utf8)) }
    try withProxy(setup) { proxy in
      let sink = Sink(cancelledBy: word)
      _ = try #require(start(proxy, sink, sending: "GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
      proxy.wait(for: "it") { sink.events.contains { $0.hasPrefix(word) } }
      expectNothingLeft(proxy)
      #expect(sink.events.last?.hasPrefix(word) ?? false)
    }
  }

  @Test func aHostThatIsNotThereIsNoProbe() throws {
    try withProxy(ProxyHarness.Setup()) { proxy in
      let sink = Sink()
      #expect(start(proxy, sink, identity: 99) == nil)
      let none = proxy.onWorker { $0.startProbe(cluster: 7, index: 0, identity: 1, sink: sink) }
      #expect(none == nil)
    }
  }
}
