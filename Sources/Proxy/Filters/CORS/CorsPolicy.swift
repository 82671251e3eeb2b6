import Routing

/// A cross-origin policy as configuration says it (`CorsPolicy` of cors.proto). What is nil or empty
/// comes from the next wider level.
public struct CorsPolicy: Sendable {
  /// A chance: `numerator` of `denominator` requests.
  public struct Fraction: Sendable, Equatable {
    public var numerator: UInt32
    public var denominator: UInt32

    public init(numerator: UInt32, denominator: UInt32) {
      self.numerator = numerator
      self.denominator = max(1, denominator)
    }
  }

  public struct Origin: Sendable {
    public var matcher: StringMatcherSpec
    public var ignoresCase: Bool

    public init(_ matcher: StringMatcherSpec, ignoresCase: Bool = false) {
      self.matcher = matcher
      self.ignoresCase = ignoresCase
    }
  }

  /// One that matches `*` allows all.
  public var allowedOrigins: [Origin] = []
  public var allowMethods = ""
  public var allowHeaders = ""
  public var exposeHeaders = ""
  /// Seconds, as text.
  public var maxAge = ""
  public var allowCredentials: Bool?
  public var allowPrivateNetworkAccess: Bool?
  /// Nil: true.
  public var forwardsUnmatchedPreflights: Bool?
  /// Nil: all requests. Not inherited.
  public var filterEnabled: Fraction?
  /// Requests whose origin is only counted. Nil: none. Not inherited.
  public var shadowEnabled: Fraction?

  public init() {}
}
