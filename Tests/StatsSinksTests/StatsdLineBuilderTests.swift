import Stats
import Testing

@testable import StatsSinks

@Suite struct StatsdLineBuilderTests {
  static func collected(_ fill: (StatsRegistry) -> Void) throws -> StatsFlush {
    let registry = try makeRegistry()
    fill(registry)
    var collector = FlushCollector(registry: registry)
    return collector.collect()
  }

  @Test func plainStatsd() throws {
    let flush = try Self.collected { registry in
      registry.mainSlab.add(registry.counter("cluster.a:b.upstream_rq_2xx"), 3)
      registry.mainSlab.set(registry.gauge("server.live"), to: 1)
      _ = registry.counter("never.used")
    }
    #expect(lines(flush) == ["envoy.cluster.a_b.upstream_rq_2xx:3|c", "envoy.server.live:1|g"])
    #expect(lines(flush, StatsdFormat(prefix: "")).last == "server.live:1|g")
  }

  @Test func dogStatsdHasTags() throws {
    let flush = try Self.collected { registry in
      let codes = registry.codeFamily("vhost.vh.vcluster.vc.upstream_rq")
      registry.mainSlab.increment(codes, code: 200)
      registry.mainSlab.set(registry.gauge("server.live"), to: 1)
    }
    #expect(
      lines(flush, StatsdFormat(prefix: "p", dialect: .dogStatsd)) == [
        "p.server.live:1|g",
        "p.vhost.vcluster.upstream_rq:1|c"
          + "|#envoy.response_code:200,envoy.virtual_cluster:vc,envoy.virtual_host:vh",
      ].reversed())
  }

  @Test func histogramsAreAggregated() throws {
    let flush = try Self.collected { registry in
      let histogram = registry.histogram("cluster.a.upstream_rq_time")
      for _ in 0..<99 { registry.mainSlab.record(histogram, 100) }
      registry.mainSlab.record(histogram, 20_000)
    }
    #expect(
      lines(flush) == [
        "envoy.cluster.a.upstream_rq_time.count:100|c", "envoy.cluster.a.upstream_rq_time.p50:0.1|ms",
        "envoy.cluster.a.upstream_rq_time.p95:0.1|ms", "envoy.cluster.a.upstream_rq_time.p99:0.1|ms",
        "envoy.cluster.a.upstream_rq_time.p99_9:20.032|ms",
        "envoy.cluster.a.upstream_rq_time.max:20.032|ms",
      ])
  }

  @Test func histogramsAsTimers() throws {
    let flush = try Self.collected { registry in
      let histogram = registry.histogram("http.in.rq_time")
      for value: UInt64 in [1, 1, 2, 3, 4, 5] { registry.mainSlab.record(histogram, value) }
    }
    #expect(
      lines(flush, StatsdFormat(histograms: .timers(linesMax: 6))) == [
        "0.001", "0.001", "0.002", "0.003", "0.004", "0.005",
      ].map { "envoy.http.in.rq_time:\($0)|ms" })
    #expect(
      lines(flush, StatsdFormat(dialect: .dogStatsd, histograms: .timers(linesMax: 3))) == [
        "0.001", "0.002", "0.004",
      ].map { "envoy.http.rq_time:\($0)|ms|@0.5|#envoy.http_conn_manager_prefix:in" })
    #expect(lines(flush, StatsdFormat(histograms: .timers(linesMax: 0))) == [])
  }

  @Test(arguments: [1, 2, 3, 7, 100, 999, 1000, 1001])
  func samplesStandForAllValues(_ linesMax: Int) {
    var reading = HistogramReading()
    for bucket in 0..<1000 { reading.add(1, toBucket: bucket) }
    var represented: UInt64 = 0
    var count = 0
    StatsdLineBuilder.sample(reading, linesMax: linesMax) { _, stride in
      represented += stride
      count += 1
    }
    #expect(count <= linesMax)
    #expect(represented.distance(to: 1000).magnitude <= (1000 / UInt(linesMax) + 1) / 2 + 1)
  }

  @Test(arguments: [
    (UInt64(2), "0.5"), (3, "0.333333333"), (10, "0.1"), (1000, "0.001"),
    (1_000_000_000, "0.000000001"), (UInt64.max / 2, "0.000000001"), (1, "1"), (0, "1"),
  ])
  func rates(_ stride: UInt64, _ expected: String) {
    var bytes: [UInt8] = []
    StatsdLineBuilder.append(rateOneIn: stride, to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == expected)
  }

  @Test(arguments: [StatsdFormat.Dialect.statsd, .dogStatsd])
  func hostileNamesStayOneLine(_ dialect: StatsdFormat.Dialect) throws {
    let hostile = (0...127).map { String(UnicodeScalar(UInt8($0))) }
    for text in hostile + ["a\nevil:1|c", "é|#x:y", ""] {
      let flush = try Self.collected { registry in
        registry.mainSlab.increment(registry.counter("cluster.\(text).x"))
      }
      let format = StatsdFormat(prefix: "p\(text)", dialect: dialect)
      let line = try #require(lines(flush, format).first)
      #expect(lines(flush, format).count == 1)
      #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
      // One value, then one type; at most one section of tags.
      let sections = line.split(separator: "|", omittingEmptySubsequences: false)
      #expect(sections[0].split(separator: ":", omittingEmptySubsequences: false).count == 2)
      #expect(sections[0].hasSuffix(":1"))
      #expect(sections[1] == "c")
      #expect(sections.count <= (dialect == .dogStatsd ? 3 : 2))
      if sections.count == 3 { #expect(!sections[2].contains(",")) }
    }
  }
}
