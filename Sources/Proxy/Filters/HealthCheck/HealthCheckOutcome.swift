import HTTPCore

/// What a health check filter answers, and why.
public struct HealthCheckOutcome: Sendable {
  public enum Reason: Equatable, Sendable {
    /// `/healthcheck/fail` was called.
    case failing
    /// The upstream's answer to an earlier one still stands.
    case cached
    /// Index into the clusters with a minimum: there is no such cluster.
    case noCluster(Int)
    /// It has no hosts.
    case emptyCluster(Int)
    /// It has too few that are healthy.
    case unhealthyCluster(Int)
    case healthyClusters
    case nothingAgainst
  }

  public var status: UInt16
  public var reason: Reason
  var isDegraded = false

  var details: StaticString {
    switch reason {
    case .failing: "health_check_failed"
    case .cached: "health_check_cached"
    case .noCluster: "health_check_failed_no_cluster_found"
    case .emptyCluster: "health_check_failed_cluster_empty"
    case .unhealthyCluster: "health_check_failed_cluster_unhealthy"
    case .healthyClusters: "health_check_ok_cluster_healthy"
    case .nothingAgainst: "health_check_ok"
    }
  }
}

extension HealthCheckFilter {
  /// - Parameter members: How many hosts the cluster in a slot has, and how many of them are healthy.
  @inline(__always)
  func outcome(
    isFailing: Bool, cached: HealthCheckCache.Answer?, members: (UInt32) -> (total: Int, healthy: Int)?
  ) -> HealthCheckOutcome {
    if isFailing { return HealthCheckOutcome(status: 503, reason: .failing) }
    if let cached { return HealthCheckOutcome(status: cached.status, reason: .cached, isDegraded: cached.isDegraded) }
    let minimums = clusterMinimums.buffer
    for i in minimums.indices {
      guard let slot = minimums[i].slot, let count = members(slot) else {
        return HealthCheckOutcome(status: 503, reason: .noCluster(i))
      }
      if count.total == 0 {
        if minimums[i].percent == 0 { continue }
        return HealthCheckOutcome(status: 503, reason: .emptyCluster(i))
      }
      if Double(count.healthy) < Double(count.total) * minimums[i].percent / 100 {
        return HealthCheckOutcome(status: 503, reason: .unhealthyCluster(i))
      }
    }
    return HealthCheckOutcome(status: 200, reason: minimums.isEmpty ? .nothingAgainst : .healthyClusters)
  }
}
