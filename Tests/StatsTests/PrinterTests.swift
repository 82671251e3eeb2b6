import Testing

@testable import Stats

@Suite struct PrinterTests {
  static func filled() throws -> StatsRegistry {
    let registry = try makeRegistry {
      $0.histogramBuckets = HistogramBuckets([
        .init(match: .suffix("rq_time"), bounds: [0.5, 1, 25, 1_800_000])
      ])
    }
    let scope = registry.makeScope(prefix: "cluster.a.")
    let other = registry.makeScope(prefix: "cluster.b\"x.")
    registry.slabs[1].add(scope.counter("upstream_rq_total"), 3)
    registry.slabs[1].add(other.counter("upstream_rq_total"), 4)
    registry.slabs[1].increment(scope.codeFamily("upstream_rq"), code: 200)
    registry.slabs[1].increment(scope.gauge("upstream_cx_active"))
    _ = registry.counter("server.unused")
    _ = scope.histogram("upstream_cx_length_ms")
    let time = scope.histogram("upstream_rq_time")
    for value: UInt64 in [100, 100, 100, 900, 20_000] { registry.slabs[1].record(time, value) }
    registry.setText("server.mode", to: "edge \"1\"")
    return registry
  }

  @Test func text() throws {
    #expect(
      try Self.filled().printed() == """
        server.mode: "edge "1""
        cluster.a.upstream_cx_active: 1
        cluster.a.upstream_rq_200: 1
        cluster.a.upstream_rq_total: 3
        cluster.b"x.upstream_rq_total: 4
        server.unused: 0
        cluster.a.upstream_cx_length_ms: No recorded values
        cluster.a.upstream_rq_time: P0(nan,0.1) P25(nan,0.1) P50(nan,0.1) P75(nan,0.902) \
        P90(nan,20.032) P95(nan,20.032) P99(nan,20.032) P99.5(nan,20.032) P99.9(nan,20.032) \
        P100(nan,20.032)

        """)
  }

  @Test(arguments: [
    (
      StatsPrinter.HistogramMode.cumulative,
      "cluster.a.upstream_rq_time: B0.5(0,3) B1(0,4) B25(0,5) B1.8e+06(0,5)\n"
    ),
    (.disjoint, "cluster.a.upstream_rq_time: B0.5(0,3) B1(0,1) B25(0,1) B1.8e+06(0,0)\n"),
    (
      .detailed,
      """
      cluster.a.upstream_rq_time:
        totals=0.1,0.001:3, 0.9,0.004:1, 19.968,0.128:1
        intervals=
        summary=P0(nan,0.1) P25(nan,0.1) P50(nan,0.1) P75(nan,0.902) P90(nan,20.032) \
      P95(nan,20.032) P99(nan,20.032) P99.5(nan,20.032) P99.9(nan,20.032) P100(nan,20.032)

      """
    ),
  ])
  func textBuckets(_ mode: StatsPrinter.HistogramMode, _ expected: String) throws {
    let options = StatsPrinter.Options(
      kind: .histogram, histogramMode: mode, filter: { $0.hasSuffix("rq_time") })
    #expect(try Self.filled().printed(options) == expected)
  }

  @Test func intervalsAreShownOnceLatched() throws {
    let registry = try Self.filled()
    let metric = try #require(registry.find("cluster.a.upstream_rq_time"))
    registry.latchInterval(of: metric)
    let options = StatsPrinter.Options(
      histogramMode: .cumulative, filter: { $0.hasSuffix("rq_time") })
    #expect(registry.printed(options).contains("B0.5(3,3) B1(4,4)"))
  }

  @Test func usedOnlyAndKind() throws {
    let registry = try Self.filled()
    let counters = registry.printed(.init(usedOnly: true, kind: .counter))
    #expect(
      counters == """
        cluster.a.upstream_rq_200: 1
        cluster.a.upstream_rq_total: 3
        cluster.b"x.upstream_rq_total: 4

        """)
    #expect(!registry.printed(.init(usedOnly: true)).contains("No recorded values"))
  }

  @Test func json() throws {
    let registry = try Self.filled()
    let options = StatsPrinter.Options(
      format: .json, histogramMode: .disjoint,
      filter: { $0.hasSuffix("rq_time") || $0.hasPrefix("cluster.b") || $0 == "server.mode" })
    #expect(
      registry.printed(options) == """
        {"stats":[{"name":"server.mode","value":"edge \\"1\\""},\
        {"name":"cluster.b\\"x.upstream_rq_total","value":4},\
        {"histograms":[{"name":"cluster.a.upstream_rq_time","buckets":[\
        {"upper_bound":0.5,"interval":0,"cumulative":3},\
        {"upper_bound":1,"interval":0,"cumulative":1},\
        {"upper_bound":25,"interval":0,"cumulative":1},\
        {"upper_bound":1800000,"interval":0,"cumulative":0}]}]}]}
        """)
    let summary = registry.printed(.init(format: .json, kind: .histogram))
    #expect(
      summary.hasPrefix(
        """
        {"stats":[{"histograms":{"supported_quantiles":[0,25,50,75,90,95,99,99.5,99.9,100],\
        "computed_quantiles":[{"name":"cluster.a.upstream_cx_length_ms","values":[\
        {"cumulative":null,"interval":null},
        """))
    #expect(summary.hasSuffix("{\"cumulative\":20.032,\"interval\":null}]}]}}]}"))
    let detailed = registry.printed(
      .init(format: .json, usedOnly: true, kind: .histogram, histogramMode: .detailed))
    #expect(detailed.contains("\"totals\":[{\"lower_bound\":0.1,\"width\":0.001,\"count\":3},"))
    #expect(detailed.hasSuffix("]}]}}]}"))
  }

  @Test func jsonOfNothing() throws {
    let options = StatsPrinter.Options(format: .json, filter: { _ in false })
    #expect(try Self.filled().printed(options) == "{\"stats\":[]}")
    #expect(try makeRegistry().printed(.init(format: .json)) == "{\"stats\":[]}")
  }

  @Test func prometheus() throws {
    #expect(
      try Self.filled().printed(.init(format: .prometheus)) == """
        # TYPE envoy_cluster_upstream_rq counter
        envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 1
        # TYPE envoy_cluster_upstream_rq_total counter
        envoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 3
        envoy_cluster_upstream_rq_total{envoy_cluster_name="b\\"x"} 4
        # TYPE envoy_server_unused counter
        envoy_server_unused{} 0
        # TYPE envoy_cluster_upstream_cx_active gauge
        envoy_cluster_upstream_cx_active{envoy_cluster_name="a"} 1
        # TYPE envoy_cluster_upstream_rq_time histogram
        envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="0.5"} 3
        envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="1"} 4
        envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="25"} 5
        envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="1800000"} 5
        envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="+Inf"} 5
        envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="a"} 21.2
        envoy_cluster_upstream_rq_time_count{envoy_cluster_name="a"} 5

        """)
  }

  @Test func namesThatPrometheusCannotTellApartShareAFamily() throws {
    let registry = try makeRegistry()
    for name in ["a.b", "a_b", "a-b"] { _ = registry.counter(name) }
    let text = registry.printed(.init(format: .prometheus))
    #expect(text == "# TYPE envoy_a_b counter\nenvoy_a_b{} 0\nenvoy_a_b{} 0\nenvoy_a_b{} 0\n")
  }

  @Test func prometheusSummary() throws {
    let registry = try Self.filled()
    let options = StatsPrinter.Options(
      format: .prometheus, kind: .histogram, histogramMode: .summary)
    let text = registry.printed(options)
    #expect(text.hasPrefix("# TYPE envoy_cluster_upstream_rq_time summary\n"))
    #expect(
      text.contains(
        "envoy_cluster_upstream_rq_time{envoy_cluster_name=\"a\",quantile=\"0.995\"} nan\n"))
    #expect(text.hasSuffix("_count{envoy_cluster_name=\"a\"} 0\n"))
  }

  @Test(arguments: [StatsPrinter.Format.text, .json, .prometheus])
  func everyBudgetPrintsTheSame(_ format: StatsPrinter.Format) throws {
    let registry = try Self.filled()
    let whole = registry.printed(.init(format: format))
    for budget in [0, 1, 2, 17, 64, 300] {
      #expect(registry.printed(.init(format: format), budgetBytes: budget) == whole)
    }
    var printer = StatsPrinter(registry: registry, options: .init(format: format))
    var output: [UInt8] = []
    #expect(printer.next(into: &output, budgetBytes: 1))
    #expect(output.count < whole.utf8.count)
  }

  @Test func removedMetricsArePrintedWithTheirLastValue() throws {
    let registry = try makeRegistry()
    let scope = registry.makeScope(prefix: "s.")
    registry.mainSlab.add(scope.counter("c"), 7)
    var printer = StatsPrinter(registry: registry)
    registry.recycle(registry.removeScope(scope))
    registry.mainSlab.add(registry.counter("new"), 9)
    var output: [UInt8] = []
    #expect(!printer.next(into: &output, budgetBytes: 100))
    #expect(String(decoding: output, as: UTF8.self) == "s.c: 7\n")
  }

  @Test(arguments: [
    (UInt64(0), "0"), (1, "0.001"), (10, "0.01"), (100, "0.1"), (1000, "1"), (1234, "1.234"),
    (999_999_999, "999999.999"), (1_000_000_000, "1e+06"), (1_234_567_800, "1.23457e+06"),
    (9_999_999_999, "1e+07"), (1_800_000_000, "1.8e+06"),
  ])
  func generalNumbers(_ value: UInt64, _ expected: String) {
    var output: [UInt8] = []
    output.append(generalRecorded: value, unit: .milliseconds)
    #expect(String(decoding: output, as: UTF8.self) == expected)
  }
}
