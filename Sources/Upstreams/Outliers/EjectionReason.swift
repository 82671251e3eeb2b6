import HostHealth

/// What a host did that it is ejected, and what was too much, for people.
enum EjectionReason {
  /// Is asked at once: the next sweep forgets the numbers.
  static func text(_ kind: EjectionKind, _ host: OutlierHost, _ cluster: ClusterOutliers) -> String {
    let settings = cluster.settings
    return switch kind {
    case .consecutive5xx: row(settings.consecutive5xx, "")
    case .consecutiveGatewayFailure: row(settings.consecutiveGatewayFailure, "gateway ")
    case .consecutiveLocalOriginFailure: row(settings.consecutiveLocalOriginFailure, "local ")
    case .successRate: rates(host.successRate, cluster.external)
    case .localOriginSuccessRate: rates(host.localSuccessRate, cluster.local)
    case .failurePercentage: percentage(host.successRate, settings)
    case .localOriginFailurePercentage: percentage(host.localSuccessRate, settings)
    case .latency: latency(host, cluster)
    }
  }

  private static func row(_ length: UInt32, _ kind: String) -> String {
    length == 1 ? "1 \(kind)failure" : "\(length) \(kind)failures in a row"
  }

  private static func rates(_ rate: Double?, _ sweep: Sweep) -> String {
    "success rate \(percent(rate)) %; mean of all hosts \(percent(sweep.average)) %, threshold \(percent(sweep.threshold)) %"
  }

  private static func percentage(_ rate: Double?, _ settings: OutlierSettings) -> String {
    "\(percent(rate.map { 100 - $0 })) % failed, threshold \(settings.failurePercentageThreshold) %"
  }

  private static func latency(_ host: OutlierHost, _ cluster: ClusterOutliers) -> String {
    let quantile = cluster.settings.latency?.quantile ?? .p95
    return "P\(quantile.rawValue) \(milliseconds(host.latencyMilliseconds)) ms; median of all hosts"
      + " \(milliseconds(cluster.latency?.medianMilliseconds)) ms, threshold"
      + " \(milliseconds(cluster.latency?.thresholdMilliseconds)) ms"
  }

  private static func milliseconds(_ time: Double?) -> MillisecondText { MillisecondText(time ?? 0) }

  /// With one digit behind the point at most. Who is judged has a rate, and a threshold above it.
  private static func percent(_ rate: Double?) -> String {
    let tenths = UInt64((max(0, min(100, rate ?? 0)) * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
