import ConfigSchema
import HostHealth
import Primitives
import Proxy
import Routing
import SwiftProtobuf

extension HostLabels {
  /// Digests of metadata; an element of a list counts as a value of its key.
  static func pairs(_ fields: [String: Google_Protobuf_Value]) -> [UInt64] {
    fields.sorted { $0.key < $1.key }.flatMap { key, value -> [UInt64] in
      let values: [Google_Protobuf_Value] = if case .listValue(let list)? = value.kind { [value] + list.values } else { [value] }
      return values.compactMap { (try? $0.jsonString()).map { digest(key, $0) } }
    }
  }
}

extension CompilerPass {
  /// Checks the endpoints of a cluster.
  ///
  /// - Parameter choosesSockets: Their metadata say how they are spoken to.
  func hosts(
    _ assignment: Envoy_Config_Endpoint_V3_ClusterLoadAssignment, choosesSockets: Bool, _ path: String
  ) -> [HostPlan] {
    func socketLabels(_ metadata: Envoy_Config_Core_V3_Metadata) -> SocketLabels {
      guard choosesSockets, let fields = metadata.filterMetadata[SocketLabels.namespace] else { return .none }
      return SocketLabels(fields)
    }
    var hosts: [HostPlan] = []
    var weights: UInt64 = 0
    for (i, group) in assignment.endpoints.enumerated() {
      let locality = HostConfig.Locality(group.locality)
      let localitySocketLabels = socketLabels(group.metadata)
      ignoreMetadata("\(path).endpoints[\(i)]", if: group.hasMetadata && localitySocketLabels.isEmpty)
      for (j, endpoint) in group.lbEndpoints.enumerated() {
        let place = "\(path).endpoints[\(i)].lb_endpoints[\(j)]"
        guard let address = address(endpoint, place) else { continue }
        let weight =
          endpoint.hasLoadBalancingWeight ? endpoint.loadBalancingWeight.value : 1
        weights += UInt64(weight)
        hosts.append(
          HostPlan(
            address: address, hostname: endpoint.endpoint.hostname, hashKey: hashKey(endpoint, place),
            subsetMetadata: endpoint.metadata.filterMetadata[BalancingMetadata.namespace].map(BalancingMetadata.pairs) ?? [],
            weight: weight, priority: group.priority, locality: locality, labels: labels(endpoint.metadata),
            socketLabels: socketLabels(endpoint.metadata), localitySocketLabels: localitySocketLabels,
            flags: flags(endpoint.healthStatus),
            checkAddress: checkAddress(endpoint.endpoint.healthCheckConfig, address, "\(place).endpoint"),
            checkHostname: endpoint.endpoint.healthCheckConfig.hostname,
            isCheckDisabled: endpoint.endpoint.healthCheckConfig.disableActiveHealthCheck))
      }
    }
    if weights > UInt64(UInt32.max) {
      error("\(path).endpoints", "the sum of weights must be at most \(UInt32.max)")
    }
    return hosts
  }

  /// Weights of localities, by level.
  func localityWeights(
    _ assignment: Envoy_Config_Endpoint_V3_ClusterLoadAssignment, _ path: String
  ) -> [LevelLocality: UInt32] {
    var weights: [LevelLocality: UInt32] = [:]
    var places: [LevelLocality: Int] = [:]
    var sums: [UInt32: UInt64] = [:]
    for (index, group) in assignment.endpoints.enumerated() {
      let place = "\(path).endpoints[\(index)]"
      let locality = HostConfig.Locality(group.locality)
      let key = LevelLocality(priority: group.priority, locality: locality)
      if let other = places[key] {
        error(
          place, "locality \(shown(locality.description)) of priority \(group.priority) is given already by endpoints[\(other)]")
        continue
      }
      places[key] = index
      guard group.hasLoadBalancingWeight else {
        if !group.lbEndpoints.isEmpty {
          warn(place, "with locality_weighted_lb_config a locality without load_balancing_weight takes no traffic")
        }
        continue
      }
      weights[key] = group.loadBalancingWeight.value
      sums[group.priority, default: 0] += UInt64(group.loadBalancingWeight.value)
    }
    for (priority, sum) in sums.sorted(by: { $0.key < $1.key }) where sum > UInt64(UInt32.max) {
      error("\(path).endpoints", "the sum of weights of priority \(priority)'s localities must be at most \(UInt32.max)")
    }
    return weights
  }

  private func hashKey(_ endpoint: Envoy_Config_Endpoint_V3_LbEndpoint, _ path: String) -> String {
    guard let value = endpoint.metadata.filterMetadata["envoy.lb"]?.fields["hash_key"] else { return "" }
    guard case .stringValue(let text)? = value.kind else {
      warn("\(path).metadata.filter_metadata[\"envoy.lb\"].hash_key", "has no effect: it is not a string")
      return ""
    }
    return text
  }

  /// The share of requests that are answered without a host.
  func drops(
    _ policy: Envoy_Config_Endpoint_V3_ClusterLoadAssignment.Policy, _ path: String
  ) -> UInt32 {
    if policy.dropOverloads.count > 1 {
      error("\(path).drop_overloads[1]", "only one category can be dropped")
    }
    guard let drop = policy.dropOverloads.first else { return 0 }
    let share = fraction(drop.dropPercentage)
    if share.numerator > share.denominator {
      error(
        "\(path).drop_overloads[0].drop_percentage",
        "must be at most the whole, got \(share.numerator) of \(share.denominator)")
      return 0
    }
    return share.numerator * (1_000_000 / share.denominator)
  }

  private func address(
    _ endpoint: Envoy_Config_Endpoint_V3_LbEndpoint, _ path: String
  ) -> SocketAddress? {
    guard case .endpoint(let endpoint)? = endpoint.hostIdentifier else {
      error(path, "an endpoint is required")
      return nil
    }
    refuse("\(path).endpoint.additional_addresses", if: !endpoint.additionalAddresses.isEmpty)
    return streamAddress(endpoint.address, "\(path).endpoint.address")
  }

  /// Where a host is asked how it is.
  private func checkAddress(
    _ proto: Envoy_Config_Endpoint_V3_Endpoint.HealthCheckConfig, _ address: SocketAddress, _ path: String
  ) -> SocketAddress {
    let place = "\(path).health_check_config"
    let base = proto.hasAddress ? streamAddress(proto.address, "\(place).address") ?? address : address
    guard proto.portValue > 0 else { return base }
    guard case .ip(let ip, _) = base else {
      error("\(place).port_value", "has no meaning for a host that is a path")
      return base
    }
    return .ip(ip, port: UInt16(truncatingIfNeeded: proto.portValue))
  }

  private func labels(_ metadata: Envoy_Config_Core_V3_Metadata) -> HostLabels {
    guard let fields = metadata.filterMetadata["envoy.lb"]?.fields, !fields.isEmpty else { return .none }
    let isCanary = if case .boolValue(true)? = fields["canary"]?.kind { true } else { false }
    return HostLabels(isCanary: isCanary, pairs: HostLabels.pairs(fields))
  }

  private func flags(_ status: Envoy_Config_Core_V3_HealthStatus) -> HostFlags {
    switch status {
    case .unknown, .healthy: []
    case .degraded: .degradedDiscovery
    case .draining: .drainingDiscovery
    case .unhealthy, .timeout, .UNRECOGNIZED: .failedDiscovery
    }
  }
}

extension HostConfig.Locality {
  init(_ proto: Envoy_Config_Core_V3_Locality) {
    self.init()
    region = proto.region
    zone = proto.zone
    subZone = proto.subZone
  }
}
