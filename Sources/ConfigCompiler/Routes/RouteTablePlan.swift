import ConfigSchema
import Proxy
import Routing
import Stats

/// A route table that was compiled; frozen when the whole configuration is good.
struct RouteTablePlan {
  let proto: Envoy_Config_Route_V3_RouteConfiguration
  let table: RouteTable
  /// What routes say beyond their targets, by the slots that the table knows.
  let policies: [RoutePolicies]
  /// Filters' settings by the slots that the table knows.
  let filterConfigs: [AnyObject]
  /// Of the filter chain, in order.
  let filterNames: [String]
  let references: [ClusterReference]

  func frozen(_ registry: StatsRegistry) -> Frozen<RouteTableConfig> {
    var stats = ScopeStats(registry: registry)
    for host in proto.virtualHosts { stats.add(host) }
    var config = RouteTableConfig(
      table: table, policies: policies, filterConfigs: filterConfigs, filterNames: filterNames,
      virtualClusterStats: stats.virtualClusters, otherClusterStats: stats.others,
      routeStats: stats.hasRoutes ? stats.routes : [])
    config.owners = stats.owners
    return Frozen(config)
  }

  /// Statistics of virtual clusters and of routes with a `stat_prefix`.
  private struct ScopeStats {
    let registry: StatsRegistry
    var owners: [AnyObject] = []
    var virtualClusters: [RouteScopeStats] = []
    var others: [RouteScopeStats?] = []
    var routes: [RouteScopeStats?] = []
    var hasRoutes = false

    init(registry: StatsRegistry) { self.registry = registry }

    mutating func add(_ host: Envoy_Config_Route_V3_VirtualHost) {
      let prefix = "vhost.\(host.name)."
      for cluster in host.virtualClusters {
        virtualClusters.append(make("\(prefix)vcluster.\(cluster.name)."))
      }
      others.append(host.virtualClusters.isEmpty ? nil : make("\(prefix)vcluster.other."))
      for route in host.routes {
        if route.statPrefix.isEmpty {
          routes.append(nil)
        } else {
          hasRoutes = true
          routes.append(make("\(prefix)route.\(route.statPrefix)."))
        }
      }
    }

    private mutating func make(_ prefix: String) -> RouteScopeStats {
      let owner = StatsScopeOwner(registry, prefix: prefix)
      owners.append(owner)
      return RouteScopeStats(owner.scope)
    }
  }
}
