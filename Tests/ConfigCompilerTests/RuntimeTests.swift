import Balancing
import ConfigCompiler
import ConfigLoader
import Proxy
import Routing
import Testing

/// Keys of the runtime that stand for fields which name them.
@Suite struct RuntimeTests {
  private static func text(route: String = "{ match: { prefix: / }, route: { cluster: a } }", cluster: String = "", layers: String...) -> String {
    let layers = layers.enumerated().map { "{ name: l\($0), static_layer: { \($1) } }" }.joined(separator: ", ")
    return Fixture.bootstrap(
      listeners: Fixture.http("l", routes: "[\(route)]"),
      clusters: Fixture.cluster("a", extra: cluster) + Fixture.cluster("b"))
      + "layered_runtime: { layers: [\(layers)] }\n"
  }

  private static func policies(_ compilation: Compilation) throws -> RoutePolicies {
    let table = try #require(compilation.snapshot.routeTables.array[0]).value
    return try #require(table.policies.array.first)
  }

  private static let mirror =
    "{ match: { prefix: / }, route: { cluster: a, request_mirror_policies: [{ cluster: b, runtime_fraction: { default_value: { numerator: 7 }, runtime_key: x.y } }] } }"

  @Test(arguments: [
    ("z: 1", [7, 100]), ("x.y: 30", [30, 100]), ("x: { y: 30 }", [30, 100]), ("x.y: '30'", [30, 100]), ("x.y: 101", [100, 100]),
    ("x.y: { numerator: 30 }", [30, 100]), ("x: { y: { numerator: 30, denominator: MILLION } }", [30, 1_000_000]),
    ("x.y: { denominator: TEN_THOUSAND }", [0, 10_000]), ("x.y: -1", [7, 100]), ("x.y: many", [7, 100]), ("x.y: 1.0e+300", [7, 100]),
    ("x.y: { numerator: no }", [7, 100]), ("x.y: [1]", [7, 100]), ("x.y: null", [7, 100]),
  ])
  func shares(_ layer: String, _ share: [UInt32]) throws {
    var bench = try Bench()
    let compilation = try bench.compile(Self.text(route: Self.mirror, layers: layer))
    let mirror = try #require(try Self.policies(compilation).mirrors.array.first)
    #expect([mirror.numerator, mirror.denominator] == share)
    let isNoShare = share == [7, 100] && layer != "z: 1"
    #expect(
      compilation.warnings.map(\.message)
        == (isNoShare
          ? ["the value of the runtime key \"x.y\" is no share: the field's own counts"]
          : layer == "z: 1" ? ["the runtime key \"z\" has no effect"] : []))
  }

  @Test func aLaterLayerWins() throws {
    var bench = try Bench()
    let compilation = try bench.compile(Self.text(route: Self.mirror, layers: "x: { y: 30 }", "x.y: 40"))
    #expect(try Self.policies(compilation).mirrors.array.first?.numerator == 40)
  }

  @Test func weights() throws {
    let route = """
      { match: { prefix: / }, route: { weighted_clusters: { runtime_key_prefix: w, clusters: [{ name: a, weight: 1 }, { name: b, weight: 3 }] } } }
      """
    var bench = try Bench()
    let compilation = try bench.compile(Self.text(route: route, layers: "w.b: 9"))
    let table = try #require(compilation.snapshot.routeTables.array[0]).value.table
    guard case .weighted(_, let count, let total) = table.lookup.route(0).pointee.target else {
      return #expect(Bool(false))
    }
    #expect(count == 2 && total == 10)
    #expect(compilation.warnings.isEmpty)
  }

  @Test func numbersOfBalancers() throws {
    let least = "lb_policy: LEAST_REQUEST\n    least_request_lb_config: { active_request_bias: { default_value: 0.5, runtime_key: bias } }"
    for (layer, bias) in [("bias: 2.5", 2.5), ("bias: '3'", 3), ("bias: -1", 0.5), ("other: 1", 0.5)] {
      var bench = try Bench()
      let set = try #require(
        try bench.compile(Self.text(cluster: least, layers: layer)).snapshot.hosts.sets.array.compactMap { $0 }.first)
      #expect(set.value.settings.leastRequest.activeRequestBias == bias, "\(layer)")
    }
  }

  @Test func repeats() throws {
    let route = "{ match: { prefix: / }, route: { cluster: a, retry_policy: { retry_on: 5xx } } }"
    var bench = try Bench()
    let compilation = try bench.compile(Self.text(route: route, layers: "upstream: { use_retry: 25, base_retry_backoff_ms: 40 }"))
    let retry = try Self.policies(compilation).retry
    #expect(retry.backoff == nil)
    #expect(compilation.snapshot.clusters.array.compactMap { $0?.pointer.pointee.retryBackoff.base } == [40_000_000, 40_000_000])
    #expect(compilation.snapshot.clusters.array.compactMap { $0?.pointer.pointee.retryPercent } == [25, 25])
    #expect(compilation.warnings.isEmpty)
    let own = "{ match: { prefix: / }, route: { cluster: a, retry_policy: { retry_on: 5xx, retry_back_off: { base_interval: 0.002s } } } }"
    #expect(
      try Self.policies(bench.compile(Self.text(route: own, layers: "upstream.base_retry_backoff_ms: 40"))).retry.backoff
        == RetryBackoff(base: 2_000_000))
    #expect(try bench.compile(Self.text(layers: "upstream.use_retry: 400")).snapshot.clusters.array.first??.value.retryPercent == 100)
  }

  /// Only values change: route tables are new, listeners stay.
  @Test func aReloadOfValuesAlone() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text(route: Self.mirror, layers: "x.y: 30"))
    let second = try bench.compile(Self.text(route: Self.mirror, layers: "x.y: 31"))
    #expect(try Self.policies(second).mirrors.array.first?.numerator == 31)
    #expect(second.warnings.isEmpty)
    #expect(second.changes.listenersAdded.isEmpty && second.changes.listenersRemoved.isEmpty)
    let third = try bench.compile(Self.text(route: Self.mirror, layers: "x.y: 31"))
    #expect(third.warnings.isEmpty)
    #expect(third.changes.listenersModified.isEmpty && third.changes.clustersModified.isEmpty)
  }
}
