import HTTPCore
import Primitives
import Routing

/// What a request from another origin is to a policy.
struct CorsVerdict {
  var isAllowed: Bool
  var origin: ByteView
  /// Of a preflight that is answered; nil: the request goes on.
  var wantedMethod: ByteView?
}

extension CorsRouteConfig {
  /// Nil: the request names no origin.
  func verdict(_ request: UnsafePointer<HeaderMap>) -> CorsVerdict? {
    guard let origin = request.pointee.value(.origin), !origin.isEmpty else { return nil }
    var verdict = CorsVerdict(isAllowed: allows(request), origin: origin)
    guard let method = request.pointee.value(.method), method == "OPTIONS",
      let wanted = request.pointee.value(.accessControlRequestMethod), !wanted.isEmpty,
      verdict.isAllowed || !forwardsUnmatchedPreflights
    else { return verdict }
    verdict.wantedMethod = wanted
    return verdict
  }

  /// - Parameter request: Has an `origin`.
  private func allows(_ request: UnsafePointer<HeaderMap>) -> Bool {
    if allowsAnyOrigin { return true }
    for condition in origins.buffer
    where condition._withUnsafeGuaranteedRef({ $0.match(request) }) { return true }
    return false
  }
}
