import HTTPCore

/// Which redirects of hosts the proxy follows itself (`InternalRedirectPolicy`,
/// envoy/config/route/v3/route_components.proto).
public struct RedirectPolicy: Sendable {
  /// A header of the redirect that the next request gets.
  public struct CopiedHeader: Sendable {
    /// In lower case.
    let name: FrozenText
    let known: KnownHeader

    public init(_ name: String) {
      self.name = FrozenText(name.lowercased())
      known = KnownHeaderTable.shared.find(self.name.view)
    }
  }

  /// How many in a row.
  public var redirectsMax: UInt32 = 1
  public var statuses = FrozenList<UInt16>([302])
  public var allowsCrossScheme = false
  public var copiedHeaders = FrozenList<CopiedHeader>([])
  // Predicates: what the route of the target must be.
  public var forbidsPreviousRoutes = false
  public var forbidsUnsafeScheme = false
  /// Names; nil = any route.
  public var allowedRoutes: FrozenList<FrozenText>?

  public init() {}

  func follows(_ status: UInt16) -> Bool {
    for code in statuses.buffer where code == status { return true }
    return false
  }
}
