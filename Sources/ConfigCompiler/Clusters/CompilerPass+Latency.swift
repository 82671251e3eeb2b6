import ConfigSchema
import HostHealth
import SwiftProtobuf

extension CompilerPass {
  /// How slow hosts are looked for; nil for not at all. The loader has checked the numbers.
  func latencySettings(_ options: Apus_V1_ClusterOptions) -> LatencySettings? {
    guard options.hasLatencyOutlier else { return nil }
    let proto = options.latencyOutlier
    var settings = LatencySettings()
    if proto.quantile == .p50 { settings.quantile = .p50 }
    if proto.hasDeviationFactor { settings.deviationFactor = proto.deviationFactor.value }
    if proto.hasMinimumRatio { settings.minimumRatio = proto.minimumRatio.value }
    if proto.hasMinimumLatency {
      let latency = proto.minimumLatency
      settings.minimumLatencyMilliseconds = Double(latency.seconds) * 1000 + Double(latency.nanos) / 1_000_000
    }
    if proto.hasRequestVolume { settings.requestVolume = proto.requestVolume.value }
    if proto.hasMinimumHosts { settings.minimumHosts = proto.minimumHosts.value }
    if proto.hasEnforcing { settings.enforcing = proto.enforcing.value }
    return settings
  }
}
