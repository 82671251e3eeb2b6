public import Stats

/// What one kind of requests counts beside all of them, in its cluster's scope: `internal.`, `external.` and `canary.`
/// requests, and those from the own zone to a host's (`zone.<from>.<to>.`).
public struct RequestKindStats: Sendable {
  let codes: ResponseCodeStats
  let rqTime: Histogram

  /// - Parameter kind: Ends with a dot.
  public init(_ scope: StatsScope, _ kind: String) {
    codes = ResponseCodeStats(scope, prefix: kind + "upstream_rq_")
    rqTime = scope.histogram(kind + "upstream_rq_time")
  }
}
