import ConfigLoader
import ConfigSchema
import Format
import Proxy
import Routing
import SwiftProtobuf

extension CompilerPass {
  /// Checks one filter that is not the router.
  func httpFilter(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter,
    _ plan: inout HTTPFiltersPlan, _ path: String
  ) -> HTTPFilterPlan? {
    let any = proto.typedConfig
    let place = "\(path).typed_config"
    if let config = any.unpacked(as: Envoy_Extensions_Filters_Http_Buffer_V3_Buffer.self) {
      return buffer(config, proto)
    }
    if let config = any.unpacked(
      as: Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutation.self)
    {
      return headerMutation(config, proto, place)
    }
    if let config = any.unpacked(as: Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault.self) {
      return fault(config, proto, place)
    }
    if any.unpacked(as: Envoy_Extensions_Filters_Http_Cors_V3_Cors.self) != nil {
      return cors(proto)
    }
    if let config = any.unpacked(
      as: Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck.self)
    {
      return healthCheck(config, proto, &plan, place)
    }
    if let filter = grpcFilter(proto, place) { return filter }
    error(place, "\"\(shown(any.messageName))\" is not an HTTP filter")
    return nil
  }

  // MARK: Buffer

  private func buffer(
    _ config: Envoy_Extensions_Filters_Http_Buffer_V3_Buffer,
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter
  ) -> HTTPFilterPlan {
    HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: { _ in
        BufferFilter(name: proto.name, maxRequestBytes: config.maxRequestBytes.value)
      },
      makeRouteConfig: { any, path, _ in
        guard
          let own = self.unpack(
            any, as: Envoy_Extensions_Filters_Http_Buffer_V3_BufferPerRoute.self, path)
        else { return nil }
        switch own.override {
        case .buffer(let buffer):
          return BufferRouteConfig(maxRequestBytes: buffer.maxRequestBytes.value)
        case .disabled, nil: return BufferRouteConfig(maxRequestBytes: nil)
        }
      })
  }

  // MARK: Header mutation

  private func headerMutation(
    _ config: Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutation,
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter,
    _ path: String
  ) -> HTTPFilterPlan {
    let (request, response) = steps(config.mutations, "\(path).mutations")
    return HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: { _ in
        HeaderMutationFilter(
          name: proto.name, request: request, response: response,
          mostSpecificWins: config.mostSpecificHeaderMutationsWins)
      },
      makeRouteConfig: { any, path, inherited in
        guard
          let own = self.unpack(
            any, as: Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutationPerRoute.self,
            path)
        else { return nil }
        let (request, response) = self.steps(own.mutations, "\(path).mutations")
        return HeaderMutationRouteConfig(
          request: request, response: response,
          inherited: inherited as? HeaderMutationRouteConfig)
      })
  }

  private func steps(
    _ proto: Envoy_Extensions_Filters_Http_HeaderMutation_V3_Mutations, _ path: String
  ) -> (request: HeaderMutationSteps?, response: HeaderMutationSteps?) {
    (
      mutationSteps(proto.requestMutations, "\(path).request_mutations"),
      mutationSteps(proto.responseMutations, "\(path).response_mutations")
    )
  }

  func mutationSteps(
    _ protos: [Envoy_Config_Common_MutationRules_V3_HeaderMutation], _ path: String
  ) -> HeaderMutationSteps? {
    if protos.isEmpty { return nil }
    let list: [HeaderMutationSteps.Step] = protos.enumerated().map { index, proto in
      switch proto.action {
      case .remove(let name): .remove(name)
      case .append(let option): .append(addition(option, "\(path)[\(index)].append"))
      case nil: .remove("")
      }
    }
    do {
      return try HeaderMutationSteps(list)
    } catch {
      let place = error.path.replacing(".append.name", with: ".append.header.key")
        .replacing(".append.value", with: ".append.header.value")
      self.error(path + place, error.message)
      return nil
    }
  }

  // MARK: CORS

  private func cors(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter
  ) -> HTTPFilterPlan {
    HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: { CorsFilter(name: proto.name, scope: $0) },
      makeRouteConfig: { any, path, inherited in
        guard
          let own = self.unpack(
            any, as: Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.self, path)
        else { return nil }
        return self.corsConfig(own, inherited as? CorsRouteConfig, path)
      })
  }

  private func corsConfig(
    _ own: Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy, _ inherited: CorsRouteConfig?,
    _ path: String
  ) -> CorsRouteConfig? {
    do {
      return try CorsRouteConfig(policy(own), inherited: inherited)
    } catch {
      for fault in error.errors {
        self.error("\(path).allow_origin_string_match\(fault.path)", fault.message)
      }
      return nil
    }
  }

  private func policy(_ proto: Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy) -> CorsPolicy {
    var policy = CorsPolicy()
    policy.allowedOrigins = proto.allowOriginStringMatch.map {
      CorsPolicy.Origin(matcher($0), ignoresCase: $0.ignoreCase)
    }
    policy.allowMethods = proto.allowMethods
    policy.allowHeaders = proto.allowHeaders
    policy.exposeHeaders = proto.exposeHeaders
    policy.maxAge = proto.maxAge
    if proto.hasAllowCredentials { policy.allowCredentials = proto.allowCredentials.value }
    if proto.hasAllowPrivateNetworkAccess {
      policy.allowPrivateNetworkAccess = proto.allowPrivateNetworkAccess.value
    }
    if proto.hasForwardNotMatchingPreflights {
      policy.forwardsUnmatchedPreflights = proto.forwardNotMatchingPreflights.value
    }
    func share(_ percent: Envoy_Config_Core_V3_RuntimeFractionalPercent) -> CorsPolicy.Fraction {
      let fraction = fraction(percent)
      return CorsPolicy.Fraction(
        numerator: fraction.numerator, denominator: fraction.denominator)
    }
    if proto.hasFilterEnabled { policy.filterEnabled = share(proto.filterEnabled) }
    if proto.hasShadowEnabled { policy.shadowEnabled = share(proto.shadowEnabled) }
    return policy
  }

  // MARK: Health check

  private func healthCheck(
    _ config: Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck,
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter,
    _ plan: inout HTTPFiltersPlan, _ path: String
  ) -> HTTPFilterPlan? {
    let passesThrough = config.passThroughMode.value
    if config.hasCacheTime, !passesThrough {
      error("\(path).cache_time", "needs pass_through_mode")
    }
    if !config.clusterMinHealthyPercentages.isEmpty, passesThrough {
      error("\(path).cluster_min_healthy_percentages", "excludes pass_through_mode")
    }
    let cacheTime =
      config.hasCacheTime ? nanoseconds(config.cacheTime, "\(path).cache_time") : nil
    var minimums: [HealthCheckFilter.ClusterMinimum] = []
    for (name, percent) in config.clusterMinHealthyPercentages.sorted(by: { $0.key < $1.key }) {
      // A cluster that does not exist now may come later: its slot stays the same.
      plan.references.append(
        ClusterReference(name: name, path: "", mustExist: false))
      minimums.append(
        HealthCheckFilter.ClusterMinimum(slot: state.clusterSlot(name), percent: percent.value))
    }
    guard let headers = conditions(config.headers, "\(path).headers") else { return nil }
    let serviceCluster = serviceCluster
    return HTTPFilterPlan(
      name: proto.name, isDisabled: proto.disabled,
      make: {
        HealthCheckFilter(
          name: proto.name, passesThrough: passesThrough, headers: headers,
          serviceCluster: serviceCluster, cacheTimeNanoseconds: cacheTime,
          clusterMinimums: minimums, scope: $0)
      }, makeRouteConfig: nil)
  }
}
