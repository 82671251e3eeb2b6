import ConfigLoader
import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

/// What routes and virtual hosts say beyond where requests go: when they are sent once more, where else, and what hosts are chosen by.
extension RouteTableTranslator {
  /// The number of what the virtual host and its route say together; nil when they say nothing.
  func policySlot(
    _ route: Envoy_Config_Route_V3_RouteAction, _ path: String, host: HostPolicies, options: Apus_V1_RouteOptions
  ) -> UInt32? {
    let hash = pass.hashPolicies(route.hashPolicy, "\(path).hash_policy")
    pass.warnOfUnusedHash(route, path)
    let matches = matches(route, path)
    guard
      route.hasRetryPolicy || !route.requestMirrorPolicies.isEmpty || hash != nil || options.retryGrpcTrailers
        || route.hasInternalRedirectPolicy || route.hasHedgePolicy || matches != nil
    else { return host.slot }
    var policies = host.policies
    policies.judgesTrailers = options.retryGrpcTrailers
    if route.hasRetryPolicy {
      policies.setRetry(retryPolicy(route.retryPolicy, "\(path).retry_policy"))
      warnOfTimes(route, policies.retry, path)
      warnOfNumbers(route, policies.retry, path)
    }
    if route.hasHedgePolicy {
      policies.hedgesLateAttempts = hedges(route.hedgePolicy, "\(path).hedge_policy")
      warnOfHedges(policies, "\(path).hedge_policy")
    }
    if !route.requestMirrorPolicies.isEmpty {
      policies.mirrors = FrozenList(mirrors(route.requestMirrorPolicies, path))
    }
    if let hash { policies.setHash(hash) }
    if let matches { policies.matches = matches }
    if route.hasInternalRedirectPolicy {
      policies.setRedirect(redirectPolicy(route.internalRedirectPolicy, "\(path).internal_redirect_policy"))
    }
    return addPolicies(policies)
  }

  /// What hosts are wanted: the route's match, with that of each of its weighted clusters over it.
  private func matches(_ route: Envoy_Config_Route_V3_RouteAction, _ path: String) -> SubsetMatches? {
    let own = pass.subsetMatch(route.hasMetadataMatch ? route.metadataMatch : nil, "\(path).metadata_match")
    guard case .weightedClusters(let weighted)? = route.clusterSpecifier else {
      return own.map { SubsetMatches([$0.match]) }
    }
    let drafts = weighted.clusters.enumerated().map { index, entry in
      pass.subsetMatch(
        entry.hasMetadataMatch ? entry.metadataMatch : nil, over: own,
        "\(path).weighted_clusters.clusters[\(index)].metadata_match")
    }
    return drafts.contains { $0 != nil } ? SubsetMatches(drafts.map { $0?.match }) : nil
  }

  /// What a virtual host says for its routes. A route's own policy takes the place of it as a whole.
  struct HostPolicies {
    var slot: UInt32?
    var policies = RoutePolicies()
  }

  /// - Parameter outer: The route table's mirrors: those of a host without its own.
  func hostPolicies(
    _ proto: Envoy_Config_Route_V3_VirtualHost, _ path: String, _ outer: [MirrorPolicy]
  ) -> HostPolicies {
    var host = HostPolicies()
    if proto.hasRetryPolicy { host.policies.setRetry(retryPolicy(proto.retryPolicy, "\(path).retry_policy")) }
    if proto.hasHedgePolicy { host.policies.hedgesLateAttempts = hedges(proto.hedgePolicy, "\(path).hedge_policy") }
    host.policies.tellsTimeoutRetries = proto.includeIsTimeoutRetryHeader
    let own = mirrors(proto.requestMirrorPolicies, path)
    host.policies.mirrors = FrozenList(proto.requestMirrorPolicies.isEmpty ? outer : own)
    if proto.hasRetryPolicy || proto.includeIsTimeoutRetryHeader || host.policies.hedgesLateAttempts
      || !host.policies.mirrors.buffer.isEmpty {
      host.slot = addPolicies(host.policies)
    }
    return host
  }

  /// Whether an attempt that is late goes on beside the next one.
  private func hedges(_ proto: Envoy_Config_Route_V3_HedgePolicy, _ path: String) -> Bool {
    // Envoy takes both and does nothing with them.
    if proto.hasInitialRequests, proto.initialRequests.value > 1 {
      pass.error(
        "\(path).initial_requests",
        "must be 1, got \(proto.initialRequests.value): only hedge_on_per_try_timeout sends more than one request at a time")
    }
    if proto.hasAdditionalRequestChance, proto.additionalRequestChance.numerator > 0 {
      pass.error(
        "\(path).additional_request_chance",
        "must be 0: only hedge_on_per_try_timeout sends more than one request at a time")
    }
    return proto.hedgeOnPerTryTimeout
  }

  private func warnOfHedges(_ policies: RoutePolicies, _ path: String) {
    guard policies.hedgesLateAttempts else { return }
    if !policies.hasRetry || policies.retry.conditions.isEmpty {
      pass.warn(
        "\(path).hedge_on_per_try_timeout", "has no effect without retry_on in retry_policy, but where an internal caller asks")
    } else if policies.retry.perTryTimeoutNanoseconds == 0, policies.retry.perTryIdleTimeoutNanoseconds == 0 {
      pass.warn(
        "\(path).hedge_on_per_try_timeout",
        "has no effect without per_try_timeout in retry_policy, but where an internal caller asks")
    }
  }

  private func warnOfTimes(
    _ route: Envoy_Config_Route_V3_RouteAction, _ retry: RetryPolicy, _ path: String
  ) {
    guard retry.perTryTimeoutNanoseconds > 0 else { return }
    let whole = route.hasTimeout ? pass.nanoseconds(route.timeout, "\(path).timeout") : 15_000_000_000
    guard whole > 0, retry.perTryTimeoutNanoseconds >= whole else { return }
    pass.warn(
      "\(path).retry_policy.per_try_timeout",
      "has no effect: the route's timeout is \(whole / 1_000_000) ms\(route.hasTimeout ? "" : " (the default)")")
  }

  /// More repeats of one request than the cluster has of all of them.
  private func warnOfNumbers(
    _ route: Envoy_Config_Route_V3_RouteAction, _ retry: RetryPolicy, _ path: String
  ) {
    let names: [String] =
      switch route.clusterSpecifier {
      case .cluster(let name): [name]
      case .weightedClusters(let weighted): weighted.clusters.map(\.name)
      case .clusterHeader, nil: []
      }
    for name in names {
      guard let most = pass.retriesMax(ofCluster: name, isHigh: route.priority == .high), retry.repeatsMax > most
      else { continue }
      pass.warn(
        "\(path).retry_policy",
        "num_retries \(retry.repeatsMax) with max_retries \(most) of cluster \"\(shown(name))\": at most \(most) requests are repeated at a time")
      return
    }
  }

  private func retryPolicy(_ proto: Envoy_Config_Route_V3_RetryPolicy, _ path: String) -> RetryPolicy {
    var policy = RetryPolicy(
      responseHeaders: matchers(proto.retriableHeaders, "\(path).retriable_headers"),
      requestHeaders: matchers(proto.retriableRequestHeaders, "\(path).retriable_request_headers"))
    policy.conditions = conditions(proto.retryOn, "\(path).retry_on")
    if !proto.retriableHeaders.isEmpty, !policy.conditions.contains(.headers) {
      pass.ignore("\(path).retriable_headers", "has no effect without \"retriable-headers\" in retry_on")
    }
    if !proto.retriableStatusCodes.isEmpty, !policy.conditions.contains(.statusCodes) {
      pass.ignore("\(path).retriable_status_codes", "has no effect without \"retriable-status-codes\" in retry_on")
    }
    policy.statusCodes = FrozenList(
      proto.retriableStatusCodes.enumerated().compactMap { index, code in
        guard (100...599).contains(code) else {
          pass.error("\(path).retriable_status_codes[\(index)]", "must be 100 to 599, got \(code)")
          return nil
        }
        return UInt16(code)
      })
    if proto.hasNumRetries { policy.repeatsMax = proto.numRetries.value }
    if proto.hasPerTryTimeout {
      policy.perTryTimeoutNanoseconds = pass.nanoseconds(proto.perTryTimeout, "\(path).per_try_timeout")
    }
    if proto.hasPerTryIdleTimeout {
      policy.perTryIdleTimeoutNanoseconds = pass.nanoseconds(proto.perTryIdleTimeout, "\(path).per_try_idle_timeout")
    }
    setBackoff(&policy, proto, path)
    setPredicates(&policy, proto, path)
    if proto.hasRetryPriority { policy.levelsFrequency = levelsFrequency(proto.retryPriority, "\(path).retry_priority") }
    return policy
  }

  /// After how many attempts those that follow go to other priority levels.
  private func levelsFrequency(_ proto: Envoy_Config_Route_V3_RetryPolicy.RetryPriority, _ path: String) -> UInt32 {
    typealias Config = Envoy_Extensions_Retry_Priority_PreviousPriorities_V3_PreviousPrioritiesConfig
    guard let config = proto.typedConfig.unpacked(as: Config.self) else {
      pass.error(path, "needs typed_config with a PreviousPrioritiesConfig")
      return 0
    }
    return UInt32(clamping: config.updateFrequency)
  }

  private func conditions(_ list: String, _ path: String) -> RetryConditions {
    var all: RetryConditions = []
    for element in list.split(separator: ",") {
      let name = String(element.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      if name.isEmpty { continue }
      if let known = RetryConditions.names.first(where: { "\($0.name)" == name }) {
        all.insert(known.condition)
        continue
      }
      let hint = pass.closest(to: name, among: Set(RetryConditions.names.map { "\($0.name)" }))
      pass.error(path, "\"\(shown(name))\" is not a condition\(hint.map { ", did you mean \"\($0)\"?" } ?? "")")
    }
    return all
  }

  /// Matchers of which one is enough.
  private func matchers(_ protos: [Envoy_Config_Route_V3_HeaderMatcher], _ path: String) -> [HeaderConditions] {
    // All at once first, so that errors carry the index of their matcher.
    guard !protos.isEmpty, pass.conditions(protos, path) != nil else { return [] }
    return protos.compactMap { pass.conditions([$0], path) }
  }

  private func setBackoff(_ policy: inout RetryPolicy, _ proto: Envoy_Config_Route_V3_RetryPolicy, _ path: String) {
    if proto.hasRetryBackOff {
      let backoff = proto.retryBackOff
      let place = "\(path).retry_back_off"
      let base = max(1_000_000, pass.nanoseconds(backoff.baseInterval, "\(place).base_interval"))
      let longest = backoff.hasMaxInterval ? pass.nanoseconds(backoff.maxInterval, "\(place).max_interval") : nil
      if let longest, longest < base { pass.error("\(place).max_interval", "must not be less than base_interval") }
      policy.backoff = RetryBackoff(base: base, longest: longest)
    }
    if proto.hasRateLimitedRetryBackOff {
      let backoff = proto.rateLimitedRetryBackOff
      policy.resetHeaders = FrozenList(
        backoff.resetHeaders.map { .init(name: $0.name, format: $0.format == .unixTimestamp ? .unixTimestamp : .seconds) })
      if backoff.hasMaxInterval {
        policy.resetMaxNanoseconds = pass.nanoseconds(
          backoff.maxInterval, "\(path).rate_limited_retry_back_off.max_interval")
      }
    }
  }

  private func setPredicates(_ policy: inout RetryPolicy, _ proto: Envoy_Config_Route_V3_RetryPolicy, _ path: String) {
    if proto.hostSelectionRetryMaxAttempts < 0 {
      pass.error("\(path).host_selection_retry_max_attempts", "must not be negative")
    }
    var avoided: [FrozenList<UInt64>] = []
    for (index, predicate) in proto.retryHostPredicate.enumerated() {
      let any = predicate.typedConfig
      if any.unpacked(as: Envoy_Extensions_Retry_Host_PreviousHosts_V3_PreviousHostsPredicate.self) != nil {
        policy.avoidsTriedHosts = true
      } else if any.unpacked(as: Envoy_Extensions_Retry_Host_OmitCanaryHosts_V3_OmitCanaryHostsPredicate.self) != nil {
        policy.avoidsCanaries = true
      } else if let omit = any.unpacked(
        as: Envoy_Extensions_Retry_Host_OmitHostMetadata_V3_OmitHostMetadataConfig.self)
      {
        let pairs = HostLabels.pairs(omit.metadataMatch.filterMetadata["envoy.lb"]?.fields ?? [:])
        if pairs.isEmpty {
          pass.ignore(
            "\(path).retry_host_predicate[\(index)].typed_config.metadata_match",
            "has no effect without filter_metadata[\"envoy.lb\"]")
        } else {
          avoided.append(FrozenList(pairs))
        }
      } else {
        pass.error(
          "\(path).retry_host_predicate[\(index)]",
          "needs typed_config with a PreviousHostsPredicate, an OmitCanaryHostsPredicate or an OmitHostMetadataConfig")
      }
    }
    policy.avoidedLabels = FrozenList(avoided)
    policy.refusalsMax = max(1, UInt32(clamping: proto.hostSelectionRetryMaxAttempts))
    if proto.hostSelectionRetryMaxAttempts > 0, proto.retryHostPredicate.isEmpty {
      pass.ignore("\(path).host_selection_retry_max_attempts", "has no effect without retry_host_predicate")
    }
  }
}
