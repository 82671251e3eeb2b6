import ConfigSchema
import HTTPCore
import Primitives
import Proxy

/// A request whose route is chosen, on its way to the router.
struct RoutedRequest {
  typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

  struct Route {
    /// Of the table.
    let number: Int32
    let proto: Envoy_Config_Route_V3_Route
    let path: String
    let host: Envoy_Config_Route_V3_VirtualHost
    let hostPath: String
    /// The table's number of the weighted cluster; -1 when the route has none.
    var weighted: Int32 = -1
    /// The same among the route's own.
    var weightedIndex = 0
  }

  let request: ExplainedRequest
  let manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  let proto: Manager
  /// Of the connection manager's settings.
  let path: String
  let table: UnsafeMutablePointer<RouteTableConfig>
  let headers: UnsafeMutablePointer<HeaderMap>
  let arena: UnsafeMutablePointer<Arena>
  /// Nil: no route takes it.
  var route: Route?

  /// Of a route that sends requests on.
  var action: Envoy_Config_Route_V3_RouteAction? {
    guard case .route(let action)? = route?.proto.action else { return nil }
    return action
  }
}
