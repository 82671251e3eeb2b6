import Stats

/// `http.<stat_prefix>.health_check.*`.
struct HealthCheckFilterStats: Sendable {
  let total, failed, ok, cached, clusterNotFound, clusterEmpty, clusterUnhealthy, degraded: Counter

  init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter("health_check." + name) }
    total = counter("request_total")
    failed = counter("failed")
    ok = counter("ok")
    cached = counter("cached_response")
    clusterNotFound = counter("failed_cluster_not_found")
    clusterEmpty = counter("failed_cluster_empty")
    clusterUnhealthy = counter("failed_cluster_unhealthy")
    degraded = counter("degraded")
  }
}
