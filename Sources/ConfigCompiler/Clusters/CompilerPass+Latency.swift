import ConfigSchema
import HostHealth
import SwiftProtobuf

extension CompilerPass {
  /// How slow hosts are looked for. The loader has checked the ranges.
  func latencySettings(_ proto: Apus_V1_ClusterOptions.LatencyOutlier, _ plan: ClusterPlan, _ path: String) -> LatencySettings {
    if plan.outliers == nil {
      error(path, "needs outlier_detection, whose interval, times and limits of ejections hold for it")
    }
    var settings = LatencySettings()
    if proto.quantile == .p50 { settings.quantile = .p50 }
    if proto.hasDeviationFactor { settings.deviationFactor = finite(proto.deviationFactor.value, "\(path).deviation_factor") }
    if proto.hasMinimumRatio { settings.minimumRatio = finite(proto.minimumRatio.value, "\(path).minimum_ratio") }
    if proto.hasMinimumLatency {
      let latency = proto.minimumLatency
      settings.minimumLatencyMilliseconds = Double(latency.seconds) * 1000 + Double(latency.nanos) / 1_000_000
    }
    if proto.hasRequestVolume { settings.requestVolume = proto.requestVolume.value }
    if proto.hasMinimumHosts { settings.minimumHosts = proto.minimumHosts.value }
    if proto.hasEnforcing { settings.enforcing = proto.enforcing.value }
    warnOfNobody(settings, hostCount: plan.hosts.count, path)
    return settings
  }

  private func finite(_ value: Double, _ path: String) -> Double {
    if !value.isFinite { error(path, "must be a number, got \(value)") }
    return value
  }

  /// Looks configured, and does nothing.
  private func warnOfNobody(_ settings: LatencySettings, hostCount: Int, _ path: String) {
    let longest = LatencyBuckets.lowerBound(LatencyBuckets.count) / 1000
    if settings.minimumLatencyMilliseconds >= Double(longest) {
      warn("\(path).minimum_latency", "nobody is ever found so slow: times are told apart up to \(longest) ms")
    }
    if hostCount > 0, Int(settings.minimumHosts) > hostCount {
      warn("\(path).minimum_hosts", "nobody is ever judged: the cluster has \(hostCount) host\(hostCount == 1 ? "" : "s"), and \(settings.minimumHosts) are wanted")
    }
  }
}
