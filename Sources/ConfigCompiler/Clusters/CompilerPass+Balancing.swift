import Balancing
import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// How hosts of a cluster are chosen.
  func balancing(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> BalanceSettings {
    var settings = BalanceSettings()
    settings.levels = levels(proto, "\(path).common_lb_config")
    setLocalities(&settings, proto.commonLbConfig, "\(path).common_lb_config")
    setPolicy(&settings, proto, path)
    if proto.hasLoadBalancingPolicy {
      ignore("\(path).lb_subset_config", if: proto.hasLbSubsetConfig, "has no effect beside load_balancing_policy")
    } else {
      setSubsets(&settings, proto, path)
    }
    setRuntime(&settings)
    return settings
  }

  /// How load is shared by priority levels, and when they panic.
  private func levels(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> LevelSettings {
    var levels = LevelSettings()
    let policy = proto.loadAssignment.policy
    if policy.hasOverprovisioningFactor {
      levels.overprovisioningFactor = policy.overprovisioningFactor.value
    }
    levels.usesWeights = policy.weightedPriorityHealth
    let common = proto.commonLbConfig
    if common.hasHealthyPanicThreshold {
      // Whole percent, cut off as Envoy does. The range was checked.
      let percent = 100 * (common.healthyPanicThreshold.value / 100)
      levels.panicThreshold = UInt32(exactly: percent.rounded(.towardZero)) ?? 0
    }
    return levels
  }

  // MARK: Localities

  private func setLocalities(
    _ settings: inout BalanceSettings, _ proto: Envoy_Config_Cluster_V3_Cluster.CommonLbConfig, _ path: String
  ) {
    switch proto.localityConfigSpecifier {
    case nil: break
    case .zoneAwareLbConfig(let zones):
      settings.levels.failsInPanic = zones.failTrafficOnPanic
      setZones(
        &settings, enabled: zones.hasRoutingEnabled ? zones.routingEnabled : nil,
        minimum: zones.hasMinClusterSize ? zones.minClusterSize.value : nil, "\(path).zone_aware_lb_config")
    case .localityWeightedLbConfig: settings.usesLocalityWeights = true
    }
  }

  func setZones(
    _ settings: inout BalanceSettings, enabled: Envoy_Type_V3_Percent?, minimum: UInt64?, _ path: String
  ) {
    if let enabled {
      // Rounded to the nearest, as Envoy does. The range was checked.
      settings.zones.enabledPercent = UInt32(exactly: enabled.value.rounded()) ?? 100
    }
    if let minimum { settings.zones.minimumSize = minimum }
    guard loaded.bootstrap.clusterManager.localClusterName.isEmpty else { return }
    let reason = "has no effect without cluster_manager.local_cluster_name"
    ignore("\(path).routing_enabled", if: enabled != nil, reason)
    ignore("\(path).min_cluster_size", if: minimum != nil, reason)
  }

  /// Runtime keys stand for fields of all clusters.
  private func setRuntime(_ settings: inout BalanceSettings) {
    if let percent = runtimePercent("upstream.healthy_panic_threshold") { settings.levels.panicThreshold = percent }
    if let percent = runtimePercent("upstream.zone_routing.enabled") { settings.zones.enabledPercent = percent }
    if let size = runtimeNumber("upstream.zone_routing.min_cluster_size") { settings.zones.minimumSize = size }
  }
}
