import Balancing
import ConfigCompiler
import ConfigLoader
import HostHealth
import Proxy
import Testing

/// Localities on their way from messages to host sets, and the own cluster's part in the sets of all others.
@Suite struct ZoneTests {
  /// A cluster with so many hosts in zones a and b.
  private static func cluster(_ name: String, _ a: Int, _ b: Int, network: Int, extra: String = "", priority: Int = 0) -> String {
    func group(_ zone: String, _ count: Int, _ third: Int) -> String {
      let hosts = (1...max(1, count)).prefix(count).map {
        "{ endpoint: { address: { socket_address: { address: 10.\(network).\(third).\($0), port_value: 80 } } } }"
      }
      return "{ locality: { zone: \(zone) }, priority: \(priority), lb_endpoints: [\(hosts.joined(separator: ", "))] }"
    }
    return """
        - name: \(name)
          load_assignment: { cluster_name: \(name), endpoints: [\(group("a", a, 1)), \(group("b", b, 2))] }
          \(extra)

      """
  }

  private static let own = "node: { locality: { zone: a } }\ncluster_manager: { local_cluster_name: self }\n"

  private func zone(_ bench: Bench, _ name: String = "api") throws -> ZonePlan.Outcome? {
    try #require(bench.compiler.hostSets.first { $0.config.value.name.text == name }).hosts.value.zone?.plan.outcome
  }

  @Test func theOwnClusterDecidesForAllOthers() throws {
    var bench = try Bench()
    let clusters = Self.cluster("api", 3, 3, network: 0) + Self.cluster("self", 2, 2, network: 1)
    _ = try bench.compile(Fixture.bootstrap(clusters: clusters) + Self.own)
    #expect(try zone(bench) == .direct)
    #expect(try zone(bench, "self") == nil)
    #expect(bench.value("cluster.api.lb_recalculate_zone_structures") == 1)

    // A host of the own cluster in the other zone falls out: here are two of three now.
    let other = try #require(bench.compiler.hostSets.first { $0.config.value.name.text == "self" }).hosts.value.hosts.array[3]
    let change = bench.compiler.setFlags(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: other.value.number, in: "self")
    #expect(change == .leaves)
    let table = try #require(bench.compiler.changedHosts())
    #expect(table.sets.array.count { $0 != nil } == 2)
    #expect(try zone(bench) == .residual)
    #expect(bench.value("cluster.api.lb_recalculate_zone_structures") == 2)
    #expect(bench.compiler.changedHosts() == nil)
  }

  @Test func zonesEndWithTheNameOfTheOwnCluster() throws {
    var bench = try Bench()
    let clusters = Self.cluster("api", 3, 3, network: 0) + Self.cluster("self", 2, 2, network: 1)
    let text = Fixture.bootstrap(clusters: clusters)
    _ = try bench.compile(text + Self.own)
    let kept = try bench.compile(text + Self.own)
    #expect(kept.changes.clustersModified.isEmpty)
    #expect(try zone(bench) == .direct)
    _ = try bench.compile(text)
    #expect(try zone(bench) == nil)
    // Another zone is the own one.
    _ = try bench.compile(text + Self.own.replacingZone(with: "c"))
    #expect(try zone(bench) == .ownLocalityIsEmpty)
    #expect(bench.value("cluster.api.lb_local_cluster_not_ok") == 1)
  }

  @Test func theServiceZoneIsTheNodes() throws {
    var bench = try Bench(options: CompilerOptions(workerNames: ["worker_0"], serviceZone: "b"))
    let clusters = Self.cluster("api", 2, 4, network: 0) + Self.cluster("self", 2, 2, network: 1)
    _ = try bench.compile(Fixture.bootstrap(clusters: clusters) + Self.own)
    let set = try #require(bench.compiler.hostSets.first { $0.config.value.name.text == "api" }).hosts
    #expect(set.value.localityNames?.names.map(\.zone) == ["b", "a"])
    #expect(try zone(bench) == .direct)
  }

  static let errors: [(String, String, String)] = [
    ("self", "", "cluster_manager.local_cluster_name: unknown cluster \"self\""),
    ("api", "", "cluster_manager.local_cluster_name: cluster \"api\" has priorities: zones need exactly one"),
  ]

  @Test(arguments: errors)
  func whatCannotBeTheOwnCluster(name: String, extra: String, line: String) throws {
    var bench = try Bench()
    let text =
      Fixture.bootstrap(clusters: Self.cluster("api", 3, 3, network: 0, priority: 1))
      + "node: { locality: { zone: a } }\ncluster_manager: { local_cluster_name: \(name) }\n"
    let found = try bench.errors(text)
    #expect(found.count == 1)
    #expect(found.first?.contains(line) == true, "\(found)")
  }

  @Test func withoutAZoneOfItsOwnItIsWarned() throws {
    var bench = try Bench()
    let clusters = Self.cluster("self", 2, 2, network: 1)
    let text = Fixture.bootstrap(clusters: clusters) + "cluster_manager: { local_cluster_name: self }\n"
    #expect(
      try bench.compile(text).warnings.map(\.message) == ["node.locality is not set, nor is --service-zone: no zone is the own one"])
  }

  @Test func weightsOfLocalities() throws {
    var bench = try Bench()
    func text(_ groups: String) -> String {
      Fixture.bootstrap(
        clusters: """
              - name: a
                common_lb_config: { locality_weighted_lb_config: {} }
                load_assignment: { cluster_name: a, endpoints: [\(groups)] }

          """)
    }
    func group(_ zone: String, _ fields: String, _ host: Int) -> String {
      "{ locality: { zone: \(zone) }, \(fields)lb_endpoints: [{ endpoint: { address: { socket_address: { address: 10.0.0.\(host), port_value: 80 } } } }] }"
    }
    let good = try bench.compile(text([group("a", "load_balancing_weight: 2, ", 1), group("b", "", 2)].joined(separator: ", ")))
    #expect(
      good.warnings.map(\.message) == ["with locality_weighted_lb_config a locality without load_balancing_weight takes no traffic"])
    let set = try #require(good.snapshot.hosts.sets.array[0]).value
    #expect(set.localities.array.map(\.weight) == [2, 0])
    #expect(set.chosen == [0])

    let twice = [group("a", "load_balancing_weight: 2, ", 1), group("a", "load_balancing_weight: 2, ", 2)]
    let errors = try bench.errors(text(twice.joined(separator: ", ")))
    #expect(errors.count == 1 && errors[0].contains("endpoints[1]: locality a of priority 0 is given already by endpoints[0]"), "\(errors)")
    let large = [group("a", "load_balancing_weight: 4294967295, ", 1), group("b", "load_balancing_weight: 1, ", 2)]
    let sums = try bench.errors(text(large.joined(separator: ", ")))
    #expect(sums.count == 1 && sums[0].contains("the sum of weights of priority 0's localities must be at most 4294967295"), "\(sums)")
  }

  @Test func theRuntimeStandsForFields() throws {
    var bench = try Bench()
    let runtime = """
      layered_runtime: { layers: [{ name: s, static_layer: { upstream: { healthy_panic_threshold: 20, zone_routing: { enabled: 30, min_cluster_size: 4 } } } }] }

      """
    let compilation = try bench.compile(Fixture.bootstrap(clusters: Fixture.cluster("a")) + runtime)
    #expect(compilation.warnings.isEmpty)
    let settings = try #require(compilation.snapshot.hosts.sets.array[0]).value.settings
    #expect(settings.levels.panicThreshold == 20)
    #expect(settings.zones.enabledPercent == 30 && settings.zones.minimumSize == 4)
  }

  @Test func whatThePolicyItselfSaysOfZones() throws {
    var bench = try Bench()
    let policy = """
      load_balancing_policy: { policies: [{ typed_extension_config: { name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3.Random, locality_lb_config: { zone_aware_lb_config: { routing_enabled: { value: 12.6 }, min_cluster_size: 3, force_local_zone: {}, locality_basis: HEALTHY_HOSTS_WEIGHT } } } } }] }
      """
    let clusters = Self.cluster("api", 3, 3, network: 0, extra: policy) + Self.cluster("self", 2, 2, network: 1)
    let compilation = try bench.compile(Fixture.bootstrap(clusters: clusters) + Self.own)
    #expect(compilation.warnings.isEmpty)
    var expected = ZoneSettings()
    (expected.enabledPercent, expected.minimumSize, expected.forcedMinimum, expected.usesWeights) = (13, 3, 1, true)
    #expect(try #require(compilation.snapshot.hosts.sets.array[0]).value.settings.zones == expected)
  }
}

extension String {
  fileprivate func replacingZone(with zone: String) -> String {
    split(separator: "zone: a").joined(separator: "zone: \(zone)")
  }
}
