import ConfigLoader
import ConfigSchema
import SwiftProtobuf

/// A level of a route table that says something about a filter (`typed_per_filter_config`).
struct FilterLevel {
  /// `route`, `virtual host`...
  let name: String
  let path: String
  /// Out of its `FilterConfig`, if it is in one.
  let settings: Google_Protobuf_Any

  init?(_ name: String, _ map: [String: Google_Protobuf_Any], _ path: String, filter: String) {
    guard let any = map[filter] else { return nil }
    self.name = name
    self.path = "\(path).typed_per_filter_config[\"\(filter)\"]"
    settings = any.unpacked(as: Envoy_Config_Route_V3_FilterConfig.self)?.config ?? any
  }
}

extension RoutedRequest {
  /// Most specific first.
  func levels(of filter: String) -> [FilterLevel] {
    guard let route else { return [] }
    var levels: [FilterLevel?] = []
    if route.weighted >= 0, case .weightedClusters(let weighted)? = route.proto.route.clusterSpecifier,
      weighted.clusters.indices.contains(route.weightedIndex)
    {
      let cluster = weighted.clusters[route.weightedIndex]
      levels.append(
        FilterLevel(
          "weighted cluster \(cluster.name)", cluster.typedPerFilterConfig,
          "\(route.path).route.weighted_clusters.clusters[\(route.weightedIndex)]", filter: filter))
    }
    levels.append(FilterLevel("route", route.proto.typedPerFilterConfig, route.path, filter: filter))
    levels.append(FilterLevel("virtual host", route.host.typedPerFilterConfig, route.hostPath, filter: filter))
    levels.append(
      FilterLevel("route table", proto.routeConfig.typedPerFilterConfig, "\(path).route_config", filter: filter))
    return levels.compactMap { $0 }
  }
}
