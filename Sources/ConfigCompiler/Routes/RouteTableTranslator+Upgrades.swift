import ConfigSchema
import Routing
import SwiftProtobuf

extension RouteTableTranslator {
  /// `upgrade_configs` of a route: what requests may switch to, and where CONNECT ends.
  func upgrades(
    _ protos: [Envoy_Config_Route_V3_RouteAction.UpgradeConfig], _ path: String
  ) -> ([UpgradeSpec], ConnectSpec?) {
    pass.checkUpgradeTypes(protos.map(\.upgradeType), path)
    var connect: ConnectSpec?
    let specs = protos.enumerated().map { index, proto in
      let isEnabled = proto.hasEnabled ? proto.enabled.value : true
      if proto.hasConnectConfig {
        if proto.upgradeType.lowercased() != "connect" {
          pass.error("\(path)[\(index)].connect_config", "belongs to upgrade_type CONNECT only")
        }
        if isEnabled { connect = spec(proto.connectConfig) }
      }
      return UpgradeSpec(type: proto.upgradeType, isEnabled: isEnabled)
    }
    return (specs, connect)
  }

  private func spec(_ proto: Envoy_Config_Route_V3_RouteAction.UpgradeConfig.ConnectConfig) -> ConnectSpec {
    let version: UInt8 =
      switch proto.proxyProtocolConfig.version {
      case .v1, .UNRECOGNIZED: 1
      case .v2: 2
      }
    return ConnectSpec(
      takesPost: proto.allowPost, proxyProtocolVersion: proto.hasProxyProtocolConfig ? version : 0)
  }
}
