import Balancing
import ConfigSchema
import Proxy

extension CompilerPass {
  /// How hosts of a cluster are chosen.
  func balancing(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> BalanceSettings {
    var settings = BalanceSettings()
    setPolicy(&settings, proto, path)
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
