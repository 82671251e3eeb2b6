import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing

/// How long a request may take, how often it is sent, and what its cluster has room for. Headers by which a caller asks for other
/// times and numbers count, as in the worker.
extension Explainer {
  func limits(_ entry: UnsafePointer<RouteEntry>, _ policies: RoutePolicies?, _ at: RoutedRequest, cluster: String) -> Explanation.Step {
    var step = Explanation.Step(name: "limits")
    addTimes(entry, at, &step)
    addRepeats(policies, at, cluster, &step)
    if let policies, policies.followsRedirects {
      step.add("redirects", "at most \(policies.redirect.redirectsMax) in a row are followed here")
    }
    addClusterLimits(cluster, isHigh: entry.pointee.priority == .high, &step)
    return step
  }

  // MARK: Times

  private func addTimes(_ entry: UnsafePointer<RouteEntry>, _ at: RoutedRequest, _ step: inout Explanation.Step) {
    let manager = at.manager
    step.add("timeout", timeout(entry, at))
    step.add("idle timeout", Self.time(entry.pointee.idleTimeoutMilliseconds.map { $0 * 1_000_000 } ?? manager.pointee.streamIdleTimeout))
    let asked = at.headers.pointee.value(.grpcTimeout).flatMap { GRPC.timeoutMilliseconds($0) }
    if let duration = asked.flatMap({ entry.pointee.grpcDuration(asked: $0) }) {
      step.add("max_stream_duration", "\(duration == 0 ? "over at once" : Self.time(duration * 1_000_000)) (grpc-timeout)")
      return
    }
    let longest = entry.pointee.maxStreamDurationMilliseconds.map { $0 * 1_000_000 } ?? manager.pointee.maxStreamDuration
    if longest > 0 { step.add("max_stream_duration", Self.time(longest)) }
  }

  private func timeout(_ entry: UnsafePointer<RouteEntry>, _ at: RoutedRequest) -> String {
    if at.manager.pointee.respectsExpectedTimeout, let asked = number(.envoyExpectedRqTimeoutMs, at) {
      return "\(Self.time(asked * 1_000_000)) (x-envoy-expected-rq-timeout-ms)"
    }
    if let asked = number(.envoyUpstreamRqTimeoutMs, at) { return "\(Self.time(asked * 1_000_000)) (x-envoy-upstream-rq-timeout-ms)" }
    if entry.pointee.grpcTimeoutIsTimeout, at.headers.pointee.value(.contentType).map({ GRPC.isGRPC(contentType: $0) }) ?? false {
      let asked = at.headers.pointee.value(.grpcTimeout).flatMap { GRPC.timeoutMilliseconds($0) }
      return "\(Self.time(entry.pointee.grpcTimeout(asked: asked) * 1_000_000)) (\(asked == nil ? "max_grpc_timeout" : "grpc-timeout"))"
    }
    return entry.pointee.timeoutMilliseconds.map { Self.time($0 * 1_000_000) } ?? "15 s (the default)"
  }

  // MARK: Repeats

  private func addRepeats(_ policies: RoutePolicies?, _ at: RoutedRequest, _ cluster: String, _ step: inout Explanation.Step) {
    let fromHost = at.action.map { !$0.hasRetryPolicy } ?? false
    let policy = policies.flatMap { $0.hasRetry ? $0.retry : nil } ?? RetryPolicy()
    let added = conditions(.envoyRetryOn, at).union(conditions(.envoyRetryGrpcOn, at))
    let isAsked = !added.isEmpty
    let mayRepeat = policy.mayRepeat(at.headers)
    let all = mayRepeat ? policy.conditions.union(added) : []
    let hasPolicy = policies?.hasRetry ?? false
    guard hasPolicy || isAsked else {
      step.add("retries", "none\(unaskedRepeats(cluster))")
      return
    }
    let count = number(.envoyMaxRetries, at, limit: 1 << 31).map { UInt32($0) } ?? policy.repeatsMax
    var text = !mayRepeat ? "none: no header is one of retriable_request_headers" : all.isEmpty ? "on nothing" : "\(count) on \(Self.text(all))"
    let perTry = number(.envoyUpstreamRqPerTryTimeoutMs, at).map { $0 * 1_000_000 } ?? policy.perTryTimeoutNanoseconds
    if perTry > 0 { text += ", per try \(Self.time(perTry))" }
    if policy.perTryIdleTimeoutNanoseconds > 0 { text += ", idle per try \(Self.time(policy.perTryIdleTimeoutNanoseconds))" }
    let asker = conditions(.envoyRetryOn, at).isEmpty ? "x-envoy-retry-grpc-on" : "x-envoy-retry-on"
    step.add("retries", text + (isAsked ? " (\(asker))" : fromHost ? " (virtual host)" : ""))
    if all.isEmpty { return }
    let backoff = policy.backoff ?? clusters[cluster]?.config.pointer.pointee.retryBackoff ?? .standard
    step.add("wait", "below \(Self.time(backoff.base)) at first, then below the double each time, at most \(Self.time(backoff.longest))")
    if let hosts = otherHosts(policy) { step.add("other hosts", hosts) }
    if isHedged(policies, at) { step.add("hedges", "an attempt that is late goes on beside the next one\(hedgesFromHost(at) ? " (virtual host)" : "")") }
  }

  /// Those that need no policy.
  private func unaskedRepeats(_ cluster: String) -> String {
    guard let config = clusters[cluster]?.config.pointer, config.pointee.repeatsConnectFailures else { return "" }
    return "; once on another host when there is no connection"
  }

  private func otherHosts(_ policy: RetryPolicy) -> String? {
    var avoided: [String] = []
    if policy.avoidsTriedHosts { avoided.append("hosts that were tried") }
    if policy.avoidsCanaries { avoided.append("canaries") }
    if !policy.avoidedLabels.buffer.isEmpty { avoided.append("hosts with the labels of omit_host_metadata") }
    var parts: [String] = []
    if !avoided.isEmpty { parts.append("not \(avoided.joined(separator: ", ")), as far as \(policy.refusalsMax) more picks go") }
    if policy.levelsFrequency > 0 { parts.append("another priority after \(policy.levelsFrequency) attempts") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  private func isHedged(_ policies: RoutePolicies?, _ at: RoutedRequest) -> Bool {
    // A tunnel is no request that could be sent twice at a time.
    if upgradeType(at) != nil { return false }
    return switch at.headers.pointee.value(.envoyHedgeOnPerTryTimeout)?.string {
    case "true": true
    case "false": false
    default: policies?.hedgesLateAttempts ?? false
    }
  }

  private func hedgesFromHost(_ at: RoutedRequest) -> Bool {
    guard at.headers.pointee.value(.envoyHedgeOnPerTryTimeout) == nil, let action = at.action else { return false }
    return !action.hasHedgePolicy
  }

  // MARK: Clusters

  func addClusterLimits(_ name: String, isHigh: Bool, _ step: inout Explanation.Step) {
    guard let config = clusters[name]?.config.pointer else { return }
    let limits = isHigh ? config.pointee.highLimits : config.pointee.normalLimits
    step.add("connect timeout", Self.time(config.pointee.connectTimeoutNanoseconds))
    if config.pointee.maxStreamDurationNanoseconds > 0 {
      step.add("longest attempt", "\(Self.time(config.pointee.maxStreamDurationNanoseconds)) (max_stream_duration of the cluster)")
    }
    var text = "connections \(limits.connections), pending \(limits.pendingRequests), requests \(limits.requests)"
    if limits.pools < .max { text += ", pools \(limits.pools)" }
    if limits.hostConnections < .max { text += ", connections of a host \(limits.hostConnections)" }
    if let budget = limits.retryBudget {
      text += ", retries \(Self.percent(budget.percent / 100)) % of the requests, at least \(budget.concurrencyMin)"
    } else {
      text += ", retries \(limits.retries)"
    }
    step.add("priority \(isHigh ? "HIGH" : "DEFAULT")", text)
    if config.pointee.retryPercent < 100 { step.add("upstream.use_retry", "\(config.pointee.retryPercent) % of the repeats that are due") }
  }

  // MARK: What the request asks for

  /// A number in one of its headers, as far as workers read it.
  private func number(_ header: KnownHeader, _ at: RoutedRequest, limit: UInt64 = 1 << 40) -> UInt64? {
    at.headers.pointee.value(header)?.decimal(limit: limit)
  }

  private func conditions(_ header: KnownHeader, _ at: RoutedRequest) -> RetryConditions {
    at.headers.pointee.value(header).map { RetryConditions(list: $0) } ?? []
  }

  private static func text(_ conditions: RetryConditions) -> String {
    RetryConditions.names.filter { conditions.contains($0.condition) }.map { "\($0.name)" }.joined(separator: ",")
  }
}
