import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing

/// Which cluster a route leads to.
extension Explainer {
  /// The value of the route's hash policies; nil: they give none, or one that is made anew for each request.
  func hash(_ at: RoutedRequest) -> UInt64? {
    guard let route = at.route, let slot = at.table.pointee.table.lookup.route(route.number).pointee.policySlot else { return nil }
    return at.table.pointee.policies.buffer[Int(slot)].hash.flatMap { hash($0, at) }
  }

  func hash(_ policies: HashPolicyList, _ at: RoutedRequest) -> UInt64? {
    let source = at.request.source
    let client = HashedClient(
      address: source, remote: StreamInfo.Endpoint(ip: source, port: 0), local: StreamInfo.Endpoint(ip: nil, port: 0))
    let hash = policies.hash(at.headers, client, arena: &at.arena.pointee)
    return hash.isSet && hash.cookies == nil ? hash.value : nil
  }

  /// Of the route's weighted clusters, as they were compiled.
  func weights(_ at: RoutedRequest) -> [UInt64] {
    guard let route = at.route else { return [] }
    let lookup = at.table.pointee.table.lookup
    guard case .weighted(let first, let count, _) = lookup.route(route.number).pointee.target else { return [] }
    let ends = [0] + (0..<count).map { UInt64(lookup.weightedCluster(Int32(first + $0)).pointee.weightEnd) }
    return zip(ends.dropFirst(), ends).map { $0 - $1 }
  }

  /// Chooses between weighted clusters, which happens before filters see the request.
  func chooseWeighted(_ at: RoutedRequest) -> (number: Int32, index: Int)? {
    guard let route = at.route else { return nil }
    let lookup = at.table.pointee.table.lookup
    let entry = lookup.route(route.number)
    guard case .weighted(let first, _, _) = entry.pointee.target else { return nil }
    let random = entry.pointee.selectsByHash ? hash(at) ?? at.request.random : at.request.random
    let chosen = lookup.chooseWeightedCluster(route: route.number, random: random, headers: at.headers)
    return chosen >= 0 ? (chosen, Int(chosen) - Int(first)) : nil
  }

  /// The cluster that the route leads to, with the headers as they are now; nil: to none that there is.
  func routeClusterName(_ at: RoutedRequest) -> String? {
    guard let route = at.route, case .route(let action)? = route.proto.action else { return nil }
    let name: String? =
      switch action.clusterSpecifier {
      case .cluster(let name): name
      case .clusterHeader: at.table.pointee.table.lookup.clusterName(route: route.number, headers: at.headers)?.string
      case .weightedClusters(let weighted):
        route.weighted >= 0 && weighted.clusters.indices.contains(route.weightedIndex)
          ? weighted.clusters[route.weightedIndex].name : nil
      case nil: nil
      }
    return name.flatMap { clusters[$0] == nil ? nil : $0 }
  }
}
