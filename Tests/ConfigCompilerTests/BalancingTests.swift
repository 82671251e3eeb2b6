import Balancing
import ConfigCompiler
import ConfigLoader
import Proxy
import Testing

/// Balancing policies on their way from messages to host sets, in both forms.
@Suite struct BalancingTests {
  struct Compiled {
    var warnings: [String]
    var settings: BalanceSettings
    var config: ClusterConfig
    var set: Frozen<HostSet>
  }

  private static func compile(_ fields: String, hosts: [String] = ["10.0.0.1:80"]) throws -> Compiled {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(clusters: Fixture.cluster("a", hosts: hosts, extra: fields)))
    let set = try #require(compilation.snapshot.hosts.sets.array[0])
    return Compiled(
      warnings: compilation.warnings.map(\.message), settings: set.value.settings,
      config: try #require(compilation.snapshot.clusters.array[0]).value, set: set)
  }

  private static func extensionForm(_ name: String, _ type: String, _ fields: String = "") -> String {
    """
    load_balancing_policy: { policies: [{ typed_extension_config: { name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.\(name).v3.\(type)\(fields.isEmpty ? "" : ", ")\(fields) } } }] }
    """
  }

  /// A change of settings, for the table.
  private static func settings(_ change: (inout BalanceSettings) -> Void) -> BalanceSettings {
    var settings = BalanceSettings()
    change(&settings)
    return settings
  }

  static let slow = "slow_start_config: { slow_start_window: 30s, aggression: { default_value: 2, runtime_key: x }, min_weight_percent: { value: 5 } }"

  static let rows: [(String, BalanceSettings)] = [
    ("", settings { _ in }),
    ("lb_policy: RANDOM", settings { $0.policy = .random }),
    ("round_robin_lb_config: { \(slow) }", settings { $0.slowStart = SlowStart(window: 30_000_000_000, minimumPercent: 5, aggression: 2) }),
    (extensionForm("round_robin", "RoundRobin", slow), settings { $0.slowStart = SlowStart(window: 30_000_000_000, minimumPercent: 5, aggression: 2) }),
    ("lb_policy: LEAST_REQUEST", settings { $0.policy = .leastRequest }),
    (
      "lb_policy: LEAST_REQUEST\n    least_request_lb_config: { choice_count: 3, active_request_bias: { default_value: 0.5, runtime_key: x } }",
      settings {
        $0.policy = .leastRequest
        $0.leastRequest = LeastRequest(choiceCount: 3, activeRequestBias: 0.5)
      }
    ),
    (
      extensionForm("least_request", "LeastRequest", "choice_count: 4"),
      settings {
        $0.policy = .leastRequest
        $0.leastRequest = LeastRequest(choiceCount: 4)
      }
    ),
    (
      extensionForm("least_request", "LeastRequest", "selection_method: FULL_SCAN"),
      settings {
        $0.policy = .leastRequest
        $0.scansAll = true
      }
    ),
    (extensionForm("random", "Random"), settings { $0.policy = .random }),
    ("lb_policy: RING_HASH", settings { $0.policy = .ringHash }),
    (
      "lb_policy: RING_HASH\n    ring_hash_lb_config: { minimum_ring_size: 5, maximum_ring_size: 9, hash_function: MURMUR_HASH_2 }\n    common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } }",
      settings {
        $0.policy = .ringHash
        $0.hashing.ringMinimum = 5
        $0.hashing.ringMaximum = 9
        $0.hashing.function = .murmurHash2
        $0.hashing.boundedLoad = BoundedLoad(factor: 120)
      }
    ),
    (
      extensionForm("ring_hash", "RingHash", "hash_function: XX_HASH, minimum_ring_size: 7, consistent_hashing_lb_config: { hash_balance_factor: 150 }"),
      settings {
        $0.policy = .ringHash
        $0.hashing.ringMinimum = 7
        $0.hashing.boundedLoad = BoundedLoad(factor: 150)
      }
    ),
    (
      "lb_policy: MAGLEV\n    maglev_lb_config: { table_size: 101 }",
      settings {
        $0.policy = .maglev
        $0.hashing.tableSize = 101
      }
    ),
    (
      extensionForm("maglev", "Maglev", "table_size: 65539"),
      settings {
        $0.policy = .maglev
        $0.hashing.tableSize = 65539
      }
    ),
  ]

  @Test(arguments: rows)
  func settingsArrive(fields: String, want: BalanceSettings) throws {
    let compiled = try Self.compile(fields)
    var want = want
    want.levels = compiled.settings.levels
    #expect(compiled.settings == want)
    #expect(compiled.warnings == [])
    #expect(compiled.config.hashesRequests == want.policy.hashes)
  }

  static let warnings: [(String, [String])] = [
    ("ring_hash_lb_config: {}", ["has no effect with lb_policy ROUND_ROBIN"]),
    ("lb_policy: RING_HASH\n    maglev_lb_config: {}", ["has no effect with lb_policy RING_HASH"]),
    (
      "common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } }",
      ["has no effect with lb_policy ROUND_ROBIN"]
    ),
    ("round_robin_lb_config: { slow_start_config: {} }", ["has no effect without slow_start_window"]),
    (
      "lb_policy: MAGLEV\n    maglev_lb_config: {}\n    \(extensionForm("random", "Random"))",
      ["has no effect beside load_balancing_policy", "has no effect beside load_balancing_policy"]
    ),
    (extensionForm("least_request", "LeastRequest", "enable_full_scan: true"), ["has no effect: use selection_method FULL_SCAN"]),
    (
      extensionForm("least_request", "LeastRequest", "choice_count: 4, selection_method: FULL_SCAN"),
      ["has no effect with selection_method FULL_SCAN"]
    ),
    (
      "lb_policy: RING_HASH\n    common_lb_config: { consistent_hashing_lb_config: { use_hostname_for_hashing: true } }",
      ["use_hostname_for_hashing: 10.0.0.1:80 has no hostname, its address stands for it"]
    ),
  ]

  @Test(arguments: warnings)
  func warningsSayWhatDoesNotCount(fields: String, warnings: [String]) throws {
    #expect(try Self.compile(fields).warnings == warnings)
  }

  static let errors: [(String, String)] = [
    (
      "common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } }\n    \(extensionForm("ring_hash", "RingHash"))",
      "common_lb_config.consistent_hashing_lb_config: and load_balancing_policy exclude each other: the policy has such a field of its own"
    ),
    ("lb_policy: CLUSTER_PROVIDED", "lb_policy: CLUSTER_PROVIDED needs a cluster type that provides a balancer, and there is none yet"),
    ("lb_policy: LOAD_BALANCING_POLICY_CONFIG", "lb_policy: LOAD_BALANCING_POLICY_CONFIG needs load_balancing_policy"),
    (
      "lb_policy: RING_HASH\n    ring_hash_lb_config: { minimum_ring_size: 2048, maximum_ring_size: 1024 }",
      "ring_hash_lb_config: minimum_ring_size (2048) is larger than maximum_ring_size (1024)"
    ),
    (
      "lb_policy: RING_HASH\n    ring_hash_lb_config: { maximum_ring_size: 1000 }",
      "ring_hash_lb_config: minimum_ring_size (1024, the default) is larger than maximum_ring_size (1000)"
    ),
    ("lb_policy: MAGLEV\n    maglev_lb_config: { table_size: 65536 }", "maglev_lb_config.table_size: must be a prime number, got 65536; 65537 is one"),
    ("lb_policy: MAGLEV\n    maglev_lb_config: { table_size: 0 }", "maglev_lb_config.table_size: must be a prime number, got 0; 2 is one"),
    (
      "lb_policy: LEAST_REQUEST\n    least_request_lb_config: { active_request_bias: { default_value: -1, runtime_key: x } }",
      "least_request_lb_config.active_request_bias.default_value: must be a number of at least 0, got -1.0"
    ),
    (
      "round_robin_lb_config: { slow_start_config: { slow_start_window: 1s, aggression: { default_value: 0, runtime_key: x } } }",
      "round_robin_lb_config.slow_start_config.aggression.default_value: must be a number above 0, got 0.0"
    ),
    (
      "common_lb_config: { locality_weighted_lb_config: {} }\n    \(extensionForm("random", "Random"))",
      "common_lb_config.locality_weighted_lb_config: and load_balancing_policy exclude each other: the policy has such a field of its own"
    ),
    (
      extensionForm("ring_hash", "RingHash", "consistent_hashing_lb_config: { hash_policy: [{ filter_state: { key: x } }] }"),
      "load_balancing_policy.policies[0].typed_extension_config.typed_config.consistent_hashing_lb_config.hash_policy[0].filter_state: is not supported by apus: no filter leaves state for others yet"
    ),
  ]

  @Test(arguments: errors)
  func errorsNameTheirPlace(fields: String, error: String) throws {
    var bench = try Bench()
    let found = try bench.errors(Fixture.bootstrap(clusters: Fixture.cluster("a", extra: fields)))
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix("static_resources.clusters[0].\(error)") == true, "\(found)")
  }

  @Test func hashKeysArrive() throws {
    var bench = try Bench()
    let endpoint = "endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } }"
    func text(_ metadata: String) -> String {
      Fixture.bootstrap(
        clusters: """
              - name: a
                type: STATIC
                lb_policy: RING_HASH
                load_assignment: { cluster_name: a, endpoints: [{ lb_endpoints: [{ \(endpoint), metadata: { filter_metadata: { envoy.lb: { \(metadata) } } } }] }] }

          """)
    }
    func host(_ compilation: Compilation) throws -> Frozen<HostConfig> {
      try #require(compilation.snapshot.hosts.sets.array[0]).value.hosts.array[0]
    }
    let keyed = try bench.compile(text("hash_key: shard-1"))
    #expect(try host(keyed).value.hashKey?.text == "shard-1")
    // Another key is another host to rings, and the same to connections.
    let other = try bench.compile(text("hash_key: shard-2"))
    #expect(try host(other).value.hashKey?.text == "shard-2")
    #expect(try host(other).value.identity == host(keyed).value.identity)
    let odd = try bench.compile(text("hash_key: 5"))
    #expect(try host(odd).value.hashKey == nil)
    #expect(odd.warnings.map(\.message) == ["has no effect: it is not a string"])
  }

  @Test func sizesAreShown() throws {
    var bench = try Bench()
    _ = try bench.compile(
      Fixture.bootstrap(
        clusters: Fixture.cluster("a", hosts: ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"], extra: "lb_policy: RING_HASH")
          + Fixture.cluster("b", hosts: ["10.0.0.1:80", "10.0.0.2:80"], extra: "lb_policy: MAGLEV")))
    #expect(bench.value("cluster.a.ring_hash_lb.size") == 1026)
    #expect(bench.value("cluster.a.ring_hash_lb.min_hashes_per_host") == 342)
    #expect(bench.value("cluster.a.ring_hash_lb.max_hashes_per_host") == 342)
    #expect(bench.value("cluster.b.maglev_lb.min_entries_per_host") == 32768)
    #expect(bench.value("cluster.b.maglev_lb.max_entries_per_host") == 32769)
    #expect(!bench.metricNames.contains("cluster.a.maglev_lb.min_entries_per_host"))
  }

  /// Hosts of a new cluster are as new as each other; who comes later, or comes back, is newer.
  @Test func newHostsAreKnown() throws {
    let clock = Clock()
    var bench = try Bench(options: CompilerOptions(workerNames: ["worker_0"], now: { clock.now }))
    func set(_ hosts: [String], _ extra: String = "") throws -> HostSet {
      let compilation = try bench.compile(
        Fixture.bootstrap(
          clusters: Fixture.cluster(
            "a", hosts: hosts, extra: "round_robin_lb_config: { slow_start_config: { slow_start_window: 10s } }\(extra)")))
      return try #require(compilation.snapshot.hosts.sets.array[0]).value
    }
    #expect(try set(["10.0.0.1:80", "10.0.0.2:80"]).startingUntil == 0)
    clock.now = 60_000_000_000
    #expect(try set(["10.0.0.1:80", "10.0.0.3:80", "10.0.0.2:80"]).startingUntil == 70_000_000_000)
    clock.now = 65_000_000_000
    let later = try set(["10.0.0.1:80", "10.0.0.3:80", "10.0.0.2:80"], "\n    circuit_breakers: { thresholds: [{ max_requests: 5 }] }")
    #expect(later.startingUntil == 70_000_000_000)
    #expect(later.readySince.array == [1, 60_000_000_000, 1])
    clock.now = 70_000_000_000
    #expect(try set(["10.0.0.1:80", "10.0.0.3:80"], "\n    circuit_breakers: { thresholds: [{ max_requests: 6 }] }").startingUntil == 0)
  }

  final class Clock: @unchecked Sendable {
    // Sendable: one thread sets and reads it.
    var now: UInt64 = 1
  }
}
