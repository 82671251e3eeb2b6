import HTTPCore
import Primitives
import Routing

/// Whether a request may leave HTTP, and through which filters it goes then.
public enum UpgradeVerdict: Equatable, Sendable {
  /// - Parameter rule: Index into the connection manager's `upgrade_configs`; nil: it has none of this type, and the route
  ///   allows it.
  case allowed(rule: Int?)
  case refused(byRoute: Bool, rule: Int?)
}

extension HTTPConnectionManagerConfig {
  /// The route's word counts more than the connection manager's.
  ///
  /// - Parameter route: Nil: the request has none.
  static func upgrade(
    _ manager: UnsafeMutablePointer<Self>, to type: ByteView, route: UnsafePointer<RouteEntry>?
  ) -> UpgradeVerdict {
    let ofRoute = route.flatMap { $0.pointee.upgradeIsEnabled(type) }
    let rules = manager.pointee.upgrades.buffer
    for i in rules.indices where rules[i].type.view.equalsIgnoringCase(type) {
      if ofRoute ?? rules[i].isEnabled { return .allowed(rule: i) }
      return .refused(byRoute: ofRoute != nil, rule: i)
    }
    return ofRoute == true ? .allowed(rule: nil) : .refused(byRoute: ofRoute != nil, rule: nil)
  }

  /// The same for people who ask.
  ///
  /// - Parameter route: In `table`; nil: the request has none.
  public static func upgrade(
    _ manager: UnsafeMutablePointer<Self>, to type: ByteView, route: Int32?, of table: UnsafeMutablePointer<RouteTableConfig>
  ) -> UpgradeVerdict {
    upgrade(manager, to: type, route: route.map { table.pointee.lookup.route($0) })
  }
}
