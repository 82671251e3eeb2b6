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
    let hash = hash(at)
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
      let sum = weighted.clusters.reduce(0.0) { $0 + Double($1.weight.value) }
      let shares = weighted.clusters.map { "\($0.name) \(Self.percent(Double($0.weight.value) / max(1, sum))) %" }
      name = weighted.clusters[route.weightedIndex].name
      let how = entry.pointee.selectsByHash && hash != nil ? "by hash" : "--random \(at.request.random)"
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
    explainHosts(
      name, HostQuestion(hash: hash.map { .value($0) } ?? .none, match: policies?.matches.explained(route.weightedIndex)), &explanation)
    explanation.steps.append(limits(action, route, entry, at.manager, name))
    explanation.steps.append(changes(action, route, lookup, path, at))
    addMirrors(action, route, &explanation)
  }

  private func clusterPlace(_ name: String) -> String? {
    bootstrap.staticResources.clusters.firstIndex { $0.name == name }.flatMap { place("static_resources.clusters[\($0)]") }
  }

  private func status(_ action: Envoy_Config_Route_V3_RouteAction) -> Int {
    action.clusterNotFoundResponseCode == .notFound ? 404 : action.clusterNotFoundResponseCode == .internalServerError ? 500 : 503
  }

  // MARK: Limits

  private func limits(
    _ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route, _ entry: UnsafePointer<RouteEntry>, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    _ cluster: String
  ) -> Explanation.Step {
    var step = Explanation.Step(name: "limits")
    let timeout = entry.pointee.timeoutMilliseconds
    step.add("timeout", timeout.map { Self.time($0 * 1_000_000) } ?? "15 s (the default)")
    step.add("idle timeout", Self.time(entry.pointee.idleTimeoutMilliseconds.map { $0 * 1_000_000 } ?? manager.pointee.streamIdleTimeout))
    if let longest = entry.pointee.maxStreamDurationMilliseconds ?? (manager.pointee.maxStreamDuration > 0 ? manager.pointee.maxStreamDuration / 1_000_000 : nil), longest > 0 {
      step.add("max_stream_duration", Self.time(longest * 1_000_000))
    }
    step.add("retries", retries(action, route))
    if let hedges = hedges(action, route) { step.add("hedges", hedges) }
    addClusterLimits(cluster, isHigh: entry.pointee.priority == .high, &step)
    return step
  }

  private func retries(_ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route) -> String {
    let isOwn = action.hasRetryPolicy
    guard isOwn || route.host.hasRetryPolicy else { return "none" }
    let policy = isOwn ? action.retryPolicy : route.host.retryPolicy
    var text = "\(policy.hasNumRetries ? policy.numRetries.value : 1) on \(policy.retryOn.isEmpty ? "nothing" : policy.retryOn)"
    if policy.hasPerTryTimeout { text += ", per try \(policy.perTryTimeout.seconds * 1000 + Int64(policy.perTryTimeout.nanos) / 1_000_000) ms" }
    return text + (isOwn ? "" : " (virtual host)")
  }

  /// What becomes of an attempt that is late.
  private func hedges(_ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route) -> String? {
    let isOwn = action.hasHedgePolicy
    let policy = isOwn ? action.hedgePolicy : route.host.hedgePolicy
    guard policy.hedgeOnPerTryTimeout else { return nil }
    return "an attempt that is late goes on beside the next one" + (isOwn ? "" : " (virtual host)")
  }

  func addClusterLimits(_ name: String, isHigh: Bool, _ step: inout Explanation.Step) {
    guard let config = clusters[name]?.config.pointer else { return }
    let limits = isHigh ? config.pointee.highLimits : config.pointee.normalLimits
    step.add("connect timeout", Self.time(config.pointee.connectTimeoutNanoseconds))
    step.add(
      "priority \(isHigh ? "HIGH" : "DEFAULT")",
      "connections \(limits.connections), pending \(limits.pendingRequests), requests \(limits.requests), retries \(limits.retries)")
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
    let rewritten = lookup.rewrittenHost(route: route.number, path: path ?? .empty, headers: at.headers, arena: &at.arena.pointee)
    if case .autoHostRewrite(let isOn)? = action.hostRewriteSpecifier, isOn.value {
      step.add("host", "the chosen host's name")
    } else {
      step.add("host", rewritten?.string ?? "unchanged")
    }
    return step
  }

  private func addMirrors(
    _ action: Envoy_Config_Route_V3_RouteAction, _ route: RoutedRequest.Route, _ explanation: inout Explanation) {
    let policies = action.requestMirrorPolicies.isEmpty ? route.host.requestMirrorPolicies : action.requestMirrorPolicies
    guard !policies.isEmpty else { return }
    var step = Explanation.Step(name: "mirrors")
    for policy in policies {
      let share = policy.hasRuntimeFraction
        ? Self.percent(Double(policy.runtimeFraction.defaultValue.numerator) / Double(policy.runtimeFraction.defaultValue.whole)) : "100"
      step.add("", "\(share) % to \(policy.cluster.isEmpty ? "the cluster in \(policy.clusterHeader)" : policy.cluster)")
    }
    explanation.steps.append(step)
  }
}
