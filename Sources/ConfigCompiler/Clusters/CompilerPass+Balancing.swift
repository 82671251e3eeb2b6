import Balancing
import ConfigSchema
import Proxy

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
    common(proto.commonLbConfig, &settings, "\(path).common_lb_config")
    return settings
  }

  private func common(
    _ common: Envoy_Config_Cluster_V3_Cluster.CommonLbConfig, _ settings: inout BalanceSettings,
    _ path: String
  ) {
    // The first level that has anybody takes everything. Without health checks nothing panics: the
    // same as a threshold of 0.
    settings.levels = LevelSettings(overprovisioningFactor: .max, panicThreshold: 0)
    refuse(
      "\(path).healthy_panic_threshold",
      if: common.hasHealthyPanicThreshold && common.healthyPanicThreshold.value != 0)
    switch common.localityConfigSpecifier {
    case nil: break
    case .zoneAwareLbConfig: refuse("\(path).zone_aware_lb_config")
    case .localityWeightedLbConfig: refuse("\(path).locality_weighted_lb_config")
    }
    refuse("\(path).ignore_new_hosts_until_first_hc", if: common.ignoreNewHostsUntilFirstHc)
    refuse(
      "\(path).close_connections_on_host_set_change", if: common.closeConnectionsOnHostSetChange)
  }
}
