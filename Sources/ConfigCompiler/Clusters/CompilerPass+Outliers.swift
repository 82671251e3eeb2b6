import ConfigSchema
import HostHealth
import SwiftProtobuf

extension CompilerPass {
  /// Checks a cluster's outlier detection.
  ///
  /// - Parameter hostCount: Hosts that the cluster has now: few of them may mean that none can ever be ejected.
  func outlierSettings(
    _ proto: Envoy_Config_Cluster_V3_OutlierDetection, hostCount: Int, _ path: String
  ) -> OutlierSettings {
    func time(_ isSet: Bool, _ duration: Google_Protobuf_Duration, _ name: String) -> UInt64? {
      if let value = runtimeMilliseconds("outlier_detection.\(name)_ms") { return max(1, value) }
      return isSet ? max(1, milliseconds(duration, "\(path).\(name)")) : nil
    }
    let base =
      time(proto.hasBaseEjectionTime, proto.baseEjectionTime, "base_ejection_time")
      ?? OutlierSettings.baseEjectionTimeDefault
    let longest = time(proto.hasMaxEjectionTime, proto.maxEjectionTime, "max_ejection_time")
    if let longest, longest < base {
      error(
        "\(path).max_ejection_time",
        "must not be less than base_ejection_time (\(base) ms), got \(longest) ms")
    }
    var settings = OutlierSettings(baseEjectionTime: base, maxEjectionTime: longest)
    if let interval = time(proto.hasInterval, proto.interval, "interval") { settings.interval = interval }
    if let jitter = time(proto.hasMaxEjectionTimeJitter, proto.maxEjectionTimeJitter, "max_ejection_time_jitter") {
      settings.maxEjectionTimeJitter = jitter
    }
    settings.alwaysEjectsOneHost = proto.alwaysEjectOneHost.value
    settings.splitsLocalOrigin = proto.splitExternalLocalOriginErrors
    settings.unejectsOnPassedCheck =
      runtimeFlag("outlier_detection.successful_active_health_check_uneject_host")
      ?? (proto.hasSuccessfulActiveHealthCheckUnejectHost
        ? proto.successfulActiveHealthCheckUnejectHost.value : true)
    takeNumbers(proto, &settings)
    if let problem = CanNeverEject(hostCount: hostCount, settings) {
      warn(path, problem.sentence)
    }
    return settings
  }

  private func takeNumbers(
    _ proto: Envoy_Config_Cluster_V3_OutlierDetection, _ settings: inout OutlierSettings
  ) {
    func take(
      _ name: String, _ isSet: Bool, _ value: Google_Protobuf_UInt32Value,
      _ target: WritableKeyPath<OutlierSettings, UInt32>
    ) {
      if let value = runtimeNumber("outlier_detection.\(name)") {
        settings[keyPath: target] = UInt32(clamping: value)
      } else if isSet {
        settings[keyPath: target] = value.value
      }
    }
    take("max_ejection_percent", proto.hasMaxEjectionPercent, proto.maxEjectionPercent, \.maxEjectionPercent)
    take("consecutive_5xx", proto.hasConsecutive5Xx, proto.consecutive5Xx, \.consecutive5xx)
    take(
      "consecutive_gateway_failure", proto.hasConsecutiveGatewayFailure, proto.consecutiveGatewayFailure,
      \.consecutiveGatewayFailure)
    take(
      "consecutive_local_origin_failure", proto.hasConsecutiveLocalOriginFailure,
      proto.consecutiveLocalOriginFailure, \.consecutiveLocalOriginFailure)
    take(
      "success_rate_minimum_hosts", proto.hasSuccessRateMinimumHosts, proto.successRateMinimumHosts,
      \.successRateMinimumHosts)
    take(
      "success_rate_request_volume", proto.hasSuccessRateRequestVolume, proto.successRateRequestVolume,
      \.successRateRequestVolume)
    take(
      "success_rate_stdev_factor", proto.hasSuccessRateStdevFactor, proto.successRateStdevFactor,
      \.successRateStdevFactor)
    take(
      "failure_percentage_threshold", proto.hasFailurePercentageThreshold, proto.failurePercentageThreshold,
      \.failurePercentageThreshold)
    take(
      "failure_percentage_minimum_hosts", proto.hasFailurePercentageMinimumHosts,
      proto.failurePercentageMinimumHosts, \.failurePercentageMinimumHosts)
    take(
      "failure_percentage_request_volume", proto.hasFailurePercentageRequestVolume,
      proto.failurePercentageRequestVolume, \.failurePercentageRequestVolume)
    take(
      "enforcing_consecutive_5xx", proto.hasEnforcingConsecutive5Xx, proto.enforcingConsecutive5Xx,
      \.enforcingConsecutive5xx)
    take(
      "enforcing_consecutive_gateway_failure", proto.hasEnforcingConsecutiveGatewayFailure,
      proto.enforcingConsecutiveGatewayFailure, \.enforcingConsecutiveGatewayFailure)
    take(
      "enforcing_consecutive_local_origin_failure", proto.hasEnforcingConsecutiveLocalOriginFailure,
      proto.enforcingConsecutiveLocalOriginFailure, \.enforcingConsecutiveLocalOriginFailure)
    take(
      "enforcing_success_rate", proto.hasEnforcingSuccessRate, proto.enforcingSuccessRate, \.enforcingSuccessRate)
    take(
      "enforcing_local_origin_success_rate", proto.hasEnforcingLocalOriginSuccessRate,
      proto.enforcingLocalOriginSuccessRate, \.enforcingLocalOriginSuccessRate)
    take(
      "enforcing_failure_percentage", proto.hasEnforcingFailurePercentage, proto.enforcingFailurePercentage,
      \.enforcingFailurePercentage)
    take(
      "enforcing_failure_percentage_local_origin", proto.hasEnforcingFailurePercentageLocalOrigin,
      proto.enforcingFailurePercentageLocalOrigin, \.enforcingLocalOriginFailurePercentage)
  }

  /// Where ejections are written; nil for nowhere.
  func outlierEventLog(_ proto: Envoy_Config_Bootstrap_V3_ClusterManager) -> UInt16? {
    let path = proto.outlierDetection.eventLogPath
    guard !path.isEmpty else { return nil }
    return fileLog(path, "cluster_manager.outlier_detection.event_log_path")
  }
}
