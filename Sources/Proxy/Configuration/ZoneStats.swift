import Balancing
public import Stats

/// What zone-aware routing counts (Envoy's `lb_zone_*`).
public struct ZoneStats: Sendable {
  /// A choice each.
  let routingAllDirectly, routingSampled, routingCrossZone, noCapacityLeft, localClusterNotOK: Counter
  /// A host set each.
  let clusterTooSmall, recalculated: Counter

  init(_ scope: StatsScope) {
    routingAllDirectly = scope.counter("lb_zone_routing_all_directly")
    routingSampled = scope.counter("lb_zone_routing_sampled")
    routingCrossZone = scope.counter("lb_zone_routing_cross_zone")
    noCapacityLeft = scope.counter("lb_zone_no_capacity_left")
    localClusterNotOK = scope.counter("lb_local_cluster_not_ok")
    clusterTooSmall = scope.counter("lb_zone_cluster_too_small")
    recalculated = scope.counter("lb_recalculate_zone_structures")
  }

  /// Zones were computed anew.
  public func count(_ zone: ZoneShares, _ slab: StatsSlab) {
    slab.increment(recalculated)
    switch zone.plan.outcome {
    case .ownLocalityIsEmpty: slab.increment(localClusterNotOK)
    case .targetIsSmall: slab.increment(clusterTooSmall)
    case .targetHasOneLocality, .ownHasOneLocality, .direct, .residual: break
    }
  }
}
