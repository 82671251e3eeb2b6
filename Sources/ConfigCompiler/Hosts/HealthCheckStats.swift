import Stats

/// Statistics of a cluster's active checks (`cluster.<name>.health_check.`), counted by main alone.
public struct HealthCheckStats: Sendable {
  public let attempt, success, failure, passiveFailure, networkFailure, verifyCluster: Counter
  public let healthy, degraded: Gauge

  public init(_ scope: StatsScope) {
    let prefix = "health_check."
    attempt = scope.counter(prefix + "attempt")
    success = scope.counter(prefix + "success")
    failure = scope.counter(prefix + "failure")
    passiveFailure = scope.counter(prefix + "passive_failure")
    networkFailure = scope.counter(prefix + "network_failure")
    verifyCluster = scope.counter(prefix + "verify_cluster")
    healthy = scope.gauge(prefix + "healthy")
    degraded = scope.gauge(prefix + "degraded")
  }
}
