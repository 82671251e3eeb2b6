import Stats

/// Statistics of a virtual cluster (`vhost.<vh>.vcluster.<vc>.`) or of a route with a `stat_prefix`
/// (`vhost.<vh>.route.<prefix>.`).
public struct RouteScopeStats: Sendable {
  public let rqTotal, rqTimeout, rqRetry, rqRetrySuccess, rqRetryOverflow, rqRetryLimitExceeded: Counter
  public let rqTime: Histogram
  public let codes: ResponseCodeStats

  public init(_ scope: StatsScope) {
    rqTotal = scope.counter("upstream_rq_total")
    rqTimeout = scope.counter("upstream_rq_timeout")
    rqRetry = scope.counter("upstream_rq_retry")
    rqRetrySuccess = scope.counter("upstream_rq_retry_success")
    rqRetryOverflow = scope.counter("upstream_rq_retry_overflow")
    rqRetryLimitExceeded = scope.counter("upstream_rq_retry_limit_exceeded")
    rqTime = scope.histogram("upstream_rq_time")
    codes = ResponseCodeStats(scope, prefix: "upstream_rq_")
  }
}
