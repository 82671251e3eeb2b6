import Routing

/// A compiled route table together with what it names by number: filters' settings and clusters.
public struct RouteTableConfig {
  public var table: RouteTable
  let lookup: RouteLookup
  /// By ``RouteEntry/policySlot``.
  public let policies: FrozenList<RoutePolicies>
  /// Filters' per-route settings by the slot that the table knows them under.
  let filterConfigs: FrozenList<Unmanaged<AnyObject>>
  private let filterConfigOwners: [AnyObject]
  /// The table's number of each filter of the chain, or `none`.
  let filterNumbers: FrozenList<UInt32>
  /// Whether a route may switch a filter off.
  let hasDisabledFilters: Bool

  /// By the table's virtual clusters; empty when it has none.
  let virtualClusterStats: FrozenList<RouteScopeStats>
  /// By virtual host: requests that no virtual cluster of the host matches.
  let otherClusterStats: FrozenList<RouteScopeStats?>
  /// By route: those with a `stat_prefix`.
  let routeStats: FrozenList<RouteScopeStats?>

  /// What must live as long as this table (``StatsScopeOwner``).
  public var owners: [AnyObject] = []

  static let none = UInt32.max

  /// - Parameters:
  ///   - filterConfigs: By the slots used in the table's specification. A ``DisabledFilter`` switches
  ///     its filter off.
  ///   - filterNames: Of the chain, in order.
  ///   - virtualClusterStats: By the table's virtual clusters (virtual hosts in order, each with its
  ///     own in order).
  ///   - otherClusterStats: By virtual host; nil where a host has no virtual clusters.
  ///   - routeStats: By route (virtual hosts in order, each with its own in order); may be empty.
  public init(
    table: RouteTable, policies: [RoutePolicies] = [], filterConfigs: [AnyObject], filterNames: [String],
    virtualClusterStats: [RouteScopeStats] = [], otherClusterStats: [RouteScopeStats?] = [],
    routeStats: [RouteScopeStats?] = []
  ) {
    self.virtualClusterStats = FrozenList(virtualClusterStats)
    self.otherClusterStats = FrozenList(otherClusterStats)
    self.routeStats = FrozenList(routeStats)
    self.policies = FrozenList(policies)
    self.table = table
    self.lookup = table.lookup
    self.filterConfigOwners = filterConfigs
    self.filterConfigs = FrozenList(filterConfigs.map { Unmanaged.passUnretained($0) })
    self.filterNumbers = FrozenList(filterNames.map { table.filterNumber($0) ?? Self.none })
    self.hasDisabledFilters = filterConfigs.contains { $0 is DisabledFilter }
  }
}

/// Per-route setting that takes a filter out of the chain (`FilterConfig.disabled`).
public final class DisabledFilter: Sendable {
  public init() {}
}
