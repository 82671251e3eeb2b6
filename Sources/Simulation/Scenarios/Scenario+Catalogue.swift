/// The scenarios that have a name. What must come of each is in `Tests/SimulationTests`.
extension Scenario {
  public static let names: [String] = catalogue.map(\.name)

  public init?(named name: String) {
    guard let found = Self.catalogue.first(where: { $0.name == name }) else { return nil }
    self = found.make()
  }

  private static let catalogue: [(name: String, make: @Sendable () -> Scenario)] = [
    ("zone-lost", { .zoneLost() }),
    ("priority-half-down", { .priorityHalfDown() }),
    ("flapping", { .flapping() }),
    ("slow-start", { .slowStart() }),
    ("ejection-storm", { .ejectionStorm() }),
    ("death-spiral", { .deathSpiral(.limited) }),
    ("death-spiral-budget-only", { .deathSpiral(.budgetOnly) }),
    ("death-spiral-unlimited", { .deathSpiral(.unlimited) }),
  ]

  /// Every host is asked five times a second.
  private static let checks =
    "health_checks: [{ timeout: 0.2s, interval: 0.2s, no_traffic_interval: 0.2s, unhealthy_threshold: 2, healthy_threshold: 2, http_health_check: { path: /healthz } }]"

  /// A repeat goes to a host that has not failed yet.
  private static let otherHost =
    "host_selection_retry_max_attempts: 5, retry_host_predicate: [{ name: previous, typed_config: { \"@type\": \(SimulatedConfiguration.types).extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } }]"

  // MARK: Zones and priorities

  /// Three zones of two hosts; the proxy is in the first. Nothing that is sent to that zone comes back from the second to
  /// the fifth second.
  public static func zoneLost() -> Scenario {
    let lost = HostScript.from(2, to: 5, .blackhole)
    let hosts =
      [1, 2].map { Host($0, zone: "a", script: lost) } + [3, 4].map { Host($0, zone: "b") } + [5, 6].map { Host($0, zone: "c") }
    var configuration = ScenarioConfiguration(hosts)
    configuration.bootstrap = [
      "node: { id: proxy, cluster: self, locality: { region: r, zone: a } }", "cluster_manager: { local_cluster_name: self }",
    ]
    configuration.ownZones = ["a", "b", "c"]
    configuration.cluster = [
      checks, "connect_timeout: 0.2s",
      "outlier_detection: { consecutive_5xx: 3, interval: 0.2s, base_ejection_time: 1s, max_ejection_percent: 40 }",
      "common_lb_config: { update_merge_window: 0.1s, zone_aware_lb_config: { min_cluster_size: 1 } }",
      "circuit_breakers: { thresholds: [{ max_retries: 1000 }] }",
    ]
    configuration.route =
      ", timeout: 3s, retry_policy: { retry_on: \"gateway-error,connect-failure,reset\", num_retries: 5, per_try_timeout: 0.2s, \(otherHost) }"
    return Scenario(hosts: hosts, configuration, load: [Load(from: 0.5, rate: 200)], seconds: 8)
  }

  /// Four hosts, and four that stand by. Half of the first four are gone from the second to the fifth second.
  public static func priorityHalfDown() -> Scenario {
    let gone = HostScript.from(2, to: 5, .gone)
    let hosts = (1...4).map { Host($0, script: $0 <= 2 ? gone : HostScript()) } + (5...8).map { Host($0, priority: 1) }
    var configuration = ScenarioConfiguration(hosts)
    configuration.cluster = [
      checks, "common_lb_config: { update_merge_window: 0.1s }",
      // More than there are at a time before the checks have noticed.
      "circuit_breakers: { thresholds: [{ max_retries: 100 }] }",
    ]
    configuration.route =
      ", timeout: 3s, retry_policy: { retry_on: \"connect-failure,reset\", num_retries: 5, \(otherHost) }"
    return Scenario(hosts: hosts, configuration, load: [Load(from: 0.5, rate: 300)], seconds: 8)
  }

  // MARK: Hosts that come and go

  /// A hundred hosts; each second another of them is gone for a second.
  public static func flapping() -> Scenario {
    let hosts = (1...100).map { number in
      Host(number, script: number <= 8 ? .from(Double(number), to: Double(number) + 1, .gone) : HostScript())
    }
    var configuration = ScenarioConfiguration(hosts)
    configuration.cluster = [
      "health_checks: [{ timeout: 0.5s, interval: 1s, no_traffic_interval: 1s, unhealthy_interval: 0.2s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: /healthz } }]",
      "common_lb_config: { update_merge_window: 0.2s }",
    ]
    configuration.route = ", timeout: 3s, retry_policy: { retry_on: \"connect-failure,reset\", num_retries: 3 }"
    return Scenario(hosts: hosts, configuration, load: [Load(from: 0.5, rate: 250)], seconds: 10)
  }

  /// Three hosts, and a fourth from the second second on, which gets its whole share when four seconds have passed.
  public static func slowStart() -> Scenario {
    let hosts = (1...4).map { Host($0) }
    func configuration(_ count: Int) -> ScenarioConfiguration {
      var configuration = ScenarioConfiguration(Array(hosts.prefix(count)))
      configuration.cluster = [
        "round_robin_lb_config: { slow_start_config: { slow_start_window: 4s, min_weight_percent: { value: 10 } } }"
      ]
      return configuration
    }
    var scenario = Scenario(hosts: hosts, configuration(3), load: [Load(from: 0.5, rate: 400)], seconds: 8)
    scenario.configurations.append((2, configuration(4)))
    return scenario
  }

  /// Ten hosts, all of which answer half of their requests with 503, and of which three may be ejected.
  public static func ejectionStorm() -> Scenario {
    let hosts = (1...10).map { Host($0, script: .from(1, to: 4, .fails(0.5))) }
    var configuration = ScenarioConfiguration(hosts)
    configuration.cluster = [
      "outlier_detection: { consecutive_5xx: 3, interval: 0.2s, base_ejection_time: 1s, max_ejection_time: 2s, max_ejection_percent: 30 }"
    ]
    var scenario = Scenario(hosts: hosts, configuration, load: [Load(from: 0, rate: 300)], seconds: 5)
    scenario.allowedStatuses = [200, 503]
    return scenario
  }

  // MARK: Overload

  public enum Protection: Sendable {
    /// As many requests as hosts can answer in time, and a budget of repeats.
    case limited
    /// The budget alone.
    case budgetOnly
    /// Neither.
    case unlimited
  }

  /// What four hosts can answer in a second, together.
  public static let spiralCapacity = 80.0

  /// Half of what hosts can answer, then twice as much for five seconds, then half again. What a host has no time for waits
  /// in line, for longer than the proxy waits for an answer: so each request is repeated, and hosts work on what nobody
  /// wants any more.
  public static func deathSpiral(_ protection: Protection) -> Scenario {
    let hosts = (1...4).map { Host($0, service: Service(milliseconds: 50, parallel: 1)) }
    var configuration = ScenarioConfiguration(hosts)
    // In half a second, which is what an attempt has, hosts answer 40.
    let requests = protection == .limited ? 36 : 1_000_000
    let repeats =
      protection == .unlimited
      ? "max_retries: 1000000" : "retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 2 }"
    configuration.cluster = [
      "lb_policy: LEAST_REQUEST",
      "circuit_breakers: { thresholds: [{ max_connections: 1000000, max_pending_requests: 1000000, max_requests: \(requests), \(repeats) }] }",
    ]
    configuration.route =
      ", timeout: 2.5s, retry_policy: { retry_on: \"gateway-error,reset,connect-failure\", num_retries: 3, per_try_timeout: 0.5s, retry_back_off: { base_interval: 0.01s, max_interval: 0.02s } }"
    var scenario = Scenario(
      hosts: hosts, configuration,
      load: [
        Load(from: 0, rate: spiralCapacity / 2), Load(from: 2, rate: spiralCapacity * 2), Load(from: 7, rate: spiralCapacity / 2),
      ], seconds: 13)
    scenario.allowedStatuses = [200, 503, 504]
    return scenario
  }
}
