import Primitives
import Stats

/// What an attempt that repeats a request knows of those before it (`previous_priorities`).
struct LevelChoice {
  let tried: UnsafeMutablePointer<AttemptPlan>
  let frequency: UInt32
}

/// Which host takes a request or a connection.
extension Worker {
  /// A request, or a TCP session, is the host's to work on from here on.
  @inline(__always)
  func countActive(_ host: HostRef) {
    host.pointee.active &+= 1
    host.pointee.cluster.pointee.active &+= 1
  }

  @inline(__always)
  func countInactive(_ host: HostRef) {
    host.pointee.active &-= 1
    host.pointee.cluster.pointee.active &-= 1
  }

  /// A host, or nil when none can be chosen.
  @inline(__always)
  func chooseHost(_ cluster: ClusterRef, _ wish: HostWish = HostWish()) -> HostRef? {
    let choice =
      cluster.pointee.set.pointee.isSpecial
      ? chooseSpecially(cluster, wish) : cluster.pointee.balancer.choose(cluster.pointee.set, &random, wish)
    if choice.isPlain { return host(cluster, choice.plainHost) }
    return counted(choice, cluster)
  }

  @inline(never)
  private func chooseSpecially(_ cluster: ClusterRef, _ wish: HostWish, again: LevelChoice? = nil) -> HostChoice {
    if let view = cluster.pointee.set.pointee.subsetView { return chooseInSubsets(cluster, view, wish, again: again) }
    return choose(cluster, cluster.pointee.set, &cluster.pointee.balancer, wish, again: again)
  }

  /// A host of one of the cluster's sets: all of its hosts, or a subset.
  func choose(
    _ cluster: ClusterRef, _ set: HostSetRef, _ balancer: inout BalancerState, _ wish: HostWish,
    again: LevelChoice? = nil
  ) -> HostChoice {
    if let again { return choose(cluster, set, &balancer, wish, again) }
    guard set.pointee.readsLoads else { return balancer.choose(set, &random, wish) }
    let hosts = cluster.pointee.hosts.baseAddress
    let load = HostLoad(now: now, active: cluster.pointee.active)
    return balancer.choose(set, &random, wish, load) { index in hosts?[Int(index)]?.pointee.active ?? 0 }
  }

  /// On a level that the request has not tried.
  @inline(never)
  private func choose(
    _ cluster: ClusterRef, _ set: HostSetRef, _ balancer: inout BalancerState, _ wish: HostWish, _ again: LevelChoice
  ) -> HostChoice {
    let hosts = cluster.pointee.hosts.baseAddress
    let load = HostLoad(now: now, active: cluster.pointee.active)
    return balancer.chooseAgain(
      set, &random, wish, load, after: &again.tried.pointee.triedLevels, frequency: again.frequency
    ) { index in hosts?[Int(index)]?.pointee.active ?? 0 }
  }

  @inline(never)
  private func counted(_ choice: HostChoice, _ cluster: ClusterRef) -> HostRef? {
    let stats = cluster.pointee.pointer
    if choice.isPanic { slab.increment(stats.pointee.stats.lbHealthyPanic) }
    countZone(choice.zone, stats.pointee.stats.zones)
    guard choice.host >= 0 else {
      slab.increment(stats.pointee.stats.cxNoneHealthy)
      return nil
    }
    return host(cluster, choice.host)
  }

  private func countZone(_ outcome: ZoneOutcome, _ stats: ZoneStats) {
    switch outcome {
    case .none: break
    case .direct: slab.increment(stats.routingAllDirectly)
    case .sampled: slab.increment(stats.routingSampled)
    case .crossZone: slab.increment(stats.routingCrossZone)
    case .noCapacity:
      slab.increment(stats.routingCrossZone)
      slab.increment(stats.noCapacityLeft)
    case .ownNotOK: slab.increment(stats.localClusterNotOK)
    }
  }

  /// A host that is not refused, as far as a few more picks find one; else the last of them.
  ///
  /// Source: Envoy `host_selection_retry_max_attempts`.
  func chooseHost(
    _ cluster: ClusterRef, _ wish: HostWish, refusalsMax: UInt32, refuses: (HostRef) -> Bool
  ) -> HostRef? {
    var wish = wish
    var chosen = chooseHost(cluster, wish)
    while wish.attempt < refusalsMax, let candidate = chosen, refuses(candidate) {
      wish.attempt &+= 1
      chosen = chooseHost(cluster, wish)
    }
    return chosen
  }

  /// A host for an attempt of a request: one that has not failed it yet, where its policy wants that.
  func chooseHost(_ stream: HTTPStreamRef, _ cluster: ClusterRef) -> HostRef? {
    if stream.pointee.has(.isInternalClient) { return internalHost(stream, cluster) }
    let hash = stream.pointee.upstream.hash
    let wish = HostWish(hash: hash, match: cluster.pointee.set.pointee.isSpecial ? subsetMatch(stream) : nil)
    guard let plan = stream.pointee.upstream.plan, plan.pointee.triedCount > 0,
      let policy = plan.pointee.policy, policy.pointee.avoidsHosts || policy.pointee.levelsFrequency > 0
    else { return chooseHost(cluster, wish) }
    return chooseHost(cluster, wish, plan, policy)
  }

  /// A host for an attempt that repeats a request: on another level, and another host, where the policy wants that.
  private func chooseHost(
    _ cluster: ClusterRef, _ wish: HostWish, _ plan: UnsafeMutablePointer<AttemptPlan>,
    _ policy: UnsafePointer<RetryPolicy>
  ) -> HostRef? {
    let frequency = policy.pointee.levelsFrequency
    let refusalsMax = policy.pointee.avoidsHosts ? policy.pointee.refusalsMax : 0
    guard frequency > 0 else {
      return chooseHost(cluster, wish, refusalsMax: refusalsMax) { plan.pointee.refuses($0.pointee.pointer, policy) }
    }
    var wish = wish
    while true {
      let choice = chooseSpecially(cluster, wish, again: LevelChoice(tried: plan, frequency: frequency))
      guard let host = counted(choice, cluster) else { return nil }
      guard wish.attempt < refusalsMax, plan.pointee.refuses(host.pointee.pointer, policy) else { return host }
      wish.attempt &+= 1
    }
  }
}
