import HTTPCore
import Primitives
import Routing

/// The policy of a route, virtual host or route table, with what it inherits.
public final class CorsRouteConfig: @unchecked Sendable {
  // Sendable: immutable after init.
  let policy: CorsPolicy
  private let originOwners: [HeaderConditions]
  let origins: FrozenList<Unmanaged<HeaderConditions>>
  let allowsAnyOrigin: Bool
  let allowMethods, allowHeaders, exposeHeaders, maxAge: FrozenText
  let allowsCredentials, allowsPrivateNetworkAccess, forwardsUnmatchedPreflights: Bool
  let filterEnabled: CorsPolicy.Fraction
  let shadowEnabled: CorsPolicy.Fraction

  /// - Parameter inherited: Of the next wider level that has a policy: of the virtual host for a
  ///   route, of the route table for a virtual host.
  /// - Throws: For bad expressions; paths begin with the index of the origin.
  public init(_ own: CorsPolicy, inherited: CorsRouteConfig? = nil) throws(RoutingErrors) {
    var policy = own
    if let wider = inherited?.policy { policy.fillIn(from: wider) }
    self.policy = policy
    if own.allowedOrigins.isEmpty, let inherited {
      originOwners = inherited.originOwners
      allowsAnyOrigin = inherited.allowsAnyOrigin
    } else {
      originOwners = try Self.compile(policy.allowedOrigins)
      allowsAnyOrigin = Self.anyMatchesAsterisk(originOwners)
    }
    origins = FrozenList(originOwners.map { Unmanaged.passUnretained($0) })
    allowMethods = FrozenText(policy.allowMethods)
    allowHeaders = FrozenText(policy.allowHeaders)
    exposeHeaders = FrozenText(policy.exposeHeaders)
    maxAge = FrozenText(policy.maxAge)
    allowsCredentials = policy.allowCredentials ?? false
    allowsPrivateNetworkAccess = policy.allowPrivateNetworkAccess ?? false
    forwardsUnmatchedPreflights = policy.forwardsUnmatchedPreflights ?? true
    filterEnabled = policy.filterEnabled ?? CorsPolicy.Fraction(numerator: 1, denominator: 1)
    shadowEnabled = policy.shadowEnabled ?? CorsPolicy.Fraction(numerator: 0, denominator: 1)
  }

  private static func compile(
    _ origins: [CorsPolicy.Origin]
  ) throws(RoutingErrors) -> [HeaderConditions] {
    let matchers = origins.map {
      HeaderMatcherSpec(name: "origin", kind: .string($0.matcher, ignoresCase: $0.ignoresCase))
    }
    // All at once first, so that errors carry the index of their origin.
    _ = try HeaderConditions(compiling: matchers)
    var compiled: [HeaderConditions] = []
    for matcher in matchers { compiled.append(try HeaderConditions(compiling: [matcher])) }
    return compiled
  }

  private static func anyMatchesAsterisk(_ origins: [HeaderConditions]) -> Bool {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    defer { arena.reset() }
    return withUnsafeMutablePointer(to: &arena) { arena in
      var headers = HeaderMap(arena: arena)
      headers.append(.origin, ByteView("*"))
      return withUnsafePointer(to: headers) { map in origins.contains { $0.match(map) } }
    }
  }
}

extension CorsPolicy {
  /// Takes what this policy leaves open from a wider one; whether it applies at all is its own.
  fileprivate mutating func fillIn(from wider: CorsPolicy) {
    if allowedOrigins.isEmpty { allowedOrigins = wider.allowedOrigins }
    if allowMethods.isEmpty { allowMethods = wider.allowMethods }
    if allowHeaders.isEmpty { allowHeaders = wider.allowHeaders }
    if exposeHeaders.isEmpty { exposeHeaders = wider.exposeHeaders }
    if maxAge.isEmpty { maxAge = wider.maxAge }
    allowCredentials = allowCredentials ?? wider.allowCredentials
    allowPrivateNetworkAccess = allowPrivateNetworkAccess ?? wider.allowPrivateNetworkAccess
    forwardsUnmatchedPreflights = forwardsUnmatchedPreflights ?? wider.forwardsUnmatchedPreflights
  }
}
