import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

private typealias Filter =
  Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter

extension CompilerPass {
  /// Checks `http_filters`, or those of an upgrade: unique names, and a router at the end.
  func httpFilters(
    _ protos: [Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter],
    statPrefix: String, _ path: String
  ) -> HTTPFiltersPlan {
    let list = path.split(separator: ".").last ?? "http_filters"
    var plan = HTTPFiltersPlan()
    var names: [String: Int] = [:]
    var routerIndex: Int?
    for (index, proto) in protos.enumerated() {
      let place = "\(path)[\(index)]"
      if let other = names[proto.name] {
        error("\(place).name", "\"\(shown(proto.name))\" is already used by \(list)[\(other)]")
        continue
      }
      names[proto.name] = index
      guard proto.configType != nil else {
        error(place, "typed_config is required")
        continue
      }
      if let router = proto.typedConfig.unpacked(
        as: Envoy_Extensions_Filters_Http_Router_V3_Router.self)
      {
        self.router(router, proto, &plan, place)
        routerIndex = index
        if index != protos.count - 1 {
          error(place, "the router must be the last of \(list)")
        }
      } else if let filter = httpFilter(proto, &plan, place) {
        plan.filters.append(filter)
      }
    }
    if plan.filters.count > FilterChain.countMax {
      error(path, "at most \(FilterChain.countMax) filters and the router")
    }
    if routerIndex == nil {
      error(path, "the last filter must be the router (envoy.filters.http.router)")
    }
    return plan
  }

  private func router(
    _ router: Envoy_Extensions_Filters_Http_Router_V3_Router, _ proto: Filter,
    _ plan: inout HTTPFiltersPlan, _ path: String
  ) {
    if proto.disabled { error("\(path).disabled", "the router cannot be disabled") }
    let place = "\(path).typed_config"
    plan.suppressEnvoyHeaders = router.suppressEnvoyHeaders
    refuse("\(place).strict_check_headers", if: !router.strictCheckHeaders.isEmpty)
    plan.respectsExpectedTimeout = router.respectExpectedRqTimeout
    refuse(
      "\(place).suppress_grpc_request_failure_code_stats",
      if: router.suppressGrpcRequestFailureCodeStats)
    refuse("\(place).dynamic_stats", if: router.hasDynamicStats && !router.dynamicStats.value)
    ignore(
      "\(place).start_child_span", if: router.startChildSpan,
      "has no effect: nothing is traced yet")
  }
}
