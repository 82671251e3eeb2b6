import ConfigCompiler
import ConfigLoader
import Proxy
import Testing

struct LimitTests {
  private func compile(_ breakers: String, runtime: String = "", warnings: [String] = []) throws -> ClusterConfig {
    var bench = try Bench()
    let extra = breakers.isEmpty ? "" : "circuit_breakers: { \(breakers.replacing("\n", with: " ")) }"
    let text = Fixture.bootstrap(clusters: Fixture.cluster("a", extra: extra)) + runtime
    let compiled = try bench.compile(text)
    #expect(compiled.warnings.map(\.message) == warnings)
    return try #require(compiled.snapshot.clusters.buffer.compactMap { $0 }.first).pointer.pointee
  }

  private func layer(_ text: String) -> String {
    "layered_runtime: { layers: [{ name: s, static_layer: { \(text.replacing("\n", with: " ")) } }] }\n"
  }

  @Test func prioritiesHaveLimitsOfTheirOwn() throws {
    let config = try compile(
      """
      thresholds: [{ max_connections: 5, max_connection_pools: 6, track_remaining: true },
      { priority: HIGH, retry_budget: { budget_percent: { value: 12.5 }, budget_interval: 2.5s } }],
      per_host_thresholds: [{ priority: HIGH, max_connections: 7 }]
      """)
    #expect(config.normalLimits.connections == 5)
    #expect(config.normalLimits.pools == 6)
    #expect(config.normalLimits.tracksRemaining)
    #expect(config.normalLimits.settings == .connections)
    #expect(config.normalLimits.retryBudget == nil)
    #expect(config.normalLimits.hostConnections == .max)
    #expect(config.highLimits.hostConnections == 7)
    #expect(config.highLimits.pools == .max)
    let budget = try #require(config.highLimits.retryBudget)
    #expect(budget.percent == 12.5)
    #expect(budget.concurrencyMin == 3)
    #expect(budget.intervalMilliseconds == 2500)
  }

  @Test func theRuntimeStandsForLimits() throws {
    let config = try compile(
      "thresholds: [{ max_requests: 5, max_retries: 6 }]",
      runtime: layer(
        """
        circuit_breakers: { a: { default: { max_requests: 9, max_connection_pools: 2 }, high: { retry_budget: { budget_percent: 30 } } } },
        upstream.maintenance_mode.a: 40
        """))
    #expect(config.normalLimits.requests == 9)
    #expect(config.normalLimits.retries == 6)
    #expect(config.normalLimits.pools == 2)
    #expect(config.normalLimits.settings == [.requests, .retries])
    #expect(config.highLimits.retryBudget?.percent == 30)
    #expect(config.maintenancePercent == 40)
  }

  @Test func maintenanceOfOthersIsNotOurs() throws {
    let warnings = ["the runtime key \"upstream.maintenance_mode.b\" has no effect"]
    #expect(try compile("", runtime: layer("upstream.maintenance_mode.b: 40"), warnings: warnings).maintenancePercent == 0)
    #expect(try compile("", runtime: layer("upstream.maintenance_mode.a: 140")).maintenancePercent == 100)
  }

  @Test func hostsAreCountedOnlyWhereTheyAreLimited() throws {
    var bench = try Bench()
    func shared(_ extra: String) throws -> Bool {
      _ = try bench.compile(Fixture.bootstrap(clusters: Fixture.cluster("a", extra: extra)))
      let hosts = try #require(bench.compiler.hostSets.first).hosts.pointer.pointee.hosts
      return hosts.buffer[0].pointer.pointee.shared != nil
    }
    #expect(try !shared("circuit_breakers: { thresholds: [{ max_connections: 1 }] }"))
    #expect(try shared("circuit_breakers: { per_host_thresholds: [{ max_connections: 1 }] }"))
  }

  @Test(arguments: [
    ("num_retries: 4", "", "num_retries 4 with max_retries 3 of cluster \"a\": at most 3 requests are repeated at a time"),
    ("num_retries: 3", "", nil),
    ("num_retries: 4", "max_retries: 4", nil),
    ("num_retries: 4", "retry_budget: {}", nil),
    ("num_retries: 4", "priority: HIGH, max_retries: 9", "num_retries 4 with max_retries 3 of cluster \"a\": at most 3 requests are repeated at a time"),
  ] as [(String, String, String?)])
  func moreRepeatsThanThereMayBe(policy: String, thresholds: String, warning: String?) throws {
    var bench = try Bench()
    let routes = "[{ match: { prefix: / }, route: { cluster: a, retry_policy: { retry_on: 5xx, \(policy) } } }]"
    let extra = thresholds.isEmpty ? "" : "circuit_breakers: { thresholds: [{ \(thresholds) }] }"
    let compiled = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http("l", routes: routes), clusters: Fixture.cluster("a", extra: extra)))
    #expect(compiled.warnings.map(\.message) == (warning.map { [$0] } ?? []))
  }

  @Test func aBudgetTakesThePlaceOfANumber() throws {
    var bench = try Bench()
    let extra = "circuit_breakers: { thresholds: [{ max_retries: 3, retry_budget: {} }] }"
    let compiled = try bench.compile(Fixture.bootstrap(clusters: Fixture.cluster("a", extra: extra)))
    #expect(compiled.warnings.map(\.message) == ["has no effect beside retry_budget"])
  }
}
