/// What outlier detection found a host guilty of.
@frozen
public enum EjectionKind: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  case consecutive5xx
  case consecutiveGatewayFailure
  case consecutiveLocalOriginFailure
  case successRate
  case localOriginSuccessRate
  case failurePercentage
  case localOriginFailurePercentage
  /// Ours: Envoy does not eject for being slow.
  case latency

  /// As `type` in the event log.
  public var word: StaticString {
    switch self {
    case .consecutive5xx: "CONSECUTIVE_5XX"
    case .consecutiveGatewayFailure: "CONSECUTIVE_GATEWAY_FAILURE"
    case .consecutiveLocalOriginFailure: "CONSECUTIVE_LOCAL_ORIGIN_FAILURE"
    case .successRate: "SUCCESS_RATE"
    case .localOriginSuccessRate: "SUCCESS_RATE_LOCAL_ORIGIN"
    case .failurePercentage: "FAILURE_PERCENTAGE"
    case .localOriginFailurePercentage: "FAILURE_PERCENTAGE_LOCAL_ORIGIN"
    case .latency: "LATENCY"
    }
  }

  /// As in `ejections_detected_...` and `ejections_enforced_...`.
  public var statName: StaticString {
    switch self {
    case .consecutive5xx: "consecutive_5xx"
    case .consecutiveGatewayFailure: "consecutive_gateway_failure"
    case .consecutiveLocalOriginFailure: "consecutive_local_origin_failure"
    case .successRate: "success_rate"
    case .localOriginSuccessRate: "local_origin_success_rate"
    case .failurePercentage: "failure_percentage"
    case .localOriginFailurePercentage: "local_origin_failure_percentage"
    case .latency: "latency"
    }
  }

  /// Whether the deprecated counter `ejections_total` counts it, enforced or not, unless it overflows.
  public var isInDeprecatedTotal: Bool { self == .consecutive5xx || self == .successRate }
}
