import ConfigCompiler
import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing
import SwiftProtobuf

/// A route that sends requests on: where, and with which limits.
extension Explainer {
  struct ForwardPlace {
    let action: Envoy_Config_Route_V3_RouteAction
    let host: Envoy_Config_Route_V3_VirtualHost
    let path: String
    let table: UnsafeMutablePointer<RouteTableConfig>
    let match: RouteMatch
  }

  func explainForward(
    _ forward: ForwardPlace, _ request: ExplainedRequest, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    _ path: ByteView?, _ headers: UnsafeMutablePointer<HeaderMap>, _ arena: inout Arena, _ explanation: inout Explanation
  ) {
    let lookup = forward.table.pointee.table.lookup
    let entry = lookup.route(forward.match.route)
    let policies = entry.pointee.policySlot.map { forward.table.pointee.policies.buffer[Int($0)] }
    let client = HashedClient(
      address: request.source, remote: StreamInfo.Endpoint(ip: request.source, port: 0),
      local: StreamInfo.Endpoint(ip: nil, port: 0))
    let hash = policies?.hash.flatMap { list -> UInt64? in
      let hash = list.hash(headers, client, arena: &arena)
      // A cookie that is made anew hashes to another host each time.
      return hash.isSet && hash.cookies == nil ? hash.value : nil
    }
    var step = Explanation.Step(name: "cluster")
    var match = 0
    let name: String
    switch forward.action.clusterSpecifier {
    case .cluster(let cluster): name = cluster
    case .clusterHeader(let header):
      guard let named = lookup.clusterName(route: forward.match.route, headers: headers) else {
        explanation.outcome = .failed("\(status(forward.action)): the request has no header \(header), which names the cluster")
        return
      }
      name = named.string
      step.add("", "named by the header \(header)")
    case .weightedClusters(let weighted):
      let chosen = lookup.chooseWeightedCluster(
        route: forward.match.route, random: entry.pointee.selectsByHash ? hash ?? request.random : request.random,
        headers: headers)
      if case .weighted(let first, _, _) = entry.pointee.target, chosen >= 0 { match = Int(chosen) - Int(first) }
      guard weighted.clusters.indices.contains(match) else {
        explanation.outcome = .failed("the weights of the clusters add up to 0")
        return
      }
      let sum = weighted.clusters.reduce(0.0) { $0 + Double($1.weight.value) }
      let shares = weighted.clusters.map { "\($0.name) \(Self.percent(Double($0.weight.value) / max(1, sum))) %" }
      name = weighted.clusters[match].name
      step.add("weighted", "\(shares.joined(separator: ", ")); shown: \(name) (\(entry.pointee.selectsByHash && hash != nil ? "by hash" : "--random \(request.random)"))")
    case nil: name = ""
    }
    guard clusters[name] != nil else {
      explanation.steps.append(step)
      explanation.outcome = .failed("\(status(forward.action)): there is no cluster \"\(name)\"")
      return
    }
    step.taken = Explanation.Part(text: name, place: clusterPlace(name))
    explanation.steps.append(step)
    explainHosts(
      name, HostQuestion(hash: hash.map { .value($0) } ?? .none, match: policies?.matches.explained(match)), &explanation)
    explanation.steps.append(limits(forward, entry, manager, name))
    explanation.steps.append(changes(forward, lookup, path, headers, &arena))
    addMirrors(forward, &explanation)
  }

  private func clusterPlace(_ name: String) -> String? {
    bootstrap.staticResources.clusters.firstIndex { $0.name == name }.flatMap { place("static_resources.clusters[\($0)]") }
  }

  private func status(_ action: Envoy_Config_Route_V3_RouteAction) -> Int {
    action.clusterNotFoundResponseCode == .notFound ? 404 : action.clusterNotFoundResponseCode == .internalServerError ? 500 : 503
  }

  // MARK: Limits

  private func limits(
    _ forward: ForwardPlace, _ entry: UnsafePointer<RouteEntry>, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    _ cluster: String
  ) -> Explanation.Step {
    var step = Explanation.Step(name: "limits")
    let timeout = entry.pointee.timeoutMilliseconds
    step.add("timeout", timeout.map { Self.time($0 * 1_000_000) } ?? "15 s (the default)")
    step.add("idle timeout", Self.time(entry.pointee.idleTimeoutMilliseconds.map { $0 * 1_000_000 } ?? manager.pointee.streamIdleTimeout))
    if let longest = entry.pointee.maxStreamDurationMilliseconds ?? (manager.pointee.maxStreamDuration > 0 ? manager.pointee.maxStreamDuration / 1_000_000 : nil), longest > 0 {
      step.add("max_stream_duration", Self.time(longest * 1_000_000))
    }
    step.add("retries", retries(forward))
    if let hedges = hedges(forward) { step.add("hedges", hedges) }
    addClusterLimits(cluster, isHigh: entry.pointee.priority == .high, &step)
    return step
  }

  private func retries(_ forward: ForwardPlace) -> String {
    let isOwn = forward.action.hasRetryPolicy
    guard isOwn || forward.host.hasRetryPolicy else { return "none" }
    let policy = isOwn ? forward.action.retryPolicy : forward.host.retryPolicy
    var text = "\(policy.hasNumRetries ? policy.numRetries.value : 1) on \(policy.retryOn.isEmpty ? "nothing" : policy.retryOn)"
    if policy.hasPerTryTimeout { text += ", per try \(policy.perTryTimeout.seconds * 1000 + Int64(policy.perTryTimeout.nanos) / 1_000_000) ms" }
    return text + (isOwn ? "" : " (virtual host)")
  }

  /// What becomes of an attempt that is late.
  private func hedges(_ forward: ForwardPlace) -> String? {
    let isOwn = forward.action.hasHedgePolicy
    let policy = isOwn ? forward.action.hedgePolicy : forward.host.hedgePolicy
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
    _ forward: ForwardPlace, _ lookup: RouteLookup, _ path: ByteView?, _ headers: UnsafeMutablePointer<HeaderMap>, _ arena: inout Arena
  ) -> Explanation.Step {
    var step = Explanation.Step(name: "request")
    if let path, let rewritten = lookup.rewrittenPath(route: forward.match.route, path: path, arena: &arena) {
      step.add("path", rewritten.string)
    } else {
      step.add("path", "unchanged")
    }
    let rewritten = lookup.rewrittenHost(route: forward.match.route, path: path ?? .empty, headers: headers, arena: &arena)
    if case .autoHostRewrite(let isOn)? = forward.action.hostRewriteSpecifier, isOn.value {
      step.add("host", "the chosen host's name")
    } else {
      step.add("host", rewritten?.string ?? "unchanged")
    }
    return step
  }

  private func addMirrors(_ forward: ForwardPlace, _ explanation: inout Explanation) {
    let policies = forward.action.requestMirrorPolicies.isEmpty ? forward.host.requestMirrorPolicies : forward.action.requestMirrorPolicies
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
