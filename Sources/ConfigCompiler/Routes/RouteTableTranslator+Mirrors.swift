import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

/// Mirror policies of routes, virtual hosts and route tables.
extension RouteTableTranslator {
  typealias MirrorProto = Envoy_Config_Route_V3_RouteAction.RequestMirrorPolicy

  func mirrors(_ protos: [MirrorProto], _ path: String) -> [MirrorPolicy] {
    protos.enumerated().compactMap { mirror($1, "\(path).request_mirror_policies[\($0)]") }
  }

  private func mirror(_ proto: MirrorProto, _ path: String) -> MirrorPolicy? {
    pass.ignore("\(path).trace_sampled", if: proto.hasTraceSampled, "has no effect: nothing is traced yet")
    let mutations = pass.mutationSteps(proto.requestHeadersMutations, "\(path).request_headers_mutations")
    guard let cluster = mirrorCluster(proto, path) else { return nil }
    var policy = MirrorPolicy(cluster: cluster, mutations: mutations)
    if proto.hasRuntimeFraction {
      let fraction = pass.fraction(proto.runtimeFraction)
      policy.numerator = fraction.numerator
      policy.denominator = fraction.denominator
    }
    if !proto.hostRewriteLiteral.isEmpty {
      policy.host = .literal(FrozenText(proto.hostRewriteLiteral))
    } else if proto.disableShadowHostSuffixAppend {
      policy.host = .unchanged
    }
    pass.ignore(
      "\(path).disable_shadow_host_suffix_append",
      if: proto.disableShadowHostSuffixAppend && !proto.hostRewriteLiteral.isEmpty,
      "has no effect beside host_rewrite_literal")
    return policy
  }

  private func mirrorCluster(_ proto: MirrorProto, _ path: String) -> MirrorPolicy.Cluster? {
    switch (proto.cluster.isEmpty, proto.clusterHeader.isEmpty) {
    case (false, true): return .slot(cluster(proto.cluster, "\(path).cluster"))
    case (true, false): return .header(proto.clusterHeader)
    case (true, true): pass.error(path, "cluster or cluster_header is required")
    case (false, false): pass.error("\(path).cluster_header", "cluster and cluster_header exclude each other")
    }
    return nil
  }
}
