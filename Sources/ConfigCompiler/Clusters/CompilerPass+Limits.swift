import ConfigSchema
import Proxy
import SwiftProtobuf

/// `circuit_breakers` of clusters, and the runtime keys that stand for their fields.
extension CompilerPass {
  typealias Breakers = Envoy_Config_Cluster_V3_CircuitBreakers

  /// Checks a cluster's limits.
  func limits(_ proto: Breakers, ofCluster name: String, _ path: String) -> (normal: ClusterLimits, high: ClusterLimits) {
    reportTwice(proto.thresholds, "\(path).thresholds")
    reportTwice(proto.perHostThresholds, "\(path).per_host_thresholds")
    for (index, thresholds) in proto.perHostThresholds.enumerated() {
      refuseOfHosts(thresholds, "\(path).per_host_thresholds[\(index)]")
    }
    for (index, thresholds) in proto.thresholds.enumerated() where thresholds.hasRetryBudget {
      checkBudget(thresholds, "\(path).thresholds[\(index)]")
    }
    return (readLimits(proto, ofCluster: name, isHigh: false), readLimits(proto, ofCluster: name, isHigh: true))
  }

  /// How many requests of a cluster may be repeated at a time; nil when that depends on how many there are.
  func retriesMax(ofCluster name: String, isHigh: Bool) -> UInt32? {
    guard let proto = breakersByCluster[name] else { return nil }
    let limits = readLimits(proto, ofCluster: name, isHigh: isHigh)
    return limits.retryBudget == nil ? limits.retries : nil
  }

  /// How many of a hundred requests are answered for maintenance. Source: Envoy `upstream.maintenance_mode.<cluster>`.
  func maintenancePercent(ofCluster name: String) -> UInt32 {
    runtimePercent("upstream.maintenance_mode.\(name)") ?? 0
  }

  private func reportTwice(_ list: [Breakers.Thresholds], _ path: String) {
    var seen: Set<Int> = []
    for (index, thresholds) in list.enumerated() where !seen.insert(thresholds.priority.rawValue).inserted {
      error("\(path)[\(index)].priority", "thresholds of this priority are given already")
    }
  }

  /// A host has one limit.
  private func refuseOfHosts(_ thresholds: Breakers.Thresholds, _ path: String) {
    func refuse(_ name: String, _ isSet: Bool) {
      if isSet { error("\(path).\(name)", "is not a limit of a host: max_connections is the only one") }
    }
    refuse("max_pending_requests", thresholds.hasMaxPendingRequests)
    refuse("max_requests", thresholds.hasMaxRequests)
    refuse("max_retries", thresholds.hasMaxRetries)
    refuse("max_connection_pools", thresholds.hasMaxConnectionPools)
    refuse("retry_budget", thresholds.hasRetryBudget)
    refuse("track_remaining", thresholds.trackRemaining)
  }

  private func checkBudget(_ thresholds: Breakers.Thresholds, _ path: String) {
    let budget = thresholds.retryBudget
    if thresholds.hasMaxRetries {
      warn("\(path).max_retries", "has no effect beside retry_budget")
    }
    if budget.hasBudgetInterval {
      let place = "\(path).retry_budget.budget_interval"
      // Checked for what a duration must be, too.
      let milliseconds = milliseconds(budget.budgetInterval, place)
      if milliseconds > Self.budgetIntervalMax { error(place, "must be at most an hour") }
    }
  }

  /// Milliseconds.
  private static let budgetIntervalMax: UInt64 = 3_600_000

  private func readLimits(_ proto: Breakers, ofCluster name: String, isHigh: Bool) -> ClusterLimits {
    let priority: Envoy_Config_Core_V3_RoutingPriority = isHigh ? .high : .default
    let thresholds = proto.thresholds.first { $0.priority == priority } ?? Breakers.Thresholds()
    let prefix = "circuit_breakers.\(name).\(isHigh ? "high" : "default")."
    var limits = ClusterLimits()
    func take(
      _ key: String, _ isSet: Bool, _ value: Google_Protobuf_UInt32Value, _ target: WritableKeyPath<ClusterLimits, UInt32>,
      _ setting: ClusterLimits.Settings
    ) {
      if let value = runtimeNumber(prefix + key) {
        limits[keyPath: target] = UInt32(clamping: value)
      } else if isSet {
        limits[keyPath: target] = value.value
      } else {
        return
      }
      limits.settings.insert(setting)
    }
    take("max_connections", thresholds.hasMaxConnections, thresholds.maxConnections, \.connections, .connections)
    take(
      "max_pending_requests", thresholds.hasMaxPendingRequests, thresholds.maxPendingRequests, \.pendingRequests,
      .pendingRequests)
    take("max_requests", thresholds.hasMaxRequests, thresholds.maxRequests, \.requests, .requests)
    take("max_retries", thresholds.hasMaxRetries, thresholds.maxRetries, \.retries, .retries)
    take("max_connection_pools", thresholds.hasMaxConnectionPools, thresholds.maxConnectionPools, \.pools, [])
    limits.tracksRemaining = thresholds.trackRemaining
    limits.retryBudget = budget(thresholds, prefix + "retry_budget.")
    if let host = proto.perHostThresholds.first(where: { $0.priority == priority }), host.hasMaxConnections {
      limits.hostConnections = host.maxConnections.value
    }
    return limits
  }

  private func budget(_ thresholds: Breakers.Thresholds, _ prefix: String) -> ClusterLimits.RetryBudget? {
    let percent = runtimeValue(prefix + "budget_percent", "number of at least 0") { layers, key in
      layers.number(key).flatMap { $0 >= 0 ? min(100, $0) : nil }
    }
    let least = runtimeNumber(prefix + "min_retry_concurrency")
    guard thresholds.hasRetryBudget || percent != nil || least != nil else { return nil }
    let proto = thresholds.retryBudget
    var budget = ClusterLimits.RetryBudget()
    if let percent {
      budget.percent = percent
    } else if proto.hasBudgetPercent {
      budget.percent = proto.budgetPercent.value
    }
    if let least {
      budget.concurrencyMin = UInt32(clamping: least)
    } else if proto.hasMinRetryConcurrency {
      budget.concurrencyMin = proto.minRetryConcurrency.value
    }
    let interval = proto.budgetInterval
    budget.intervalMilliseconds = UInt64(clamping: interval.seconds) &* 1000 &+ UInt64(clamping: interval.nanos / 1_000_000)
    return budget
  }
}
