import HostHealth
import Primitives
import Proxy
import Upstreams

/// `/clusters?format=json`: `envoy.admin.v3.Clusters`.
enum ClusterJSON {
  static func pieces(
    _ clusters: [AdminCluster], _ delegate: any AdminDelegate
  ) -> JSONPieces {
    var steps: [JSONPieces.Step] = [.beginObject(nil)]
    if !clusters.isEmpty {
      steps.append(.beginArray("cluster_statuses"))
      for cluster in clusters { append(cluster, delegate, to: &steps) }
      steps.append(.end)
    }
    steps.append(.end)
    return JSONPieces(steps)
  }

  private static func append(
    _ cluster: AdminCluster, _ delegate: any AdminDelegate,
    to steps: inout [JSONPieces.Step]
  ) {
    let hosts = cluster.hosts.pointer.pointee.hosts
    let rates = delegate.outlierRates(ofCluster: cluster.name)
    let latency = delegate.outlierLatency(ofCluster: cluster.name)
    steps.append(.beginObject(nil))
    steps.append(.field("name", { .string(cluster.name) }))
    if let value = threshold(rates?.external) { steps.append(.field("success_rate_ejection_threshold", { value })) }
    steps.append(
      .list("host_statuses", count: hosts.buffer.count) {
        [status(of: hosts.buffer[$0].pointer.pointee, cluster.hosts.pointer.pointee.flags.buffer[$0], delegate)]
      })
    if let value = threshold(rates?.local) {
      steps.append(.field("local_origin_success_rate_ejection_threshold", { value }))
    }
    steps.append(
      .field("circuit_breakers") {
        let config = cluster.config.pointer.pointee
        return .object([
          .init(
            "thresholds",
            .array([
              thresholds(config.normalLimits, nil), thresholds(config.highLimits, "HIGH"),
            ]))
        ])
      })
    steps.append(.field("observability_name", { .string(cluster.config.pointer.pointee.statName) }))
    // Not a field of Envoy's message.
    steps.append(
      .field("apus") {
        var fields: [JSONValue.Field] = [.init("balancing", BalancingFacts(cluster.hosts.pointer.pointee).json)]
        if let rates { fields.append(.init("outlier_detection", OutlierJSON.cluster(rates, latency))) }
        return .object(fields)
      })
    steps.append(.end)
  }

  /// Left out where nobody can fall short of it, as in Envoy.
  private static func threshold(_ rates: OutlierRates.Origin?) -> JSONValue? {
    guard let threshold = rates?.threshold, threshold > 0 else { return nil }
    return percent(threshold)
  }

  /// `envoy.type.v3.Percent`
  private static func percent(_ value: Double) -> JSONValue {
    .object(value == 0 ? [] : [.init("value", .number(RateText.exact(value)))])
  }

  private static func thresholds(_ limits: ClusterLimits, _ priority: String?) -> JSONValue {
    var fields: [JSONValue.Field] = []
    if let priority { fields.append(.init("priority", .string(priority))) }
    fields += [
      .init("max_connections", .number(UInt64(limits.connections))),
      .init("max_pending_requests", .number(UInt64(limits.pendingRequests))),
      .init("max_requests", .number(UInt64(limits.requests))),
      .init("max_retries", .number(UInt64(limits.retries))),
    ]
    return .object(fields)
  }

  /// `envoy.admin.v3.HostHealthStatus`: what is false is left out.
  private static func health(_ flags: HostFlags) -> JSONValue {
    let words: [(HostFlags, String)] = [
      (.failedActiveCheck, "failed_active_health_check"), (.failedOutlierCheck, "failed_outlier_check"),
      (.degradedActiveCheck, "failed_active_degraded_check"), (.pendingDynamicRemoval, "pending_dynamic_removal"),
      (.pendingActiveCheck, "pending_active_hc"), (.excludedImmediately, "excluded_via_immediate_hc_fail"),
      (.activeCheckTimeout, "active_hc_timeout"),
    ]
    var fields: [JSONValue.Field] = []
    for (flag, word) in words where flags.contains(flag) { fields.append(.init(word, .bool(true))) }
    let discovery =
      if flags.contains(.failedDiscovery) {
        "UNHEALTHY"
      } else if flags.contains(.drainingDiscovery) {
        "DRAINING"
      } else if flags.contains(.degradedDiscovery) {
        "DEGRADED"
      } else {
        "HEALTHY"
      }
    return .object(fields + [.init("eds_health_status", .string(discovery))])
  }

  private static func status(
    of host: HostConfig, _ flags: HostFlags, _ delegate: any AdminDelegate
  ) -> JSONValue {
    func metric(_ name: String, _ value: UInt64, isGauge: Bool = false) -> JSONValue {
      // Fields with default values are left out, as in all of protobuf's JSON; 64-bit numbers are strings.
      var fields: [JSONValue.Field] = []
      if isGauge { fields.append(.init("type", .string("GAUGE"))) }
      if value > 0 { fields.append(.init("value", .string(String(value)))) }
      fields.append(.init("name", .string(name)))
      return .object(fields)
    }
    let facts = delegate.facts(ofHost: host.number)
    var fields: [JSONValue.Field] = [
      .init("address", host.address.json),
      .init(
        "stats",
        .array([
          metric("cx_connect_fail", delegate.value(of: host.stats.cxConnectFail)),
          metric("cx_total", delegate.value(of: host.stats.cxTotal)),
          metric("rq_error", delegate.value(of: host.stats.rqError)),
          metric("rq_success", delegate.value(of: host.stats.rqSuccess)),
          metric("rq_timeout", delegate.value(of: host.stats.rqTimeout)),
          metric("rq_total", delegate.value(of: host.stats.rqTotal)),
          metric("cx_active", delegate.value(of: host.stats.cxActive), isGauge: true),
          metric("rq_active", delegate.value(of: host.stats.rqActive), isGauge: true),
        ])),
      .init("health_status", health(flags)),
    ]
    if let rate = facts.outlier?.successRate { fields.append(.init("success_rate", percent(rate))) }
    fields.append(.init("weight", .number(UInt64(host.weight))))
    if !host.hostname.view.isEmpty {
      fields.append(.init("hostname", .string(host.hostname.view.string)))
    }
    if host.priority > 0 { fields.append(.init("priority", .number(UInt64(host.priority)))) }
    if let rate = facts.outlier?.localSuccessRate { fields.append(.init("local_origin_success_rate", percent(rate))) }
    let locality = [
      ("region", host.locality.region), ("zone", host.locality.zone),
      ("sub_zone", host.locality.subZone),
    ].filter { !$0.1.isEmpty }.map { JSONValue.Field($0.0, .string($0.1)) }
    fields.append(.init("locality", .object(locality)))
    // Not a field of Envoy's message.
    var own: [JSONValue.Field] = []
    if let match = host.socketMatch { own.append(.init("transport_socket_match", .string(match.view.string))) }
    if let outlier = facts.outlier { own.append(.init("outlier_detection", OutlierJSON.host(outlier))) }
    if !facts.checks.isEmpty { own.append(.init("health_checks", .array(facts.checks.map(CheckJSON.check)))) }
    if !own.isEmpty { fields.append(.init("apus", .object(own))) }
    return .object(fields)
  }
}
