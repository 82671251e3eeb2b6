import Proxy

/// What the process log says when a limit has refused somebody for the first time.
enum LimitSentences {
  static func of(_ tripped: TrippedLimits, _ limits: ClusterLimits, isHigh: Bool) -> [String] {
    let priority = isHigh ? "HIGH" : "DEFAULT"
    var sentences: [String] = []
    func say(_ limit: TrippedLimits, _ what: String, _ then: String) {
      guard tripped.contains(limit.of(isHigh: isHigh)) else { return }
      sentences.append("circuit_breakers.\(what) is reached: \(then); logged once")
    }
    func value(_ value: UInt32, _ setting: ClusterLimits.Settings) -> String {
      limits.settings.contains(setting) ? "(\(value))" : "(\(value), the default)"
    }
    let list = "thresholds[\(priority)]"
    let fails = "requests now fail with 503 UO"
    say(
      .connections, "\(list).max_connections \(value(limits.connections, .connections))",
      "requests now wait for a connection")
    say(.pending, "\(list).max_pending_requests \(value(limits.pendingRequests, .pendingRequests))", fails)
    say(.requests, "\(list).max_requests \(value(limits.requests, .requests))", fails)
    say(.pools, "\(list).max_connection_pools (\(limits.pools))", fails)
    let retries =
      if let budget = limits.retryBudget {
        "retry_budget (\(budget.percent) % of requests, at least \(budget.concurrencyMin))"
      } else {
        "max_retries \(value(limits.retries, .retries))"
      }
    say(.retries, "\(list).\(retries)", "requests that fail now are not sent again (UO)")
    say(
      .hostConnections, "per_host_thresholds[\(priority)].max_connections (\(limits.hostConnections))",
      "requests for a host that has so many now wait for a connection")
    return sentences
  }
}
