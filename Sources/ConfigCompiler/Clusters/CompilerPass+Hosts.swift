import ConfigSchema
import HostHealth
import Primitives
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// Checks the endpoints of a cluster.
  func hosts(
    _ assignment: Envoy_Config_Endpoint_V3_ClusterLoadAssignment, _ path: String
  ) -> [HostPlan] {
    refuse("\(path).policy.drop_overloads", if: !assignment.policy.dropOverloads.isEmpty)
    refuse(
      "\(path).policy.overprovisioning_factor", if: assignment.policy.hasOverprovisioningFactor)
    var hosts: [HostPlan] = []
    var weights: UInt64 = 0
    for (i, group) in assignment.endpoints.enumerated() {
      var locality = HostConfig.Locality()
      locality.region = group.locality.region
      locality.zone = group.locality.zone
      locality.subZone = group.locality.subZone
      for (j, endpoint) in group.lbEndpoints.enumerated() {
        let place = "\(path).endpoints[\(i)].lb_endpoints[\(j)]"
        guard let address = address(endpoint, place) else { continue }
        let weight =
          endpoint.hasLoadBalancingWeight ? endpoint.loadBalancingWeight.value : 1
        weights += UInt64(weight)
        hosts.append(
          HostPlan(
            address: address, hostname: endpoint.endpoint.hostname, hashKey: hashKey(endpoint, place), weight: weight,
            priority: group.priority, locality: locality, flags: flags(endpoint.healthStatus)))
      }
    }
    if weights > UInt64(UInt32.max) {
      error("\(path).endpoints", "the sum of weights must be at most \(UInt32.max)")
    }
    return hosts
  }

  private func hashKey(_ endpoint: Envoy_Config_Endpoint_V3_LbEndpoint, _ path: String) -> String {
    guard let value = endpoint.metadata.filterMetadata["envoy.lb"]?.fields["hash_key"] else { return "" }
    guard case .stringValue(let text)? = value.kind else {
      warn("\(path).metadata.filter_metadata[\"envoy.lb\"].hash_key", "has no effect: it is not a string")
      return ""
    }
    return text
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

  private func flags(_ status: Envoy_Config_Core_V3_HealthStatus) -> HostFlags {
    switch status {
    case .unknown, .healthy: []
    case .degraded: .degradedDiscovery
    case .draining: .drainingDiscovery
    case .unhealthy, .timeout, .UNRECOGNIZED: .failedDiscovery
    }
  }
}
