import Glibc
import Stats
import Testing

@testable import StatsSinks

@Suite struct SinkTests {
  @Test(arguments: ["127.0.0.1", "::1"])
  func udpEndToEnd(_ host: String) throws {
    let server = try LoopbackSocket(stream: false, v6: host.contains(":"))
    let address = try #require(SinkAddress(host: host, port: server.port))
    let registry = try makeRegistry()
    let counter = registry.counter("c")
    registry.mainSlab.add(counter, 3)
    registry.mainSlab.set(registry.gauge("g"), to: 8)
    let sink = StatsdUDPSink(to: address, registry: registry)
    let flusher = try StatsFlusher(
      registry: registry, intervalMilliseconds: 3_600_000, sinks: [sink])
    flusher.flushNow()
    #expect(try server.receive() == "envoy.c:3|c\nenvoy.g:8|g")
    registry.mainSlab.add(counter, 4)
    flusher.stop()
    flusher.stop()
    #expect(
      try server.receive() == "envoy.c:4|c\nenvoy.statsd.datagrams_sent:1|c\nenvoy.g:8|g",
      "the last flush")
  }

  @Test func theThreadFlushesByItself() throws {
    let server = try LoopbackSocket(stream: false)
    let address = try #require(SinkAddress(host: "127.0.0.1", port: server.port))
    let registry = try makeRegistry()
    registry.mainSlab.increment(registry.counter("c"))
    let sink = StatsdUDPSink(to: address, datagramBytesMax: 0, registry: registry)
    let flusher = try StatsFlusher(registry: registry, intervalMilliseconds: 1, sinks: [sink])
    #expect(try server.receive() == "envoy.c:1|c")
    flusher.stop()
  }

  @Test func severalSinksGetTheSame() throws {
    let first = try LoopbackSocket(stream: false)
    let second = try LoopbackSocket(stream: true)
    let registry = try makeRegistry()
    registry.mainSlab.add(registry.counter("cluster.a.x"), 9)
    let udp = StatsdUDPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: first.port)),
      format: StatsdFormat(dialect: .dogStatsd), registry: registry)
    let tcp = StatsdTCPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: second.port)), registry: registry)
    let flusher = try StatsFlusher(
      registry: registry, intervalMilliseconds: 3_600_000, sinks: [udp, tcp])
    flusher.stop()
    #expect(try first.receive() == "envoy.cluster.x:9|c|#envoy.cluster_name:a")
    #expect(try second.acceptAndRead(lineCount: 1) == "envoy.cluster.a.x:9|c\n")
  }

  @Test func aRefusedDatagramIsCounted() throws {
    let registry = try makeRegistry()
    let nobody = try LoopbackSocket(stream: false)
    try #require(nobody.refuseAll())
    let sink = StatsdUDPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: nobody.port)), registry: registry)
    registry.mainSlab.increment(registry.counter("c"))
    var collector = FlushCollector(registry: registry)
    for _ in 0..<5 { sink.send(collector.collect(), isLast: false) }
    withExtendedLifetime(nobody) {}
    let errors = try #require(registry.metrics.first { $0.name == "statsd.send_errors" })
    #expect(registry.value(of: errors) > 0)
  }

  @Test func tcpHoldsWhileTheServerIsAwayAndReconnects() throws {
    let registry = try makeRegistry()
    let counter = registry.counter("c")
    let away = try LoopbackSocket(stream: true, listens: false)
    let sink = StatsdTCPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: away.port)), registry: registry)
    func flush(_ delta: UInt64) -> StatsFlush {
      var flush = StatsFlush()
      for metric in registry.metrics where metric.name == "c" { flush.counters = [(metric, delta)] }
      return flush
    }
    registry.mainSlab.increment(counter)
    sink.send(flush(1), isLast: false)
    sink.send(flush(2), isLast: false)
    var server: LoopbackSocket? = try LoopbackSocket(stream: true, port: away.port)
    // The last flush does not wait for the backoff.
    sink.send(flush(3), isLast: true)
    #expect(
      try server?.acceptAndRead(lineCount: 3) == "envoy.c:1|c\nenvoy.c:2|c\nenvoy.c:3|c\n")
    // The server closed the connection: the sink sees it before it sends.
    sink.send(flush(4), isLast: true)
    #expect(try server?.acceptAndRead(lineCount: 1) == "envoy.c:4|c\n")
    server = nil
    let connections = try #require(registry.metrics.first { $0.name == "statsd.connections" })
    #expect(registry.value(of: connections) == 2)
  }

  @Test func tcpDropsWhatDoesNotFit() throws {
    let registry = try makeRegistry()
    for index in 0..<100 { registry.mainSlab.increment(registry.counter("counter\(index)")) }
    let away = try LoopbackSocket(stream: true, listens: false)
    let sink = StatsdTCPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: away.port)), heldBytesMax: 200,
      registry: registry)
    var collector = FlushCollector(registry: registry)
    sink.send(collector.collect(), isLast: false)
    withExtendedLifetime(away) {}
    let dropped = try #require(registry.metrics.first { $0.name == "statsd.lines_dropped" })
    // "envoy.counter10:1|c\n" has 20 bytes.
    #expect(registry.value(of: dropped) == 90)
  }

  @Test func aPeerThatReadsNothingDoesNotHang() throws {
    let server = try LoopbackSocket(stream: true)
    let registry = try makeRegistry()
    registry.mainSlab.increment(registry.counter("c"))
    let sink = StatsdTCPSink(
      to: try #require(SinkAddress(host: "127.0.0.1", port: server.port)), heldBytesMax: 8 << 20,
      registry: registry)
    var flush = StatsFlush()
    let metric = try #require(registry.metrics.first { $0.name == "c" })
    flush.counters = Array(repeating: (metric, 1), count: 1_000_000)
    let start = MonotonicClock.nowMilliseconds()
    sink.send(flush, isLast: true)
    #expect(MonotonicClock.nowMilliseconds() - start < 30_000)
    let dropped = try #require(registry.metrics.first { $0.name == "statsd.lines_dropped" })
    #expect(registry.value(of: dropped) > 0)
  }

  @Test(arguments: ["", "localhost", "1.2.3", "::g", "1.2.3.4:80"])
  func addressesAreNumeric(_ host: String) {
    #expect(SinkAddress(host: host, port: 1) == nil)
  }

  @Test func addressesHaveAPort() {
    #expect(SinkAddress(host: "127.0.0.1", port: 0) == nil)
    #expect(SinkAddress(host: "::1", port: 8125)?.description == "[::1]:8125")
  }
}
