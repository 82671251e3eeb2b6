import ConfigLoader
import ConfigSchema
import HTTPCore
import Proxy
import Routing
import SwiftProtobuf

extension CompilerPass {
  func fault(
    _ config: Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault,
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter,
    _ path: String
  ) -> HTTPFilterPlan? {
    guard let settings = faultSettings(config, path) else { return nil }
    return HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: { FaultFilter(name: proto.name, settings: settings, scope: $0) },
      makeRouteConfig: { any, path, _ in
        guard
          let own = self.unpack(
            any, as: Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault.self, path)
        else { return nil }
        return self.faultSettings(own, path).map { FaultRouteConfig($0) }
      })
  }

  private func faultSettings(
    _ proto: Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault, _ path: String
  ) -> FaultSettings? {
    refuse("\(path).response_rate_limit", if: proto.hasResponseRateLimit)
    ignore("\(path).filter_metadata", if: proto.hasFilterMetadata)
    let runtimeKeys = [
      ("delay_percent_runtime", proto.delayPercentRuntime),
      ("abort_percent_runtime", proto.abortPercentRuntime),
      ("delay_duration_runtime", proto.delayDurationRuntime),
      ("abort_http_status_runtime", proto.abortHTTPStatusRuntime),
      ("max_active_faults_runtime", proto.maxActiveFaultsRuntime),
      ("response_rate_limit_percent_runtime", proto.responseRateLimitPercentRuntime),
      ("abort_grpc_status_runtime", proto.abortGrpcStatusRuntime),
    ]
    for (name, key) in runtimeKeys {
      ignore("\(path).\(name)", if: !key.isEmpty, "has no effect: runtime keys of faults are not read")
    }
    let delay = proto.hasDelay ? delay(proto.delay, "\(path).delay") : nil
    let abort = proto.hasAbort ? abort(proto.abort, "\(path).abort") : nil
    guard let headers = conditions(proto.headers, "\(path).headers") else { return nil }
    return FaultSettings(
      delay: delay, abort: abort, headers: proto.headers.isEmpty ? nil : headers,
      upstreamCluster: proto.upstreamCluster, downstreamNodes: proto.downstreamNodes,
      maxActiveFaults: proto.hasMaxActiveFaults ? proto.maxActiveFaults.value : nil)
  }

  private func delay(
    _ proto: Envoy_Extensions_Filters_Common_Fault_V3_FaultDelay, _ path: String
  ) -> (FaultSettings.Delay, FaultSettings.Percentage)? {
    switch proto.faultDelaySecifier {
    case .fixedDelay(let duration):
      let time = nanoseconds(duration, "\(path).fixed_delay")
      return (.fixed(nanoseconds: time), percentage(proto.percentage))
    case .headerDelay: return (.header, percentage(proto.percentage))
    case nil: return nil
    }
  }

  private func abort(
    _ proto: Envoy_Extensions_Filters_Http_Fault_V3_FaultAbort, _ path: String
  ) -> (FaultSettings.Abort, FaultSettings.Percentage)? {
    switch proto.errorType {
    case .httpStatus(let status):
      return (.status(UInt16(truncatingIfNeeded: status)), percentage(proto.percentage))
    case .headerAbort: return (.header, percentage(proto.percentage))
    case .grpcStatus(let code):
      return (.grpcStatus(GRPCStatus(code: code)), percentage(proto.percentage))
    case nil: return nil
    }
  }

  private func percentage(
    _ proto: Envoy_Type_V3_FractionalPercent
  ) -> FaultSettings.Percentage {
    let fraction = fraction(proto)
    return FaultSettings.Percentage(
      numerator: fraction.numerator, denominator: fraction.denominator)
  }
}
