/// How the proxy looks after hosts: active checks, outlier detection, priorities, how many repeats it allows. Drawn by seed.
struct HealthSettings {
  let checksHosts: Bool
  /// Hosts have shown what they do: those that pass are asked every ten minutes, or a world of hours would be nothing but
  /// checks.
  var rests = false
  private let interval: String
  private let check: String
  private let checksTCP: Bool
  private let outliers: String
  /// Percent; nil: as by default.
  private let panicThreshold: Int?
  private let repeats: String
  let hasPriorities: Bool

  init(_ dice: Dice, isCalm: Bool) {
    checksHosts = dice.chance(0.4)
    let codec = dice.pick(["", ", codec_client_type: HTTP2"])
    interval = dice.pick(["0.5s", "2s"])
    check =
      "timeout: \(dice.pick(["0.8s", "2s"])), healthy_edge_interval: 0.1s, unhealthy_edge_interval: 0.1s, unhealthy_interval: 0.2s, unhealthy_threshold: \(dice.within(1...3)), healthy_threshold: \(dice.within(1...2)), reuse_connection: \(dice.chance(0.6)), http_health_check: { path: /healthz\(codec) }"
    checksTCP = dice.chance(0.5)
    let isSplit = dice.chance(0.3)
    let kinds = dice.pick([
      "consecutive_5xx: \(dice.within(1...4))",
      "consecutive_5xx: 100, consecutive_gateway_failure: \(dice.within(1...3)), enforcing_consecutive_gateway_failure: 100",
      "consecutive_5xx: 100, success_rate_minimum_hosts: 2, success_rate_request_volume: 2, success_rate_stdev_factor: 500",
      "consecutive_5xx: 3, failure_percentage_threshold: 30, failure_percentage_minimum_hosts: 2, failure_percentage_request_volume: 2, enforcing_failure_percentage: 100",
    ])
    let split = isSplit ? ", split_external_local_origin_errors: true, consecutive_local_origin_failure: \(dice.within(1...3))" : ""
    let percent = dice.pick([30, 50, 100])
    let isOn = dice.chance(0.4)
    outliers =
      isOn
      ? "outlier_detection: { interval: \(dice.pick(["0.1s", "0.5s"])), base_ejection_time: \(dice.pick(["0.2s", "1s"])), max_ejection_time: 3s, max_ejection_percent: \(percent), always_eject_one_host: true, \(kinds)\(split) }"
      : ""
    panicThreshold = isCalm ? dice.pick([nil, nil, 30]) : dice.pick([nil, 0, 0, 30])
    let most = dice.pick(["", "max_retries: 1, ", "max_retries: 2, "])
    repeats = dice.chance(0.2) ? "retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 1 }, " : most
    hasPriorities = dice.chance(0.3)
  }

  private var intervals: String {
    let interval = rests ? "600s" : interval
    return "interval: \(interval), no_traffic_interval: 1s, no_traffic_healthy_interval: \(interval)"
  }

  /// Lines of an HTTP cluster, in the column of its fields.
  var http: String {
    (checksHosts ? "health_checks: [{ \(intervals), \(check) }]\n    " : "") + outliers
  }

  /// Those of a cluster for TCP sessions.
  var tcp: String {
    (checksHosts && checksTCP
      ? "health_checks: [{ \(intervals), timeout: 1s, unhealthy_interval: 0.5s, unhealthy_threshold: 2, healthy_threshold: 1, tcp_health_check: {} }]\n    "
      : "") + outliers
  }

  /// A field of `common_lb_config`.
  var common: [String] { panicThreshold.map { ["healthy_panic_threshold: { value: \($0) }"] } ?? [] }

  /// Fields of a threshold.
  var thresholds: String { repeats }
}
