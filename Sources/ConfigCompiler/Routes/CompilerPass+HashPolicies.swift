import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

/// What a request's hash is made of.
extension CompilerPass {
  /// Nil when there are none, or after errors.
  func hashPolicies(
    _ protos: [Envoy_Config_Route_V3_RouteAction.HashPolicy], _ path: String
  ) -> HashPolicies? {
    let specs = protos.enumerated().compactMap { hashPolicy($1, "\(path)[\($0)]") }
    // Places of errors are counted in what is compiled.
    guard specs.count == protos.count, !specs.isEmpty else { return nil }
    do {
      return try HashPolicies(compiling: specs)
    } catch {
      for fault in error.errors { self.error(path + fault.path, fault.message) }
      return nil
    }
  }

  /// Warns of a route's hash that nobody asks for.
  func warnOfUnusedHash(_ proto: Envoy_Config_Route_V3_RouteAction, _ path: String) {
    switch proto.clusterSpecifier {
    case .weightedClusters(let weighted):
      if weighted.useHashPolicy.value {
        ignore(
          "\(path).weighted_clusters.use_hash_policy", if: proto.hashPolicy.isEmpty,
          "has no effect: the route has no hash_policy")
      } else {
        warnOfUnusedHash(weighted.clusters.map(\.name), proto, path)
      }
    case .cluster(let name): warnOfUnusedHash([name], proto, path)
    case .clusterHeader, nil: break
    }
  }

  private func warnOfUnusedHash(
    _ clusters: [String], _ proto: Envoy_Config_Route_V3_RouteAction, _ path: String
  ) {
    guard !proto.hashPolicy.isEmpty, let first = clusters.first, let policy = unhashedClusters[first],
      clusters.allSatisfy({ unhashedClusters[$0] != nil })
    else { return }
    ignore("\(path).hash_policy", "has no effect: cluster \"\(shown(first))\" balances by \(policy)")
  }

  private func hashPolicy(
    _ proto: Envoy_Config_Route_V3_RouteAction.HashPolicy, _ path: String
  ) -> HashPolicySpec? {
    let source: HashPolicySpec.Source
    switch proto.policySpecifier {
    case .header(let header):
      let rewrite = header.hasRegexRewrite ? header.regexRewrite : nil
      source = .header(
        header.headerName,
        rewrite: rewrite.map { RegexRewriteSpec(pattern: $0.pattern.regex, substitution: $0.substitution) })
    case .cookie(let cookie): source = .cookie(self.cookie(cookie, "\(path).cookie"))
    case .connectionProperties(let properties):
      guard properties.sourceIp else {
        error("\(path).connection_properties", "source_ip must be true: there is no other property")
        return nil
      }
      source = .sourceIP
    case .queryParameter(let parameter): source = .queryParameter(parameter.name)
    case .filterState:
      error("\(path).filter_state", "is not supported by apus: no filter leaves state for others yet")
      return nil
    case nil:
      // The schema demands one.
      error(path, "a policy is required")
      return nil
    }
    return HashPolicySpec(source, isTerminal: proto.terminal)
  }

  private func cookie(
    _ proto: Envoy_Config_Route_V3_RouteAction.HashPolicy.Cookie, _ path: String
  ) -> HashCookieSpec {
    var cookie = HashCookieSpec(name: proto.name)
    if proto.hasTtl { cookie.ttlSeconds = nanoseconds(proto.ttl, "\(path).ttl") / 1_000_000_000 }
    cookie.path = proto.path
    cookie.attributes = proto.attributes.map { .init(name: $0.name, value: $0.value) }
    return cookie
  }
}
