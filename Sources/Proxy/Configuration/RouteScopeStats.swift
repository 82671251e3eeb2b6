import Stats

/// Statistics of a virtual cluster (`vhost.<vh>.vcluster.<vc>.`) or of a route with a `stat_prefix`
/// (`vhost.<vh>.route.<prefix>.`).
public struct RouteScopeStats: Sendable {
  public let rqTotal, rqTimeout, rqRetry: Counter
  public let rqTime: Histogram
  public let codes: ResponseCodeStats

  public init(_ scope: StatsScope) {
    rqTotal = scope.counter("upstream_rq_total")
    rqTimeout = scope.counter("upstream_rq_timeout")
    rqRetry = scope.counter("upstream_rq_retry")
    rqTime = scope.histogram("upstream_rq_time")
    codes = ResponseCodeStats(scope, prefix: "upstream_rq_")
  }
}
