import Balancing
import ConfigSchema
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// How hosts of a cluster are chosen.
  func balancing(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> BalanceSettings {
    var settings = BalanceSettings()
    settings.levels = levels(proto, "\(path).common_lb_config")
    refuseUnsupported(proto.commonLbConfig, "\(path).common_lb_config")
    setPolicy(&settings, proto, path)
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
    if case .zoneAwareLbConfig(let zones)? = common.localityConfigSpecifier {
      levels.failsInPanic = zones.failTrafficOnPanic
      let reason = "has no effect without cluster_manager.local_cluster_name"
      ignore("\(path).zone_aware_lb_config.routing_enabled", if: zones.hasRoutingEnabled, reason)
      ignore("\(path).zone_aware_lb_config.min_cluster_size", if: zones.hasMinClusterSize, reason)
    }
    return levels
  }

  private func refuseUnsupported(
    _ common: Envoy_Config_Cluster_V3_Cluster.CommonLbConfig, _ path: String
  ) {
    if case .localityWeightedLbConfig? = common.localityConfigSpecifier {
      refuse("\(path).locality_weighted_lb_config")
    }
    refuse(
      "\(path).close_connections_on_host_set_change", if: common.closeConnectionsOnHostSetChange)
  }
}
