import ConfigCompiler
import ConfigLoader
import Proxy
import Routing
import Testing

/// Hash policies of routes on their way from messages to tables; what they compute is in RoutingTests.
@Suite struct HashPolicyTests {
  private static let policy = "hash_policy: [{ header: { header_name: x } }]"

  private static func compile(_ action: String, virtualHost: String = "", clusters: String = "") throws -> ([String], RouteTableConfig) {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http(
          "l", routes: "[{ match: { prefix: / }, route: { \(action) } }]", virtualHost: virtualHost),
        clusters: Fixture.cluster("a") + Fixture.cluster("b", extra: "lb_policy: RANDOM") + clusters))
    let table = try #require(compilation.snapshot.routeTables.array[0]).value
    return (compilation.warnings.map(\.message), table)
  }

  @Test(arguments: [
    ("cluster: a, \(policy)", ["has no effect: cluster \"a\" balances by ROUND_ROBIN"]),
    ("cluster: b, \(policy)", ["has no effect: cluster \"b\" balances by RANDOM"]),
    ("cluster: a", []),
    ("cluster_header: x, \(policy)", []),
    (
      "weighted_clusters: { clusters: [{ name: b, weight: 1 }, { name: a, weight: 1 }] }, \(policy)",
      ["has no effect: cluster \"b\" balances by RANDOM"]
    ),
    ("weighted_clusters: { clusters: [{ name: a, weight: 1 }], use_hash_policy: true }, \(policy)", []),
    (
      "weighted_clusters: { clusters: [{ name: a, weight: 1 }], use_hash_policy: true }",
      ["has no effect: the route has no hash_policy"]
    ),
  ])
  func unusedHashIsWarnedOf(action: String, warnings: [String]) throws {
    #expect(try Self.compile(action).0 == warnings)
  }

  @Test(arguments: [("use_hash_policy: true", true), ("use_hash_policy: false", false), ("header_name: x", false)])
  func weightedClustersSelectByHash(specifier: String, selects: Bool) throws {
    let (_, table) = try Self.compile(
      "weighted_clusters: { clusters: [{ name: a, weight: 1 }], \(specifier) }, \(Self.policy)")
    #expect(table.table.lookup.route(0).pointee.selectsByHash == selects)
  }

  @Test func policiesOfHostAndRouteMeet() throws {
    let host = "retry_policy: { num_retries: 7 }\n              include_is_timeout_retry_header: true"
    let (_, table) = try Self.compile("cluster: a, \(Self.policy)", virtualHost: host)
    let slot = try #require(table.table.lookup.route(0).pointee.policySlot)
    let policies = table.policies.array[Int(slot)]
    #expect(policies.hash?.count == 1)
    #expect(policies.hasRetry && policies.retry.repeatsMax == 7)
    #expect(policies.tellsTimeoutRetries)
    let (_, other) = try Self.compile("cluster: a, retry_policy: { num_retries: 2 }", virtualHost: host)
    let own = other.policies.array[Int(try #require(other.table.lookup.route(0).pointee.policySlot))]
    #expect(own.hash == nil)
    #expect(own.retry.repeatsMax == 2 && own.tellsTimeoutRetries)
  }
}
