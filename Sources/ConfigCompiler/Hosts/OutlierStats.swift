import HostHealth
import Stats

/// Statistics of a cluster's outlier detection (`cluster.<name>.outlier_detection.`), counted by main alone.
public struct OutlierStats: Sendable {
  public let ejectionsActive: Gauge
  public let ejectionsOverflow, ejectionsEnforcedTotal: Counter
  private let detected, enforced: [Counter]
  // What Envoy still counts under names of old.
  private let total, totalConsecutive5xx, totalSuccessRate: Counter

  public init(_ scope: StatsScope) {
    let prefix = "outlier_detection.ejections_"
    ejectionsActive = scope.gauge(prefix + "active")
    ejectionsOverflow = scope.counter(prefix + "overflow")
    ejectionsEnforcedTotal = scope.counter(prefix + "enforced_total")
    detected = EjectionKind.allCases.map { scope.counter("\(prefix)detected_\($0.statName)") }
    enforced = EjectionKind.allCases.map { scope.counter("\(prefix)enforced_\($0.statName)") }
    total = scope.counter(prefix + "total")
    totalConsecutive5xx = scope.counter(prefix + "consecutive_5xx")
    totalSuccessRate = scope.counter(prefix + "success_rate")
  }

  /// A host was found guilty, whatever comes of it.
  public func countDetected(_ kind: EjectionKind, _ slab: StatsSlab) {
    slab.increment(detected[Int(kind.rawValue)])
    if kind == .consecutive5xx { slab.increment(totalConsecutive5xx) }
    if kind == .successRate { slab.increment(totalSuccessRate) }
  }

  /// What came of it.
  public func count(_ decision: EjectionDecision, _ kind: EjectionKind, _ slab: StatsSlab) {
    switch decision {
    case .ejected:
      slab.increment(ejectionsEnforcedTotal)
      slab.increment(enforced[Int(kind.rawValue)])
    case .overflow: slab.increment(ejectionsOverflow)
    case .notEnforced, .alreadyEjected: break
    }
    if kind.isInDeprecatedTotal, decision != .overflow { slab.increment(total) }
  }
}
