import ConfigCompiler
import Proxy
import Testing

/// Main's own clusters, by which it asks how hosts are.
@Suite struct CheckClusterTests {
  private static func text(_ extra: String) -> String {
    let check = "{ timeout: 1s, interval: 5s, healthy_threshold: 1, unhealthy_threshold: 1, http_health_check: { path: / } }"
    return Fixture.bootstrap(clusters: Fixture.cluster("a", extra: "health_checks: [\(check)]\n    \(extra)"))
  }

  private static let http2 =
    "typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } }"

  private static func shared(_ bench: Bench) throws -> ClusterShared {
    let clusters = bench.compiler.checkSnapshot(listeners: []).clusters.array.compactMap { $0 }
    return try #require(clusters.first).value.shared
  }

  /// Where a host is checked may change: then it is another one, once.
  @Test func anAddressOfItsOwn() throws {
    var bench = try Bench()
    func identity(_ port: Int, _ extra: String) throws -> UInt64 {
      let text = Self.text(extra).replacing(
        "port_value: 80 } } }", with: "port_value: 80 } }, health_check_config: { port_value: \(port) } }")
      _ = try bench.compile(text)
      let set = try #require(bench.compiler.checkSnapshot(listeners: []).hosts.sets.array.compactMap { $0 }.first)
      return try #require(set.value.hosts.array.first).value.identity
    }
    let first = try identity(81, "")
    #expect(try identity(81, "lb_policy: RANDOM") == first)
    let second = try identity(82, "lb_policy: RANDOM")
    #expect(second != first)
    #expect(try identity(82, "lb_policy: ROUND_ROBIN") == second)
    #expect(try identity(82, "lb_policy: RANDOM") == second)
  }

  /// Checks that are under way give their units back to what they took them from: one that was never taken would leave
  /// room for none.
  @Test func unitsOutliveAVersionOfTheCluster() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text(""))
    let first = try Self.shared(bench)
    for extra in ["connect_timeout: 2s", Self.http2] {
      let compilation = try bench.compile(Self.text(extra))
      #expect(!compilation.changes.isEmpty)
      #expect(try Self.shared(bench) === first)
    }
  }
}
