import HTTPCore
import Primitives

/// What a CORS filter would do with a request, by the same conditions as on the request path: for people who ask.
public enum CorsTrace {
  /// Neither the route nor a wider level has a policy.
  case noPolicy
  /// The route answers by itself: policies do not count.
  case notForwarded
  /// `filter_enabled` is 0.
  case off
  /// The request names no origin.
  case sameOrigin
  /// - Parameter share: Of such requests; the others pass as they are.
  case passes(isAllowed: Bool, share: CorsPolicy.Fraction)
  /// Answered with 200.
  case preflight(isAllowed: Bool, share: CorsPolicy.Fraction)
}

extension CorsFilter {
  /// - Parameters:
  ///   - own: The policy of the route, if it has one.
  ///   - isForwarded: The route leads to a cluster.
  public func trace(_ headers: UnsafePointer<HeaderMap>, own: AnyObject?, isForwarded: Bool) -> CorsTrace {
    guard let config = own as? CorsRouteConfig else { return .noPolicy }
    guard isForwarded else { return .notForwarded }
    let share = config.filterEnabled
    guard share.numerator > 0 else { return .off }
    guard let verdict = config.verdict(headers) else { return .sameOrigin }
    return verdict.wantedMethod == nil
      ? .passes(isAllowed: verdict.isAllowed, share: share) : .preflight(isAllowed: verdict.isAllowed, share: share)
  }
}
