/// One of a route's `hash_policy` (`RouteAction.HashPolicy`, envoy/config/route/v3/route_components.proto).
public struct HashPolicySpec: Sendable {
  public enum Source: Sendable {
    /// All values of a request header, each rewritten first.
    case header(String, rewrite: RegexRewriteSpec?)
    case cookie(HashCookieSpec)
    /// The client's IP address.
    case sourceIP
    /// The first value of a query parameter, not decoded.
    case queryParameter(String)
  }

  public var source: Source
  /// Later policies are not asked when there is a hash already.
  public var isTerminal: Bool

  public init(_ source: Source, isTerminal: Bool = false) {
    self.source = source
    self.isTerminal = isTerminal
  }
}

/// A cookie that decides; made by the proxy when it has a time to live and the request lacks it.
public struct HashCookieSpec: Sendable {
  public struct Attribute: Sendable {
    public var name: String
    /// Empty: the name alone.
    public var value: String

    public init(name: String, value: String = "") {
      self.name = name
      self.value = value
    }
  }

  public var name: String
  /// Nil: the cookie is not made; 0: it lasts as long as the client's session.
  public var ttlSeconds: UInt64?
  /// Empty: no `Path`.
  public var path = ""
  public var attributes: [Attribute] = []

  public init(name: String, ttlSeconds: UInt64? = nil) {
    self.name = name
    self.ttlSeconds = ttlSeconds
  }
}
