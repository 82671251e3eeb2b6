import Balancing
import ConfigLoader
import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

private typealias LocalityConfig = Envoy_Extensions_LoadBalancingPolicies_Common_V3_LocalityLbConfig
private typealias Maglev = Envoy_Extensions_LoadBalancingPolicies_Maglev_V3_Maglev
private typealias RingHash = Envoy_Extensions_LoadBalancingPolicies_RingHash_V3_RingHash

/// Balancing policies as extensions (`load_balancing_policy`): what decides is the message's type.
extension CompilerPass {
  func setPolicy(
    _ settings: inout BalanceSettings, _ proto: Envoy_Config_Cluster_V3_LoadBalancingPolicy, _ path: String
  ) {
    guard let first = proto.policies.first else {
      error(path, "a policy is required")
      return
    }
    if proto.policies.count > 1 {
      ignore("\(path).policies[1]", "has no effect: the first policy that is known is taken")
    }
    let any = first.typedExtensionConfig.typedConfig
    let place = "\(path).policies[0].typed_extension_config.typed_config"
    if let config = any.unpacked(as: Envoy_Extensions_LoadBalancingPolicies_RoundRobin_V3_RoundRobin.self) {
      setSlowStart(&settings, config.hasSlowStartConfig ? config.slowStartConfig : nil, place)
      setLocalities(&settings, config.hasLocalityLbConfig ? config.localityLbConfig : nil, place)
    } else if let config = any.unpacked(as: Envoy_Extensions_LoadBalancingPolicies_LeastRequest_V3_LeastRequest.self) {
      setLeastRequest(
        &settings, config.hasChoiceCount ? config.choiceCount.value : nil,
        config.hasActiveRequestBias ? config.activeRequestBias : nil, place)
      settings.scansAll = config.selectionMethod == .fullScan
      ignore(
        "\(place).enable_full_scan", if: config.enableFullScan.value,
        "has no effect: use selection_method FULL_SCAN")
      ignore(
        "\(place).choice_count", if: config.hasChoiceCount && settings.scansAll,
        "has no effect with selection_method FULL_SCAN")
      setSlowStart(&settings, config.hasSlowStartConfig ? config.slowStartConfig : nil, place)
      setLocalities(&settings, config.hasLocalityLbConfig ? config.localityLbConfig : nil, place)
    } else if let config = any.unpacked(as: Envoy_Extensions_LoadBalancingPolicies_Random_V3_Random.self) {
      settings.policy = .random
      setLocalities(&settings, config.hasLocalityLbConfig ? config.localityLbConfig : nil, place)
    } else if let config = any.unpacked(as: RingHash.self) {
      setRing(
        &settings, config.hasMinimumRingSize ? config.minimumRingSize.value : nil,
        config.hasMaximumRingSize ? config.maximumRingSize.value : nil,
        usesMurmur: config.hashFunction == .murmurHash2, place)
      settings.hashing.usesHostnames = config.useHostnameForHashing
      if config.hasHashBalanceFactor {
        settings.hashing.boundedLoad = BoundedLoad(factor: config.hashBalanceFactor.value)
      }
      setHashing(&settings, config.hasConsistentHashingLbConfig ? config.consistentHashingLbConfig : nil)
      settings.usesLocalityWeights = config.hasLocalityWeightedLbConfig
    } else if let config = any.unpacked(as: Maglev.self) {
      setMaglev(&settings, config.hasTableSize ? config.tableSize.value : nil, place)
      setHashing(&settings, config.hasConsistentHashingLbConfig ? config.consistentHashingLbConfig : nil)
      settings.usesLocalityWeights = config.hasLocalityWeightedLbConfig
    } else if let config = any.unpacked(as: Envoy_Extensions_LoadBalancingPolicies_Subset_V3_Subset.self) {
      setSubsets(&settings, config, place)
    } else {
      error(place, "\"\(shown(any.messageName))\" is not a balancing policy")
    }
  }

  /// It takes the place of the older fields.
  private func setHashing(
    _ settings: inout BalanceSettings,
    _ proto: Envoy_Extensions_LoadBalancingPolicies_Common_V3_ConsistentHashingLbConfig?
  ) {
    guard let proto else { return }
    settings.hashing.usesHostnames = proto.useHostnameForHashing
    settings.hashing.boundedLoad = proto.hasHashBalanceFactor ? BoundedLoad(factor: proto.hashBalanceFactor.value) : nil
  }

  /// What a cluster's own policy makes hashes of, in place of what routes say; nil when it says nothing.
  func clusterHashPolicies(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> HashPolicies? {
    guard let first = proto.loadBalancingPolicy.policies.first else { return nil }
    let any = first.typedExtensionConfig.typedConfig
    let hashing =
      any.unpacked(as: RingHash.self)?.consistentHashingLbConfig ?? any.unpacked(as: Maglev.self)?.consistentHashingLbConfig
    guard let hashing else { return nil }
    let place = "\(path).load_balancing_policy.policies[0].typed_extension_config.typed_config"
    return hashPolicies(hashing.hashPolicy, "\(place).consistent_hashing_lb_config.hash_policy")
  }

  private func setLocalities(_ settings: inout BalanceSettings, _ proto: LocalityConfig?, _ path: String) {
    let place = "\(path).locality_lb_config"
    switch proto?.localityConfigSpecifier {
    case nil: break
    case .zoneAwareLbConfig(let zones):
      settings.levels.failsInPanic = zones.failTrafficOnPanic
      setZones(
        &settings, enabled: zones.hasRoutingEnabled ? zones.routingEnabled : nil,
        minimum: zones.hasMinClusterSize ? zones.minClusterSize.value : nil, "\(place).zone_aware_lb_config")
      if zones.hasForceLocalZone {
        settings.zones.forcedMinimum = zones.forceLocalZone.hasMinSize ? zones.forceLocalZone.minSize.value : 1
      }
      settings.zones.usesWeights = zones.localityBasis == .healthyHostsWeight
    case .localityWeightedLbConfig: settings.usesLocalityWeights = true
    }
  }
}
