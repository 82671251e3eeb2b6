/// Outlier detection of a cluster. The defaults are Envoy's; times are in milliseconds.
public struct OutlierSettings: Hashable, Sendable {
  public static let intervalDefault: UInt64 = 10_000
  public static let baseEjectionTimeDefault: UInt64 = 30_000
  public static let maxEjectionTimeDefault: UInt64 = 300_000

  public var interval = OutlierSettings.intervalDefault
  public var baseEjectionTime: UInt64
  public var maxEjectionTime: UInt64
  public var maxEjectionTimeJitter: UInt64 = 0
  public var maxEjectionPercent: UInt32 = 10
  public var alwaysEjectsOneHost = false
  /// `successful_active_health_check_uneject_host`
  public var unejectsOnPassedCheck = true
  public var splitsLocalOrigin = false

  /// 0 is never.
  public var consecutive5xx: UInt32 = 5
  public var consecutiveGatewayFailure: UInt32 = 5
  public var consecutiveLocalOriginFailure: UInt32 = 5

  public var successRateMinimumHosts: UInt32 = 5
  public var successRateRequestVolume: UInt32 = 100
  /// In thousandths.
  public var successRateStdevFactor: UInt32 = 1900

  public var failurePercentageThreshold: UInt32 = 85
  public var failurePercentageMinimumHosts: UInt32 = 5
  public var failurePercentageRequestVolume: UInt32 = 50

  // In how many of 100 cases a detection is acted on.
  public var enforcingConsecutive5xx: UInt32 = 100
  public var enforcingConsecutiveGatewayFailure: UInt32 = 0
  public var enforcingConsecutiveLocalOriginFailure: UInt32 = 100
  public var enforcingSuccessRate: UInt32 = 100
  public var enforcingLocalOriginSuccessRate: UInt32 = 100
  public var enforcingFailurePercentage: UInt32 = 0
  public var enforcingLocalOriginFailurePercentage: UInt32 = 0

  public var latency: LatencySettings?

  /// - Parameter maxEjectionTime: nil is 300 s, or the base time if that is longer.
  public init(
    baseEjectionTime: UInt64 = OutlierSettings.baseEjectionTimeDefault, maxEjectionTime: UInt64? = nil
  ) {
    self.baseEjectionTime = baseEjectionTime
    self.maxEjectionTime = maxEjectionTime ?? max(Self.maxEjectionTimeDefault, baseEjectionTime)
  }

  public func enforcingPercent(_ kind: EjectionKind) -> UInt32 {
    switch kind {
    case .consecutive5xx: enforcingConsecutive5xx
    case .consecutiveGatewayFailure: enforcingConsecutiveGatewayFailure
    case .consecutiveLocalOriginFailure: enforcingConsecutiveLocalOriginFailure
    case .successRate: enforcingSuccessRate
    case .localOriginSuccessRate: enforcingLocalOriginSuccessRate
    case .failurePercentage: enforcingFailurePercentage
    case .localOriginFailurePercentage: enforcingLocalOriginFailurePercentage
    case .latency: latency?.enforcing ?? 0
    }
  }

  /// What workers compare streaks with.
  public var streakThresholds: StreakThresholds {
    StreakThresholds(
      consecutive5xx: consecutive5xx, gatewayFailure: consecutiveGatewayFailure,
      localOriginFailure: consecutiveLocalOriginFailure)
  }
}
