import HTTPCore
import Routing

/// What a health check filter would do with a request, by the same conditions as on the request path: for people who ask.
public enum HealthCheckTrace {
  /// The first of its `headers` that does not hold.
  case otherRequest(Int)
  /// Goes on to the upstream.
  case passes
  case answers(HealthCheckOutcome)
}

extension HealthCheckFilter {
  /// - Parameters:
  ///   - isFailing: `/healthcheck/fail` was called.
  ///   - members: How many hosts the cluster in a slot has, and how many of them are healthy.
  public func trace(
    _ headers: UnsafePointer<HeaderMap>, isFailing: Bool, members: (UInt32) -> (total: Int, healthy: Int)?
  ) -> HealthCheckTrace {
    if let index = self.headers.mismatch(headers) { return .otherRequest(index) }
    if passesThrough, !isFailing { return .passes }
    return .answers(outcome(isFailing: isFailing, cached: nil, members: members))
  }
}
