import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

/// Turns one route configuration into the specification that the route table is compiled from.
final class RouteTableTranslator {
  let pass: CompilerPass
  /// Place of the route configuration.
  let path: String
  let filters: [HTTPFilterPlan]
  let mustClustersExist: Bool
  private(set) var references: [ClusterReference] = []
  var filterConfigs: [AnyObject] = []
  /// By the slots that routes refer to.
  private(set) var policies: [RoutePolicies] = []

  init(_ pass: CompilerPass, path: String, filters: [HTTPFilterPlan], mustClustersExist: Bool) {
    self.pass = pass
    self.path = path
    self.filters = filters
    self.mustClustersExist = mustClustersExist
  }

  func addPolicies(_ policies: RoutePolicies) -> UInt32 {
    self.policies.append(policies)
    return UInt32(self.policies.count - 1)
  }

  /// The slot of a cluster's name; reports a name that is not defined.
  func cluster(_ name: String, _ place: String) -> UInt32 {
    references.append(
      ClusterReference(
        name: name, path: String(place.dropFirst(path.count)), mustExist: mustClustersExist))
    if mustClustersExist, !pass.clusterNames.contains(name) {
      pass.reportUnknownCluster(name, place)
      return 0
    }
    return pass.state.clusterSlot(name)
  }

  func spec(_ proto: Envoy_Config_Route_V3_RouteConfiguration) -> RouteTableSpec {
    pass.refuse("\(path).internal_only_headers", if: !proto.internalOnlyHeaders.isEmpty)
    pass.refuse(
      "\(path).ignore_path_parameters_in_path_matching",
      if: proto.ignorePathParametersInPathMatching)
    pass.ignoreMetadata(path, if: proto.hasMetadata)
    var spec = RouteTableSpec()
    spec.name = proto.name
    spec.ignoresPortInHost = proto.ignorePortInHostMatching
    spec.mostSpecificHeaderMutationsWins = proto.mostSpecificHeaderMutationsWins
    if proto.hasMaxDirectResponseBodySizeBytes {
      spec.directResponseBodyBytesMax = Int(proto.maxDirectResponseBodySizeBytes.value)
    }
    spec.requestMutations = pass.mutations(
      add: proto.requestHeadersToAdd, remove: proto.requestHeadersToRemove,
      "\(path).request_headers")
    spec.responseMutations = pass.mutations(
      add: proto.responseHeadersToAdd, remove: proto.responseHeadersToRemove,
      "\(path).response_headers")
    let mirrors = mirrors(proto.requestMirrorPolicies, path)
    let level = perFilterConfigs(
      proto.typedPerFilterConfig, "\(path).typed_per_filter_config", inherited: [:],
      isOutermost: true)
    spec.filterConfigs = specs(level)
    spec.virtualHosts = proto.virtualHosts.enumerated().map {
      virtualHost($1, "\(path).virtual_hosts[\($0)]", level, mirrors)
    }
    return spec
  }

  private func virtualHost(
    _ proto: Envoy_Config_Route_V3_VirtualHost, _ path: String, _ outer: PerFilterLevel, _ mirrors: [MirrorPolicy]
  ) -> VirtualHostSpec {
    if proto.hasCors { refuseCORS("\(path).cors") }
    pass.ignoreMetadata(path, if: proto.hasMetadata)
    var spec = VirtualHostSpec(name: proto.name, domains: proto.domains)
    switch proto.requireTls {
    case .none, .UNRECOGNIZED: spec.requireTLS = .none
    case .externalOnly: spec.requireTLS = .externalOnly
    case .all: spec.requireTLS = .all
    }
    spec.requestMutations = pass.mutations(
      add: proto.requestHeadersToAdd, remove: proto.requestHeadersToRemove,
      "\(path).request_headers")
    spec.responseMutations = pass.mutations(
      add: proto.responseHeadersToAdd, remove: proto.responseHeadersToRemove,
      "\(path).response_headers")
    spec.virtualClusters = proto.virtualClusters.map {
      VirtualClusterSpec(name: $0.name, headers: $0.headers.map(pass.headerMatcher))
    }
    spec.includesRequestAttemptCount = proto.includeRequestAttemptCount
    spec.includesAttemptCountInResponse = proto.includeAttemptCountInResponse
    let level = perFilterConfigs(
      proto.typedPerFilterConfig, "\(path).typed_per_filter_config", inherited: outer)
    spec.filterConfigs = specs(level)
    let bufferLimit = bufferLimit(
      proto.hasRequestBodyBufferLimit ? proto.requestBodyBufferLimit.value : nil,
      proto.hasPerRequestBufferLimitBytes ? proto.perRequestBufferLimitBytes.value : nil)
    let policies = hostPolicies(proto, path, mirrors)
    spec.routes = proto.routes.enumerated().map { index, route in
      self.route(
        route, "\(path).routes[\(index)]", outer.merging(level) { $1 },
        bufferLimit: bufferLimit, policies)
    }
    warnOfUnreachable(spec.routes, path)
    return spec
  }

  private func route(
    _ proto: Envoy_Config_Route_V3_Route, _ path: String, _ outer: PerFilterLevel,
    bufferLimit outerLimit: UInt64?, _ policies: HostPolicies
  ) -> RouteSpec {
    pass.ignore(
      "\(path).decorator", if: proto.hasDecorator, "has no effect: nothing is traced yet")
    let level = perFilterConfigs(
      proto.typedPerFilterConfig, "\(path).typed_per_filter_config", inherited: outer)
    var spec = RouteSpec(
      match: match(proto.match, "\(path).match"),
      action: action(proto, path, outer.merging(level) { $1 }))
    if case .route(var forward) = spec.action {
      forward.policySlot = policySlot(
        proto.route, "\(path).route", host: policies, options: pass.routeOptions(proto.metadata, "\(path).metadata"))
      spec.action = .route(forward)
    }
    spec.name = proto.name
    spec.statPrefix = proto.statPrefix
    spec.requestMutations = pass.mutations(
      add: proto.requestHeadersToAdd, remove: proto.requestHeadersToRemove,
      "\(path).request_headers")
    spec.responseMutations = pass.mutations(
      add: proto.responseHeadersToAdd, remove: proto.responseHeadersToRemove,
      "\(path).response_headers")
    spec.requestBodyBufferLimitBytes =
      bufferLimit(
        proto.hasRequestBodyBufferLimit ? proto.requestBodyBufferLimit.value : nil,
        proto.hasPerRequestBufferLimitBytes ? proto.perRequestBufferLimitBytes.value : nil)
      ?? outerLimit
    spec.filterConfigs = specs(level)
    return spec
  }

  private func bufferLimit(_ limit: UInt64?, _ older: UInt32?) -> UInt64? {
    limit ?? older.map { UInt64($0) }
  }

  func refuseCORS(_ path: String) {
    pass.error(
      path,
      "is not supported by apus: use typed_per_filter_config with envoy.filters.http.cors")
  }

  /// Tells of the first route behind one that takes every request.
  private func warnOfUnreachable(_ routes: [RouteSpec], _ path: String) {
    guard let all = routes.firstIndex(where: \.match.takesAll) else { return }
    for index in routes.indices where index > all {
      // A request without a path is not taken by a prefix.
      if case .connect = routes[index].match.path { continue }
      pass.warn("\(path).routes[\(index)]", "is never reached: routes[\(all)] takes every request")
      return
    }
  }
}

extension RouteMatchSpec {
  fileprivate var takesAll: Bool {
    guard case .prefix(let prefix) = path, prefix.isEmpty || prefix == "/" else { return false }
    return headers.isEmpty && queryParameters.isEmpty && !isGRPCOnly && runtimeFraction == nil
      && presentsCertificate == nil && hasValidCertificate == nil
  }
}
