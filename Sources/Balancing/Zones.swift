import Primitives

/// What zone-aware routing is computed from: hosts of the target cluster's level 0 and of the own
/// cluster (`local_cluster_name`), counted, or their weights added up.
public struct ZoneHosts: Sendable, Equatable {
  /// Healthy hosts of each locality of the target, the own locality first when it is there.
  public var target: [UInt64]
  /// Healthy hosts of the own cluster in the same localities.
  public var own: [UInt64]
  /// Healthy hosts of the own cluster in all its localities.
  public var ownTotal: UInt64
  /// Localities of the own cluster.
  public var ownLocalityCount: Int
  /// Hosts of the own cluster in the own locality, in any state.
  public var ownLocalityHosts: UInt64
  /// Whether locality 0 of the target is the own one.
  public var isOwnFirst: Bool
  /// Healthy hosts of the target, and those in its locality 0: counted, whatever `target` is.
  public var targetHealthy: UInt64
  public var targetOwnHealthy: UInt64

  /// - Parameter targetCounts: `target` counted, where its values are weights.
  public init(
    target: [UInt64], own: [UInt64], ownTotal: UInt64, ownLocalityCount: Int,
    ownLocalityHosts: UInt64, isOwnFirst: Bool, targetCounts: [UInt64]? = nil
  ) {
    self.target = target
    self.own = own
    self.ownTotal = ownTotal
    self.ownLocalityCount = ownLocalityCount
    self.ownLocalityHosts = ownLocalityHosts
    self.isOwnFirst = isOwnFirst
    let counts = targetCounts ?? target
    targetHealthy = counts.reduce(UInt64(0)) { $0 &+ $1 }
    targetOwnHealthy = counts.first ?? 0
  }
}

/// `zone_aware_lb_config`
public struct ZoneSettings: Sendable, Equatable {
  /// Percent of choices that look at zones.
  public var enabledPercent: UInt32 = 100
  /// `min_cluster_size`: with fewer healthy hosts zones do not count.
  public var minimumSize: UInt64 = 6
  /// `force_local_zone`: with so many healthy hosts in the own zone everything stays; nil: as capacity says.
  public var forcedMinimum: UInt32?
  /// `locality_basis`: capacity is the sum of hosts' weights instead of their number.
  public var usesWeights = false

  public init() {}
}

/// How requests stay in the own zone as far as it has capacity, built on main for each pair of own
/// and target cluster.
///
/// Source: Envoy `load_balancer_impl.cc` (`earlyExitNonLocalityRouting`,
/// `regenerateLocalityRoutingStructures`, `tryChooseLocalLocalityHosts`).
public struct ZonePlan: Sendable, Equatable {
  public enum Outcome: UInt8, Sendable {
    /// Off: the target has fewer than 2 localities.
    case targetHasOneLocality
    /// Off: the own cluster has fewer than 2 localities.
    case ownHasOneLocality
    /// Off, `lb_local_cluster_not_ok`: the own cluster has no host in the own locality.
    case ownLocalityIsEmpty
    /// Off, `lb_zone_cluster_too_small`: fewer healthy hosts in the target than `min_cluster_size`.
    case targetIsSmall
    /// On: everything stays.
    case direct
    /// On: as much stays as the own locality has capacity, the rest goes where capacity is left.
    case residual

    public var isOn: Bool { self == .direct || self == .residual }
  }

  public let outcome: Outcome
  /// Of 10,000 requests, how many stay in locality 0.
  public private(set) var stay: UInt32 = 0
  /// Of each locality, what it and those before it have left: points of 10,000. Empty unless
  /// `residual`.
  public private(set) var rest: [UInt32] = []
  /// `lb_zone_no_capacity_left`: no locality has any left; `rest` counts 1 for each that has hosts.
  public private(set) var hasNoCapacity = false

  public init(_ hosts: ZoneHosts, _ settings: ZoneSettings = ZoneSettings()) {
    let total = hosts.target.reduce(UInt64(0)) { $0 &+ $1 }
    let isForced = settings.forcedMinimum != nil
    if hosts.target.count < 2 {
      outcome = .targetHasOneLocality
    } else if hosts.ownLocalityCount < 2, !isForced {
      outcome = .ownHasOneLocality
    } else if hosts.ownLocalityHosts == 0 {
      outcome = .ownLocalityIsEmpty
    } else if hosts.targetHealthy < max(1, settings.minimumSize) || total == 0 {
      outcome = .targetIsSmall
    } else if hosts.isOwnFirst, let minimum = settings.forcedMinimum,
      hosts.targetOwnHealthy >= max(1, UInt64(minimum))
    {
      outcome = .direct
    } else {
      let target = hosts.target.map { Self.points($0, of: total) }
      let own = hosts.target.indices.map {
        $0 < hosts.own.count ? Self.points(hosts.own[$0], of: hosts.ownTotal) : 0
      }
      if hosts.isOwnFirst, target[0] > 0, target[0] >= own[0] {
        outcome = .direct
      } else {
        outcome = .residual
        if hosts.isOwnFirst, own[0] > 0 { stay = target[0] * 10_000 / own[0] }
        shareRest(target, own, hosts)
      }
    }
  }

  /// 10,000 * part / whole, at most 10,000; sums of weights pass 64 bits when multiplied.
  private static func points(_ part: UInt64, of whole: UInt64) -> UInt32 {
    guard part < whole else { return whole > 0 ? 10_000 : 0 }
    return UInt32(whole.dividingFullWidth(part.multipliedFullWidth(by: 10_000)).quotient)
  }

  private mutating func shareRest(_ target: [UInt32], _ own: [UInt32], _ hosts: ZoneHosts) {
    var sum: UInt32 = 0
    for index in target.indices {
      // The own locality got what it can take.
      if index > 0 || !hosts.isOwnFirst, target[index] > own[index] {
        sum += target[index] - own[index]
      }
      rest.append(sum)
    }
    guard sum == 0 else { return }
    hasNoCapacity = true
    for index in target.indices {
      if hosts.target[index] > 0 { sum += 1 }
      rest[index] = sum
    }
  }
}

/// Where one request goes, and what counts it.
@frozen
public struct ZoneChoice: Sendable, Equatable {
  @frozen
  public enum Reason: UInt8, Sendable {
    /// `lb_zone_routing_all_directly`
    case direct
    /// `lb_zone_routing_sampled`
    case sampled
    /// `lb_zone_routing_cross_zone`
    case crossZone
    /// `lb_zone_routing_cross_zone` and `lb_zone_no_capacity_left`
    case noCapacity
  }

  public let locality: UInt32
  public let reason: Reason

  @inlinable
  public init(locality: UInt32, reason: Reason) {
    self.locality = locality
    self.reason = reason
  }
}

/// A ``ZonePlan`` that is on, as workers read it.
@frozen
public struct ZoneRouting: @unchecked Sendable, BitwiseCopyable {
  // Sendable: written once, before another thread can see it.
  public let isDirect: Bool
  public let hasNoCapacity: Bool
  /// Of 10,000.
  public let stay: UInt32
  /// The plan's, in memory of whoever holds both.
  public let rest: UnsafeBufferPointer<UInt32>

  /// - Parameter rest: A copy of `plan.rest` that outlives this.
  public init(_ plan: ZonePlan, rest: UnsafeBufferPointer<UInt32>) {
    isDirect = plan.outcome == .direct
    hasNoCapacity = plan.hasNoCapacity
    stay = plan.stay
    self.rest = rest
  }

  /// - Complexity: O(localities) across zones; no allocation.
  @inlinable
  public func pick(_ random: inout FastRandom) -> ZoneChoice {
    if isDirect { return ZoneChoice(locality: 0, reason: .direct) }
    if random.below(10_000) < stay { return ZoneChoice(locality: 0, reason: .sampled) }
    let sum = rest.isEmpty ? 0 : rest[rest.count &- 1]
    guard sum > 0 else { return ZoneChoice(locality: 0, reason: .noCapacity) }
    let point = random.below(sum)
    var locality = 0
    while point >= rest[locality] { locality &+= 1 }
    return ZoneChoice(
      locality: UInt32(truncatingIfNeeded: locality),
      reason: hasNoCapacity ? .noCapacity : .crossZone)
  }
}
