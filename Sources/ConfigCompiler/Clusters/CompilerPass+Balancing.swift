import Balancing
import ConfigSchema
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// How hosts of a cluster are chosen.
  func balancing(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> BalanceSettings {
    var settings = BalanceSettings()
    switch proto.lbPolicy {
    case .roundRobin: settings.policy = .roundRobin
    case .random: settings.policy = .random
    case .leastRequest, .ringHash, .maglev, .clusterProvided, .loadBalancingPolicyConfig,
      .UNRECOGNIZED:
      error("\(path).lb_policy", "only ROUND_ROBIN and RANDOM are supported by apus yet")
    }
    switch proto.lbConfig {
    case nil: break
    case .roundRobinLbConfig(let config):
      refuse(
        "\(path).round_robin_lb_config.slow_start_config", if: config.hasSlowStartConfig)
    case .leastRequestLbConfig: refuse("\(path).least_request_lb_config")
    case .ringHashLbConfig: refuse("\(path).ring_hash_lb_config")
    case .maglevLbConfig: refuse("\(path).maglev_lb_config")
    }
    settings.levels = levels(proto, "\(path).common_lb_config")
    refuseUnsupported(proto.commonLbConfig, "\(path).common_lb_config")
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
