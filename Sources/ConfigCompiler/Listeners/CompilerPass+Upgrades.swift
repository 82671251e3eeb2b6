import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

extension CompilerPass {
  /// `upgrade_configs` of a connection manager.
  func upgrades(
    _ protos: [ConnectionManagerProto.UpgradeConfig], _ path: String
  ) -> [HTTPConnectionManagerConfig.Upgrade] {
    checkUpgradeTypes(protos.map(\.upgradeType), path)
    for (index, proto) in protos.enumerated() where !proto.filters.isEmpty {
      error(
        "\(path)[\(index)].filters",
        "a filter chain of its own is not supported by apus yet: http_filters see the upgrade and its bytes")
    }
    return protos.map {
      HTTPConnectionManagerConfig.Upgrade(type: $0.upgradeType, isEnabled: $0.hasEnabled ? $0.enabled.value : true)
    }
  }

  /// Whether the listener or one of its routes says anything of upgrades.
  func namesUpgrades(_ proto: ConnectionManagerProto) -> Bool {
    if !proto.upgradeConfigs.isEmpty { return true }
    return proto.routeConfig.virtualHosts.contains { host in
      host.routes.contains { !$0.route.upgradeConfigs.isEmpty }
    }
  }
}
