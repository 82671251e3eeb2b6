import Proxy
import Stats
import SwiftProtobuf

/// An HTTP filter of a chain that was checked.
struct HTTPFilterPlan {
  let name: String
  /// Switched off unless a route says otherwise.
  let isDisabled: Bool
  /// Makes the filter; the scope's prefix is `http.<stat_prefix>.`.
  let make: (StatsScope) -> HTTPFilter
  /// Checks settings of a route: the message, its place, and those of the next wider level. Nil
  /// when the filter takes none.
  let makeRouteConfig: ((Google_Protobuf_Any, String, AnyObject?) -> AnyObject?)?
}

/// The `http_filters` of a connection manager.
struct HTTPFiltersPlan {
  /// Without the router.
  var filters: [HTTPFilterPlan] = []
  var suppressEnvoyHeaders = false
  var respectsExpectedTimeout = false
  /// Clusters that filters ask about.
  var references: [ClusterReference] = []
}
