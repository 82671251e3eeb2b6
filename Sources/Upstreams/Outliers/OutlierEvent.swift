import HostHealth
import Primitives

/// A line of the event log (`cluster_manager.outlier_detection.event_log_path`): the JSON of
/// `envoy.data.cluster.v3.OutlierDetectionEvent`.
enum OutlierEvent {
  /// - Parameters:
  ///   - now: Milliseconds of the clock of the host's states.
  ///   - wallNow: Nanoseconds since 1970.
  static func line(
    _ change: ClusterOutliers.Change, _ host: OutlierHost, _ cluster: ClusterOutliers, now: UInt64, wallNow: Int64
  ) -> String {
    let kind: EjectionKind
    // When it last came back, or was last taken out.
    let before: UInt64?
    switch change {
    case .ejected(let guilt), .notEnforced(let guilt): (kind, before) = (guilt, host.state.unejectedAt)
    case .unejected: (kind, before) = (host.state.kind, host.state.ejectedAt)
    }
    var event = EventLine()
    event.add("type", "\(kind.word)")
    event.add("timestamp", WallTime.text(nanoseconds: wallNow))
    if let before {
      // A 64-bit number is text in protobuf's JSON.
      event.add("secs_since_last_action", "\((now - min(now, before)) / 1000)")
    }
    event.add("cluster_name", cluster.name)
    event.add("upstream_url", host.address)
    if case .unejected = change { event.add("action", "UNEJECT") } else { event.add("action", "EJECT") }
    event.add("num_ejections", host.state.ejections)
    if case .ejected = change { event.add("enforced", true) } else { event.add("enforced", false) }
    if case .unejected = change { return event.line }
    switch kind {
    case .consecutive5xx, .consecutiveGatewayFailure, .consecutiveLocalOriginFailure:
      event.add("eject_consecutive_event", EventLine())
    case .successRate:
      event.add("eject_success_rate_event", rates(host.successRate, cluster.external))
    case .localOriginSuccessRate:
      event.add("eject_success_rate_event", rates(host.localSuccessRate, cluster.local))
    case .failurePercentage:
      event.add("eject_failure_percentage_event", rate(host.successRate))
    case .localOriginFailurePercentage:
      event.add("eject_failure_percentage_event", rate(host.localSuccessRate))
    case .latency: event.add("eject_latency_event", latency(host, cluster))
    }
    return event.line
  }

  private static func latency(_ host: OutlierHost, _ cluster: ClusterOutliers) -> EventLine {
    var line = EventLine()
    line.add("host_ms", MillisecondText(host.latencyMilliseconds ?? 0))
    line.add("cluster_median_ms", MillisecondText(cluster.latency?.medianMilliseconds ?? 0))
    line.add("threshold_ms", MillisecondText(cluster.latency?.thresholdMilliseconds ?? 0))
    return line
  }

  private static func rate(_ rate: Double?) -> EventLine {
    var line = EventLine()
    line.add("host_success_rate", whole(rate))
    return line
  }

  private static func rates(_ rate: Double?, _ sweep: Sweep) -> EventLine {
    var line = self.rate(rate)
    line.add("cluster_average_success_rate", whole(sweep.average))
    line.add("cluster_success_rate_ejection_threshold", whole(sweep.threshold))
    return line
  }

  /// The message has whole numbers that are not negative.
  private static func whole(_ rate: Double?) -> UInt32 { UInt32(max(0, min(100, rate ?? 0))) }
}
