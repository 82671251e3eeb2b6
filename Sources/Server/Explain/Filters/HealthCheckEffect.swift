import ConfigSchema
import HostHealth
import Proxy

extension Explainer {
  func healthCheck(_ filter: HealthCheckFilter, _ asked: AskedFilter) -> FilterEffect {
    let settings = asked.settings(as: Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck.self)
    let trace = filter.trace(asked.at.headers, isFailing: failsHealthChecks) { slot in
      clusters[clusterName(slot)].map {
        let counts = $0.hosts.pointer.pointee.counts
        return (counts.total, counts.healthy + counts.degraded)
      }
    }
    switch trace {
    case .otherRequest(let index):
      guard settings.headers.indices.contains(index) else { return FilterEffect(says: "no health check") }
      return FilterEffect(says: "no health check: \(HeaderSentences.mismatch(settings.headers[index], asked.at.headers))")
    case .passes:
      let stands = settings.hasCacheTime ? "; an answer stands for \(Self.time(settings.cacheTime))" : ""
      return FilterEffect(says: "a health check that it lets pass (pass_through_mode)\(stands)")
    case .answers(let outcome):
      let why = reason(outcome.reason, settings) ?? HeaderSentences.match(settings.headers, asked.at.headers) ?? "it takes every request"
      return .answers("\(outcome.status) because \(why)", by: asked.shown)
    }
  }

  /// Nil: only what the request says.
  private func reason(
    _ reason: HealthCheckOutcome.Reason, _ settings: Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck
  ) -> String? {
    let minimums = settings.clusterMinHealthyPercentages.sorted { $0.key < $1.key }
    func name(_ index: Int) -> String { minimums.indices.contains(index) ? minimums[index].key : "" }
    switch reason {
    case .failing: return "/healthcheck/fail was called"
    case .cached, .nothingAgainst, .healthyClusters: return nil
    case .noCluster(let index): return "there is no cluster \(name(index)) (cluster_min_healthy_percentages)"
    case .emptyCluster(let index): return "cluster \(name(index)) has no hosts (cluster_min_healthy_percentages)"
    case .unhealthyCluster(let index):
      let counts = clusters[name(index)]?.hosts.pointer.pointee.counts
      let wanted = minimums.indices.contains(index) ? Self.percent(minimums[index].value.value / 100) : "?"
      return "\(counts.map { $0.healthy + $0.degraded } ?? 0) of \(counts?.total ?? 0) hosts of cluster \(name(index)) are healthy, "
        + "wanted: \(wanted) % (cluster_min_healthy_percentages)"
    }
  }
}
