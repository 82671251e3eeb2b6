import ConfigSchema
import Proxy
import Routing

/// A route table that was compiled; frozen when the whole configuration is good.
struct RouteTablePlan {
  let proto: Envoy_Config_Route_V3_RouteConfiguration
  let table: RouteTable
  /// Filters' settings by the slots that the table knows.
  let filterConfigs: [AnyObject]
  /// Of the filter chain, in order.
  let filterNames: [String]
  let references: [ClusterReference]

  func frozen() -> Frozen<RouteTableConfig> {
    Frozen(
      RouteTableConfig(table: table, filterConfigs: filterConfigs, filterNames: filterNames))
  }
}
