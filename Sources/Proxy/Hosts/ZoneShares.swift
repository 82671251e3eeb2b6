import Balancing

/// Zone-aware routing of a cluster's first level, as a set has it.
public struct ZoneShares: Sendable {
  public let plan: ZonePlan
  /// The own cluster is in panic: choices look at the whole level, or fail.
  public var isOwnPanic: Bool { view.isOwnPanic }
  let view: View
  /// What ``ZoneRouting/rest`` of it points to.
  private let rest: FrozenList<UInt32>

  /// The same for workers, which touch no reference count.
  struct View: BitwiseCopyable {
    let isOn: Bool
    let isOwnPanic: Bool
    let failsInOwnPanic: Bool
    /// Percent of choices that look at zones.
    let enabledPercent: UInt32
    let routing: ZoneRouting
  }

  init(_ plan: ZonePlan, _ settings: BalanceSettings, isOwnPanic: Bool) {
    self.plan = plan
    rest = FrozenList(plan.rest)
    view = View(
      isOn: plan.outcome.isOn, isOwnPanic: isOwnPanic, failsInOwnPanic: settings.levels.failsInPanic,
      enabledPercent: settings.zones.enabledPercent,
      routing: ZoneRouting(plan, rest: UnsafeBufferPointer(rest.buffer)))
  }
}

/// What zones did to a choice.
enum ZoneOutcome: UInt8 {
  /// They did not count.
  case none
  /// `lb_zone_routing_all_directly`
  case direct
  /// `lb_zone_routing_sampled`
  case sampled
  /// `lb_zone_routing_cross_zone`
  case crossZone
  /// The same, and `lb_zone_no_capacity_left`
  case noCapacity
  /// `lb_local_cluster_not_ok`
  case ownNotOK

  init(_ reason: ZoneChoice.Reason) {
    switch reason {
    case .direct: self = .direct
    case .sampled: self = .sampled
    case .crossZone: self = .crossZone
    case .noCapacity: self = .noCapacity
    }
  }
}
