import ConfigSchema
import Routing
import SwiftProtobuf

extension RouteTableTranslator {
  func action(
    _ proto: Envoy_Config_Route_V3_Route, _ path: String, _ filters: PerFilterLevel
  ) -> RouteActionSpec {
    switch proto.action {
    case .route(let action): return .route(forward(action, "\(path).route", filters))
    case .redirect(let action): return .redirect(redirect(action))
    case .directResponse(let action):
      let body =
        action.hasBody ? pass.bytes(action.body, "\(path).direct_response.body") ?? [] : []
      return .directResponse(status: UInt16(truncatingIfNeeded: action.status), body: body)
    case nil:
      // The schema demands an action.
      pass.error(path, "an action is required")
      return .directResponse(status: 500, body: [])
    }
  }

  // MARK: Forwarding

  private func forward(
    _ proto: Envoy_Config_Route_V3_RouteAction, _ path: String, _ filters: PerFilterLevel
  ) -> ForwardSpec {
    refuseUnsupported(proto, path)
    var spec = ForwardSpec(target: target(proto, path, filters))
    spec.selectsByHash = proto.weightedClusters.useHashPolicy.value
    if proto.hasTimeout {
      spec.timeoutMilliseconds = pass.milliseconds(proto.timeout, "\(path).timeout")
    }
    if proto.hasIdleTimeout {
      spec.idleTimeoutMilliseconds = pass.milliseconds(
        proto.idleTimeout, "\(path).idle_timeout")
    }
    setOldGRPCTimeout(proto, path, &spec)
    if proto.hasMaxStreamDuration {
      let limits = proto.maxStreamDuration
      let place = "\(path).max_stream_duration"
      // As in Envoy: the limits of the whole stream are instead of the time to a response.
      spec.timeoutMilliseconds = 0
      pass.ignore("\(path).timeout", if: proto.timeout.seconds != 0 || proto.timeout.nanos != 0, "has no effect beside max_stream_duration")
      if limits.hasMaxStreamDuration {
        spec.maxStreamDurationMilliseconds = pass.milliseconds(
          limits.maxStreamDuration, "\(place).max_stream_duration")
      }
      if limits.hasGrpcTimeoutHeaderMax {
        spec.grpcTimeoutMaxMilliseconds = pass.milliseconds(
          limits.grpcTimeoutHeaderMax, "\(place).grpc_timeout_header_max")
      }
      if limits.hasGrpcTimeoutHeaderOffset {
        spec.grpcTimeoutOffsetMilliseconds = pass.milliseconds(
          limits.grpcTimeoutHeaderOffset, "\(place).grpc_timeout_header_offset")
      }
    }
    (spec.upgrades, spec.connect) = upgrades(proto.upgradeConfigs, "\(path).upgrade_configs")
    spec.priority = proto.priority == .high ? .high : .normal
    spec.appendsXForwardedHost = proto.appendXForwardedHost
    spec.clusterNotFoundStatus =
      switch proto.clusterNotFoundResponseCode {
      case .serviceUnavailable, .UNRECOGNIZED: 503
      case .notFound: 404
      case .internalServerError: 500
      }
    if !proto.prefixRewrite.isEmpty, proto.hasRegexRewrite {
      pass.error("\(path).regex_rewrite", "prefix_rewrite and regex_rewrite exclude each other")
    }
    if !proto.prefixRewrite.isEmpty {
      spec.pathRewrite = .prefix(proto.prefixRewrite)
    } else if proto.hasRegexRewrite {
      spec.pathRewrite = .regex(rewrite(proto.regexRewrite))
    }
    switch proto.hostRewriteSpecifier {
    case nil: break
    case .hostRewriteLiteral(let host): spec.hostRewrite = .literal(host)
    case .autoHostRewrite(let isOn): spec.hostRewrite = isOn.value ? .automatic : nil
    case .hostRewriteHeader(let name): spec.hostRewrite = .header(name)
    case .hostRewritePathRegex(let regex): spec.hostRewrite = .pathRegex(rewrite(regex))
    }
    return spec
  }

  private func target(
    _ proto: Envoy_Config_Route_V3_RouteAction, _ path: String, _ filters: PerFilterLevel
  ) -> ForwardSpec.Target {
    switch proto.clusterSpecifier {
    case .cluster(let name): return .cluster(cluster(name, "\(path).cluster"))
    case .clusterHeader(let name): return .clusterHeader(name)
    case .weightedClusters(let weighted):
      return weightedTarget(weighted, "\(path).weighted_clusters", filters)
    case nil:
      pass.error(path, "a cluster is required")
      return .cluster(0)
    }
  }

  /// `max_grpc_timeout` and `grpc_timeout_offset`, which the fields of `max_stream_duration` have taken the place of: the
  /// client's `grpc-timeout` is the route's timeout.
  private func setOldGRPCTimeout(
    _ proto: Envoy_Config_Route_V3_RouteAction, _ path: String, _ spec: inout ForwardSpec
  ) {
    let isUsed = proto.hasMaxGrpcTimeout && !proto.hasMaxStreamDuration
    if proto.hasMaxStreamDuration {
      pass.ignore("\(path).max_grpc_timeout", if: proto.hasMaxGrpcTimeout, "has no effect beside max_stream_duration")
    }
    pass.ignore(
      "\(path).grpc_timeout_offset", if: proto.hasGrpcTimeoutOffset && !isUsed,
      proto.hasMaxStreamDuration ? "has no effect beside max_stream_duration" : "has no effect without max_grpc_timeout")
    guard isUsed else { return }
    spec.grpcTimeoutIsTimeout = true
    spec.grpcTimeoutMaxMilliseconds = pass.milliseconds(proto.maxGrpcTimeout, "\(path).max_grpc_timeout")
    if proto.hasGrpcTimeoutOffset {
      spec.grpcTimeoutOffsetMilliseconds = pass.milliseconds(proto.grpcTimeoutOffset, "\(path).grpc_timeout_offset")
    }
  }

  private func weightedTarget(
    _ proto: Envoy_Config_Route_V3_WeightedCluster, _ path: String, _ filters: PerFilterLevel
  ) -> ForwardSpec.Target {
    pass.ignore(
      "\(path).total_weight", if: proto.hasTotalWeight,
      "has no effect: the sum of the weights counts")
    var header: String?
    switch proto.randomValueSpecifier {
    case nil: break
    case .headerName(let name): header = name
    case .useHashPolicy: break
    }
    var clusters = proto.clusters.enumerated().map { weightedCluster($1, "\(path).clusters[\($0)]", filters) }
    if !proto.runtimeKeyPrefix.isEmpty { setRuntimeWeights(&clusters, proto, path) }
    return .weighted(clusters, header: header)
  }

  private func setRuntimeWeights(
    _ clusters: inout [WeightedClusterSpec], _ proto: Envoy_Config_Route_V3_WeightedCluster, _ path: String
  ) {
    let weights = proto.clusters.map { pass.runtimeNumber("\(proto.runtimeKeyPrefix).\($0.name)").map { UInt32(clamping: $0) } }
    guard zip(clusters, weights).contains(where: { $1 ?? $0.weight > 0 }) || weights.allSatisfy({ $0 == nil }) else {
      pass.error("\(path).runtime_key_prefix", "with the values of runtime keys all weights are 0")
      return
    }
    for (index, weight) in weights.enumerated() { clusters[index].weight = weight ?? clusters[index].weight }
  }

  private func weightedCluster(
    _ proto: Envoy_Config_Route_V3_WeightedCluster.ClusterWeight, _ path: String,
    _ filters: PerFilterLevel
  ) -> WeightedClusterSpec {
    var slot: UInt32 = 0
    if !proto.clusterHeader.isEmpty {
      pass.refuse("\(path).cluster_header")
    } else if proto.name.isEmpty {
      pass.error("\(path).name", "a cluster is required")
    } else {
      slot = cluster(proto.name, "\(path).name")
    }
    var spec = WeightedClusterSpec(cluster: slot, weight: proto.weight.value)
    spec.requestMutations = pass.mutations(
      add: proto.requestHeadersToAdd, remove: proto.requestHeadersToRemove,
      "\(path).request_headers")
    spec.responseMutations = pass.mutations(
      add: proto.responseHeadersToAdd, remove: proto.responseHeadersToRemove,
      "\(path).response_headers")
    spec.filterConfigs = specs(
      perFilterConfigs(
        proto.typedPerFilterConfig, "\(path).typed_per_filter_config", inherited: filters))
    if case .hostRewriteLiteral(let host)? = proto.hostRewriteSpecifier {
      spec.hostRewriteLiteral = host
    }
    return spec
  }

  private func rewrite(
    _ proto: Envoy_Type_Matcher_V3_RegexMatchAndSubstitute
  ) -> RegexRewriteSpec {
    RegexRewriteSpec(pattern: proto.pattern.regex, substitution: proto.substitution)
  }

  private func refuseUnsupported(
    _ proto: Envoy_Config_Route_V3_RouteAction, _ path: String
  ) {
    pass.refuse("\(path).flush_timeout", if: proto.hasFlushTimeout)
    if proto.hasCors { refuseCORS("\(path).cors") }
  }

  // MARK: Redirects

  private func redirect(_ proto: Envoy_Config_Route_V3_RedirectAction) -> RedirectSpec {
    var spec = RedirectSpec()
    switch proto.schemeRewriteSpecifier {
    case nil: break
    case .httpsRedirect(let isOn): spec.scheme = isOn ? .https : nil
    case .schemeRedirect(let name): spec.scheme = name.isEmpty ? nil : .named(name)
    }
    spec.host = proto.hostRedirect.isEmpty ? nil : proto.hostRedirect
    spec.port = proto.portRedirect == 0 ? nil : proto.portRedirect
    switch proto.pathRewriteSpecifier {
    case nil: break
    case .pathRedirect(let path): spec.path = path.isEmpty ? nil : .replace(path)
    case .prefixRewrite(let prefix): spec.path = .rewrite(.prefix(prefix))
    case .regexRewrite(let regex): spec.path = .rewrite(.regex(rewrite(regex)))
    }
    spec.status =
      switch proto.responseCode {
      case .movedPermanently, .UNRECOGNIZED: 301
      case .found: 302
      case .seeOther: 303
      case .temporaryRedirect: 307
      case .permanentRedirect: 308
      }
    spec.stripsQuery = proto.stripQuery
    return spec
  }
}
