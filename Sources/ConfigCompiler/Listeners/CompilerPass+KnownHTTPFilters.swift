import ConfigLoader
import ConfigSchema

extension CompilerPass {
  /// Checks one filter that is not the router.
  func httpFilter(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter,
    _ plan: inout HTTPFiltersPlan, _ path: String
  ) -> HTTPFilterPlan? {
    error(
      "\(path).typed_config",
      "\"\(shown(proto.typedConfig.messageName))\" is not an HTTP filter that apus knows")
    return nil
  }
}
