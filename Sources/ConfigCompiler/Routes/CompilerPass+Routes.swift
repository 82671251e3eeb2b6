import ConfigSchema
import Routing
import SwiftProtobuf

extension CompilerPass {
  /// Compiles a route table, or returns nil after errors.
  func routeTable(
    _ proto: Envoy_Config_Route_V3_RouteConfiguration, filters: [HTTPFilterPlan], _ path: String
  ) -> RouteTablePlan? {
    let before = errors.count
    let translator = RouteTableTranslator(
      self, path: path, filters: filters,
      mustClustersExist: proto.hasValidateClusters ? proto.validateClusters.value : true)
    let spec = translator.spec(proto)
    do {
      let table = try RouteTable(compiling: spec)
      guard errors.count == before else { return nil }
      return RouteTablePlan(
        proto: proto, table: table, policies: translator.policies, filterConfigs: translator.filterConfigs,
        filterNames: filters.map(\.name), references: translator.references)
    } catch {
      for fault in error.errors { self.error("\(path).\(fault.path)", fault.message) }
      return nil
    }
  }
}
