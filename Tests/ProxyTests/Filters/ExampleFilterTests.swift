import HTTPCore
import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

// The example of docs/http-filters.md; change both together.

/// Keeps each request waiting for a moment and says so in both messages.
final class WaitFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.
  private struct State {
    var isWaiting: Bool
  }

  private let nanoseconds: UInt64
  private let value: FrozenText
  private let waited: Counter
  private let waiting: Gauge

  init(name: String, nanoseconds: UInt64, headerValue: String, scope: StatsScope) {
    self.nanoseconds = nanoseconds
    self.value = FrozenText(headerValue)
    self.waited = scope.counter("wait.total")
    self.waiting = scope.gauge("wait.active")
    super.init(
      name: name,
      interests: [.decodeHeaders, .decodeData, .decodeTrailers, .encodeHeaders, .streamEnded])
  }

  override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    addHeader(to: context.requestHeaders)
    _ = context.state(State.self, initial: State(isWaiting: true))
    context.worker.slab.increment(waited)
    context.worker.slab.increment(waiting)
    context.setTimer(afterNanoseconds: nanoseconds)
    return .stop
  }

  override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    isWaiting(context) ? .stopAndWatermark : .continue
  }

  override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    isWaiting(context) ? .stop : .continue
  }

  override func timerFired(_ context: FilterContext) {
    stopWaiting(context)
    context.continueDecoding()
  }

  override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    addHeader(to: context.responseHeaders)
    return .continue
  }

  // The client may leave while the request waits: whatever was counted is taken back here.
  override func streamEnded(_ context: FilterContext) { stopWaiting(context) }

  private func isWaiting(_ context: FilterContext) -> Bool {
    context.existingState(State.self)?.pointee.isWaiting ?? false
  }

  private func stopWaiting(_ context: FilterContext) {
    guard let state = context.existingState(State.self), state.pointee.isWaiting else { return }
    state.pointee.isWaiting = false
    context.worker.slab.decrement(waiting)
  }

  private func addHeader(to headers: UnsafeMutablePointer<HeaderMap>) {
    headers.pointee.set(name: ByteView("x-waited"), value: value.view, known: .other)
  }
}

@Suite(.serialized)
struct ExampleFilterTests {
  private func setup(nanoseconds: UInt64) -> ProxyHarness.Setup {
    var setup = ProxyHarness.Setup()
    setup.filters = {
      [WaitFilter(name: "wait", nanoseconds: nanoseconds, headerValue: "yes", scope: $0)]
    }
    return setup
  }

  @Test func waitsAndSaysSo() throws {
    try withProxy(setup(nanoseconds: 20_000_000)) { (proxy) throws in
      let began = ContinuousClock.now
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc")
      let answer = try #require(try client.readMessage())
      #expect(ContinuousClock.now - began >= .milliseconds(20))
      #expect(answer["x-waited"] == "yes")
      #expect(proxy.origin.requests.first?["x-waited"] == "yes")
      #expect(proxy.origin.requests.first?.text == "abc")
      #expect(proxy.value("http.p.wait.total") == 1)
    }
  }

  @Test func clientThatLeavesIsNotCountedAnyMore() throws {
    try withProxy(setup(nanoseconds: 3_600_000_000_000)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
      proxy.wait(for: "the wait") { proxy.value("http.p.wait.active") == 1 }
      client.shutdownBoth()
      proxy.wait(for: "its end") { proxy.value("http.p.wait.active") == 0 }
    }
  }
}
