import ConfigLoader
import ConfigSchema
import Proxy
import Stats
import SwiftProtobuf

private typealias Filter =
  Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter

extension CompilerPass {
  /// A filter that is about gRPC; nil when it is none.
  ///
  /// - Parameter path: Of its `typed_config`.
  func grpcFilter(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter, _ path: String
  ) -> HTTPFilterPlan? {
    let any = proto.typedConfig
    if let config = any.unpacked(as: Envoy_Extensions_Filters_Http_GrpcHttp1Bridge_V3_Config.self) {
      return plan(proto) { _ in
        GRPCHTTP1BridgeFilter(
          name: proto.name, upgradesProtobuf: config.upgradeProtobufToGrpc,
          ignoresQuery: config.ignoreQueryParameters)
      }
    }
    if let config = any.unpacked(
      as: Envoy_Extensions_Filters_Http_GrpcHttp1ReverseBridge_V3_FilterConfig.self)
    {
      return reverseBridge(config, proto, path)
    }
    if any.unpacked(as: Envoy_Extensions_Filters_Http_GrpcWeb_V3_GrpcWeb.self) != nil {
      return plan(proto) { _ in GRPCWebFilter(name: proto.name) }
    }
    if let config = any.unpacked(as: Envoy_Extensions_Filters_Http_GrpcStats_V3_FilterConfig.self) {
      return grpcStats(config, proto, path)
    }
    return nil
  }

  private func plan(_ proto: Filter, _ make: @escaping (StatsScope) -> HTTPFilter) -> HTTPFilterPlan {
    HTTPFilterPlan(name: proto.name, isDisabled: proto.disabled, make: make, makeRouteConfig: nil)
  }

  private func reverseBridge(
    _ config: Envoy_Extensions_Filters_Http_GrpcHttp1ReverseBridge_V3_FilterConfig, _ proto: Filter,
    _ path: String
  ) -> HTTPFilterPlan {
    if !config.responseSizeHeader.isEmpty, !config.withholdGrpcFrames {
      error("\(path).response_size_header", "needs withhold_grpc_frames")
    }
    return HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: { _ in
        GRPCHTTP1ReverseBridgeFilter(
          name: proto.name, contentType: config.contentType, withholdsFrames: config.withholdGrpcFrames,
          sizeHeader: config.responseSizeHeader.isEmpty ? nil : config.responseSizeHeader)
      },
      makeRouteConfig: { any, path, _ in
        guard
          let own = self.unpack(
            any, as: Envoy_Extensions_Filters_Http_GrpcHttp1ReverseBridge_V3_FilterConfigPerRoute.self, path)
        else { return nil }
        return own.disabled ? DisabledFilter() : GRPCHTTP1ReverseBridgeRouteConfig()
      })
  }

  private func grpcStats(
    _ config: Envoy_Extensions_Filters_Http_GrpcStats_V3_FilterConfig, _ proto: Filter, _ path: String
  ) -> HTTPFilterPlan {
    refuse("\(path).emit_filter_state", if: config.emitFilterState)
    let methods: GRPCStatsFilter.Methods =
      switch config.perMethodStatSpecifier {
      case .individualMethodStatsAllowlist(let list):
        .listed(list.services.map { (service: $0.name, methods: $0.methodNames) })
      case .statsForAllMethods(let value): value.value ? .each : .together
      case nil: .together
      }
    return plan(proto) { scope in
      GRPCStatsFilter(
        name: proto.name, methods: methods, measuresTime: config.enableUpstreamStats,
        replacesDots: config.replaceDotsInGrpcServiceName, table: self.grpcStatsTable(scope.registry))
    }
  }

  /// The one that the running configuration counts in, so that a new version of a listener goes on counting.
  private func grpcStatsTable(_ registry: StatsRegistry) -> GRPCStatsTable {
    if let table = state.grpcStats { return table }
    let table = GRPCStatsTable(registry)
    state.grpcStats = table
    return table
  }
}
