/// Which requests the proxy sends again: drawn by seed.
struct RetrySettings {
  private let isOn: Bool
  private let conditions: String
  private let repeats: Int
  private let times: String
  private let avoidsHosts: Bool
  /// 0: that of the connection.
  let bodyLimit: Int

  init(_ dice: Dice, isCalm: Bool) {
    isOn = dice.chance(0.5)
    conditions = dice.pick(["5xx", "reset", "connect-failure,refused-stream", "gateway-error,reset-before-request", "5xx,retriable-4xx"])
    repeats = dice.within(1...4)
    times = !isCalm ? dice.pick(["", ", per_try_timeout: 0.2s", ", per_try_idle_timeout: 0.3s"]) : ""
    avoidsHosts = dice.chance(0.5)
    bodyLimit = dice.pick([0, 0, 100, 10_000])
  }

  /// How often a request may be sent again because of them.
  var repeatsMax: Int { isOn ? repeats : 0 }

  /// Fields of a virtual host.
  func text(_ hedges: HedgeSettings) -> String {
    guard isOn else { return "" }
    let predicate =
      avoidsHosts
      ? ", retry_host_predicate: [{ name: previous, typed_config: { \"@type\": \(SimulatedConfiguration.types).extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } }]"
      : ""
    let limit = bodyLimit > 0 ? "per_request_buffer_limit_bytes: \(bodyLimit), " : ""
    return
      "include_request_attempt_count: true, include_is_timeout_retry_header: true, \(limit)retry_policy: { retry_on: \"\(conditions)\", num_retries: \(repeats), retry_back_off: { base_interval: 0.002s, max_interval: 0.1s }\(hedges.isOn ? hedges.times : times)\(predicate) }, \(hedges.text)"
  }
}
