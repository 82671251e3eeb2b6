import HTTPCore
import Routing

/// What a route says beyond where its requests go. By ``RouteEntry/policySlot``.
public struct RoutePolicies: Sendable {
  public private(set) var retry = RetryPolicy()
  public private(set) var hasRetry = false
  /// Attempts after a timeout say so (`include_is_timeout_retry_header`).
  public var tellsTimeoutRetries = false
  /// `metadata.filter_metadata.apus.retry_grpc_trailers`
  public var judgesTrailers = false
  /// `hedge_policy.hedge_on_per_try_timeout`
  public var hedgesLateAttempts = false
  public var mirrors = FrozenList<MirrorPolicy>([])
  /// Redirects that are followed here.
  public private(set) var redirect = RedirectPolicy()
  public private(set) var followsRedirects = false

  @inline(__always)
  var hasMirrors: Bool { !mirrors.buffer.isEmpty }
  /// What a request's hash is made of.
  public private(set) var hash: HashPolicyList?
  private var hashOwner: HashPolicies?
  /// What is wanted of hosts (`metadata_match`).
  public var matches = SubsetMatches([])

  public init() {}

  public mutating func setRetry(_ policy: RetryPolicy) {
    retry = policy
    hasRetry = true
  }

  public mutating func setRedirect(_ policy: RedirectPolicy) {
    redirect = policy
    followsRedirects = true
  }

  public mutating func setHash(_ policies: HashPolicies) {
    hash = policies.list
    hashOwner = policies
  }
}
