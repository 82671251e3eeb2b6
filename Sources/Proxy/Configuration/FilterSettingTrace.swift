import Routing

extension RouteTableConfig {
  /// The settings that a filter gets for a route, most specific first; nil: it has none. For people who ask.
  ///
  /// - Parameters:
  ///   - place: Of the filter in its chain.
  ///   - base: Where the chain begins among those of its connection manager (``HTTPConnectionManagerConfig/Upgrade/filterBase``).
  ///   - weightedCluster: Or -1.
  public static func filterSetting(
    _ table: UnsafeMutablePointer<Self>, place: Int, base: Int, route: Int32, weightedCluster: Int32
  ) -> AnyObject? {
    var choice = RouteChoice()
    choice.table = table
    choice.entry = table.pointee.lookup.route(route)
    choice.index = route
    choice.weighted = weightedCluster
    choice.filterBase = base
    return choice.filterConfig(place)
  }
}
