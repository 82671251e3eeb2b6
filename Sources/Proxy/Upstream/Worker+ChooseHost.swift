import Primitives
import Stats

/// Which host takes a request or a connection.
extension Worker {
  /// A host, or nil when none can be chosen.
  @inline(__always)
  func chooseHost(_ cluster: ClusterRef, _ wish: HostWish = HostWish()) -> HostRef? {
    let choice = cluster.pointee.balancer.choose(cluster.pointee.set, &random, wish)
    if choice.isPlain { return host(cluster, choice.plainHost) }
    return counted(choice, cluster)
  }

  @inline(never)
  private func counted(_ choice: HostChoice, _ cluster: ClusterRef) -> HostRef? {
    if choice.isPanic { slab.increment(cluster.pointee.pointer.pointee.stats.lbHealthyPanic) }
    guard choice.host >= 0 else {
      slab.increment(cluster.pointee.pointer.pointee.stats.cxNoneHealthy)
      return nil
    }
    return host(cluster, choice.host)
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
    guard let plan = stream.pointee.upstream.plan, plan.pointee.triedCount > 0,
      let policy = plan.pointee.policy, policy.pointee.avoidsHosts
    else { return chooseHost(cluster) }
    return chooseHost(cluster, HostWish(), refusalsMax: policy.pointee.refusalsMax) {
      plan.pointee.refuses($0.pointee.pointer, policy)
    }
  }
}
