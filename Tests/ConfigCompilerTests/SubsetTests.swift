import Balancing
import ConfigCompiler
import ConfigLoader
import HostHealth
import Proxy
import Testing

/// Subsets on their way from messages to host sets.
@Suite struct SubsetTests {
  private static func text(_ hosts: [String], _ fields: String, extra: String = "") -> String {
    let endpoints = hosts.enumerated().map { index, metadata in
      "{ metadata: { filter_metadata: { envoy.lb: { \(metadata) } } }, endpoint: { address: { socket_address: { address: 10.0.0.\(index + 1), port_value: 80 } } } }"
    }
    return Fixture.bootstrap(
      clusters: """
            - name: a
              load_assignment: { cluster_name: a, endpoints: [{ lb_endpoints: [\(endpoints.joined(separator: ", "))] }] }
              \(fields)

        """) + extra
  }

  private func set(_ bench: Bench) throws -> HostSet {
    try #require(bench.compiler.hostSets.first).hosts.value
  }

  @Test func whatDoesNotChangeIsShared() throws {
    var bench = try Bench()
    let config = "lb_subset_config: { subset_selectors: [{ keys: [v] }] }"
    _ = try bench.compile(Self.text(["v: 1", "v: 1", "v: 2", "w: 2"], config))
    let first = try #require(try set(bench).subsets)
    #expect(first.count == 2)
    #expect(bench.value("cluster.a.lb_subsets_created") == 2)
    #expect(bench.value("cluster.a.lb_subsets_active") == 2)

    // The fourth host is in no subset: their sets stay.
    let hosts = try set(bench).hosts.array
    _ = bench.compiler.setFlags(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: hosts[3].value.number, in: "a")
    _ = try #require(bench.compiler.changedHosts())
    let second = try #require(try set(bench).subsets)
    #expect(second !== first && second.hasSameSubsets(as: first))
    #expect((0..<3).map { second.sets[$0] === first.sets[$0] } == [true, true, true])

    _ = bench.compiler.setFlags(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: hosts[0].value.number, in: "a")
    _ = try #require(bench.compiler.changedHosts())
    let third = try #require(try set(bench).subsets)
    #expect((0..<3).map { third.sets[$0] === first.sets[$0] } == [false, true, true])
    #expect(third.sets[0].value.counts.healthy == 1)

    // Other metadata are other subsets; connections stay with their hosts.
    _ = try bench.compile(Self.text(["v: 1", "v: 3", "v: 2", "w: 2"], config))
    #expect(try set(bench).hosts.array.map(\.value.identity) == hosts.map(\.value.identity))
    #expect(bench.value("cluster.a.lb_subsets_created") == 3)
    _ = try bench.compile(Self.text(["v: 1", "v: 3", "w: 2", "w: 2"], config))
    #expect(bench.value("cluster.a.lb_subsets_removed") == 1)
    #expect(bench.value("cluster.a.lb_subsets_active") == 2)
  }

  static let errors: [(String, String)] = [
    (
      "lb_subset_config: { subset_selectors: [{ keys: [v], fallback_policy: KEYS_SUBSET }] }",
      "lb_subset_config.subset_selectors[0].fallback_keys_subset: KEYS_SUBSET needs at least one key"
    ),
    (
      "lb_subset_config: { subset_selectors: [{ keys: [v, w], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [x] }] }",
      "lb_subset_config.subset_selectors[0].fallback_keys_subset: must be among the selector's keys"
    ),
    (
      "lb_subset_config: { subset_selectors: [{ keys: [v, w], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [w, v] }] }",
      "lb_subset_config.subset_selectors[0].fallback_keys_subset: must be fewer than the selector's keys"
    ),
    (
      "lb_subset_config: { subset_selectors: [{ keys: [v, w], single_host_per_subset: true }] }",
      "lb_subset_config.subset_selectors[0].single_host_per_subset: needs exactly one key, there are 2"
    ),
    (
      "lb_policy: MAGLEV\n      maglev_lb_config: { table_size: 5000011 }\n      lb_subset_config: { subset_selectors: [{ keys: [shard] }] }",
      "load_assignment: 20 subsets with tables of 5000011 places each are too many: at most 67108864 places are made; choose smaller tables"
    ),
  ]

  @Test(arguments: errors)
  func errorsNameTheirPlace(fields: String, line: String) throws {
    var bench = try Bench()
    let found = try bench.errors(Self.text((1...20).map { "shard: \($0)" }, fields))
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix("static_resources.clusters[0].\(line)") == true, "\(found)")
  }

  static let warnings: [(String, [String])] = [
    ("lb_subset_config: { fallback_policy: ANY_ENDPOINT }", ["has no effect without subset_selectors"]),
    (
      "lb_subset_config: { subset_selectors: [{}], default_subset: { a: b }, scale_locality_weight: true }",
      [
        "has no effect: a selector without keys makes no subsets", "has no effect without locality_weight_aware",
        "has no effect: no fallback policy is DEFAULT_SUBSET",
      ]
    ),
    (
      "lb_subset_config: { subset_selectors: [{ keys: [a], fallback_keys_subset: [a] }] }",
      ["has no effect without fallback_policy KEYS_SUBSET"]
    ),
  ]

  @Test(arguments: warnings)
  func warningsSayWhatDoesNotCount(fields: String, warnings: [String]) throws {
    var bench = try Bench()
    #expect(try bench.compile(Self.text(["v: 1"], fields)).warnings.map(\.message) == warnings)
  }

  @Test func onlyOneNamespaceIsAboutHosts() throws {
    var bench = try Bench()
    let routes = "[{ match: { prefix: / }, route: { cluster: a, metadata_match: { filter_metadata: { envoy.lb: { v: 1 }, other: { v: 1 } } } } }]"
    let compilation = try bench.compile(
      Fixture.bootstrap(listeners: Fixture.http("l", routes: routes), clusters: Fixture.cluster("a")))
    #expect(compilation.warnings.map(\.message) == ["has no effect: only envoy.lb is about hosts"])
  }
}
