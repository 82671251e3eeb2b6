import ConfigSchema
import Proxy
import Routing
import Stats
import SwiftProtobuf

/// `upgrade_configs` of a connection manager, checked.
struct UpgradePlan {
  let type: String
  let isEnabled: Bool
  /// A chain of its own; nil = the listener's.
  let filters: HTTPFiltersPlan?
}

/// All filters of a connection manager: its own, and those of its upgrades behind them.
struct ManagerFiltersPlan {
  let main: HTTPFiltersPlan
  let upgrades: [UpgradePlan]

  /// In the order in which route tables know them.
  var all: [HTTPFilterPlan] { main.filters + upgrades.flatMap { $0.filters?.filters ?? [] } }
  var references: [ClusterReference] { main.references + upgrades.flatMap { $0.filters?.references ?? [] } }

  func makeUpgrades(_ scope: StatsScope) -> [HTTPConnectionManagerConfig.Upgrade] {
    var base = main.filters.count
    return upgrades.map { plan in
      var upgrade = HTTPConnectionManagerConfig.Upgrade(type: plan.type, isEnabled: plan.isEnabled)
      if let filters = plan.filters?.filters {
        upgrade.filters = FilterChain(filters.map { $0.make(scope) })
        upgrade.filterBase = base
        base += filters.count
      }
      return upgrade
    }
  }
}

extension CompilerPass {
  /// `http_filters` and `upgrade_configs`.
  func managerFilters(_ proto: ConnectionManagerProto, _ path: String) -> ManagerFiltersPlan {
    let main = httpFilters(proto.httpFilters, statPrefix: proto.statPrefix, "\(path).http_filters")
    checkUpgradeTypes(proto.upgradeConfigs.map(\.upgradeType), "\(path).upgrade_configs")
    let upgrades = proto.upgradeConfigs.enumerated().map { index, upgrade in
      UpgradePlan(
        type: upgrade.upgradeType, isEnabled: upgrade.hasEnabled ? upgrade.enabled.value : true,
        filters: upgrade.filters.isEmpty
          ? nil : filters(upgrade, main, proto, "\(path).upgrade_configs[\(index)].filters"))
    }
    return ManagerFiltersPlan(main: main, upgrades: upgrades)
  }

  private func filters(
    _ upgrade: ConnectionManagerProto.UpgradeConfig, _ main: HTTPFiltersPlan, _ proto: ConnectionManagerProto,
    _ path: String
  ) -> HTTPFiltersPlan {
    let plan = httpFilters(upgrade.filters, statPrefix: proto.statPrefix, path)
    ignore(
      "\(path)[\(upgrade.filters.count - 1)].typed_config.suppress_envoy_headers",
      if: plan.suppressEnvoyHeaders != main.suppressEnvoyHeaders, "has no effect: the router of http_filters says it")
    // Routes switch filters off by name, in whichever chain they are.
    let isOff = Set(main.filters.filter(\.isDisabled).map(\.name))
    for (index, filter) in upgrade.filters.enumerated() {
      if filter.disabled {
        error("\(path)[\(index)].disabled", "is not supported in the chain of an upgrade: leave the filter out")
      } else if isOff.contains(filter.name) {
        error("\(path)[\(index)].name", "\"\(shown(filter.name))\" is disabled in http_filters: give it another name here")
      }
    }
    return plan
  }

  /// Whether the listener or one of its routes says anything of upgrades.
  func namesUpgrades(_ proto: ConnectionManagerProto) -> Bool {
    if !proto.upgradeConfigs.isEmpty { return true }
    return proto.routeConfig.virtualHosts.contains { host in
      host.routes.contains { !$0.route.upgradeConfigs.isEmpty }
    }
  }
}
