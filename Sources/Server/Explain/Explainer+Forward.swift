import ConfigCompiler
import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing
import SwiftProtobuf

/// A route that sends requests on: where, and with which limits.
extension Explainer {
  /// - Parameter path: As filters have left it; nil of CONNECT.
  func explainForward(
    _ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route, _ at: RoutedRequest, _ path: ByteView?,
    _ explanation: inout Explanation
  ) {
    let lookup = at.table.pointee.table.lookup
    let entry = lookup.route(route.number)
    let policies = entry.pointee.policySlot.map { at.table.pointee.policies.buffer[Int($0)] }
    let routeHash = hash(at)
    var step = Explanation.Step(name: "cluster")
    let name: String
    switch action.clusterSpecifier {
    case .cluster(let cluster): name = cluster
    case .clusterHeader(let header):
      guard let named = lookup.clusterName(route: route.number, headers: at.headers) else {
        explanation.outcome = .failed("\(status(action)): the request has no header \(header), which names the cluster")
        return
      }
      name = named.string
      step.add("", "named by the header \(header)")
    case .weightedClusters(let weighted):
      guard route.weighted >= 0, weighted.clusters.indices.contains(route.weightedIndex) else {
        explanation.outcome = .failed("the weights of the clusters add up to 0")
        return
      }
      let weights = weights(at)
      let sum = weights.reduce(0.0) { $0 + Double($1) }
      let shares = zip(weighted.clusters, weights).map { "\($0.name) \(Self.percent(Double($1) / max(1, sum))) %" }
      name = weighted.clusters[route.weightedIndex].name
      let how = entry.pointee.selectsByHash && routeHash != nil ? "by hash" : "--random \(at.request.random)"
      step.add("weighted", "\(shares.joined(separator: ", ")); shown: \(name) (\(how))")
    case nil: name = ""
    }
    guard clusters[name] != nil else {
      explanation.steps.append(step)
      explanation.outcome = .failed("\(status(action)): there is no cluster \"\(name)\"")
      return
    }
    step.taken = Explanation.Part(text: name, place: clusterPlace(name))
    explanation.steps.append(step)
    let hash = clusters[name]?.config.pointer.pointee.hashPolicies.map { self.hash($0, at) } ?? routeHash
    explainHosts(
      name, HostQuestion(hash: hash.map { .value($0) } ?? .none, match: policies?.matches.explained(route.weightedIndex)), &explanation)
    explanation.steps.append(limits(entry, policies, at, cluster: name))
    explanation.steps.append(changes(action, route, lookup, path, at))
    addMirrors(policies, &explanation)
  }

  private func clusterPlace(_ name: String) -> String? {
    bootstrap.staticResources.clusters.firstIndex { $0.name == name }.flatMap { place("static_resources.clusters[\($0)]") }
  }

  private func status(_ action: Envoy_Config_Route_V3_RouteAction) -> Int {
    action.clusterNotFoundResponseCode == .notFound ? 404 : action.clusterNotFoundResponseCode == .internalServerError ? 500 : 503
  }

  // MARK: What becomes of the request

  private func changes(
    _ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route, _ lookup: RouteLookup, _ path: ByteView?, _ at: RoutedRequest
  ) -> Explanation.Step {
    var step = Explanation.Step(name: "request")
    if let path, let rewritten = lookup.rewrittenPath(route: route.number, path: path, arena: &at.arena.pointee) {
      step.add("path", rewritten.string)
    } else {
      step.add("path", "unchanged")
    }
    let rewritten = lookup.rewrittenHost(
      route: route.number, weightedCluster: route.weighted, path: path ?? .empty, headers: at.headers, arena: &at.arena.pointee)
    if case .autoHostRewrite(let isOn)? = action.hostRewriteSpecifier, isOn.value {
      step.add("host", "the chosen host's name")
    } else {
      step.add("host", rewritten?.string ?? "unchanged")
    }
    return step
  }

  private func addMirrors(_ policies: RoutePolicies?, _ explanation: inout Explanation) {
    guard let policies, !policies.mirrors.buffer.isEmpty else { return }
    var step = Explanation.Step(name: "mirrors")
    for mirror in policies.mirrors.buffer {
      let share = Self.percent(min(1, Double(mirror.numerator) / Double(mirror.denominator)))
      let cluster =
        switch mirror.cluster {
        case .slot(let slot): clusterName(slot)
        case .header(let name, _): "the cluster in \(name.view.string)"
        }
      step.add("", "\(share) % to \(cluster)")
    }
    explanation.steps.append(step)
  }
}
