import Balancing
import Routing
import Stats

/// Choices in clusters with subsets.
extension Worker {
  /// A host of the subset that is wanted, or of what takes its place.
  func chooseInSubsets(_ cluster: ClusterRef, _ view: SubsetView, _ wish: HostWish, again: LevelChoice? = nil) -> HostChoice {
    let steps = cluster.pointee.subsets.steps(wish.match, cluster.pointee.set)
    let stats = cluster.pointee.pointer.pointee.stats.subsets
    var walk = SubsetWalk()
    var choice = HostChoice(-1)
    while let target = walk.next(steps, view.table) {
      choice = choose(cluster, target, view, wish, again)
      let isChosen = choice.host >= 0
      switch target.kind {
      case .subset: slab.increment(stats.selected)
      case .fallbackAny, .fallbackDefault: if isChosen { slab.increment(stats.fallback) }
      case .panicAny: if isChosen { slab.increment(stats.fallbackPanic) }
      case .anyEndpoint, .defaultSubset: break
      }
      if isChosen { return choice }
    }
    return choice
  }

  private func choose(
    _ cluster: ClusterRef, _ target: SubsetWalk.Target, _ view: SubsetView, _ wish: HostWish, _ again: LevelChoice?
  ) -> HostChoice {
    switch target.kind {
    case .anyEndpoint, .fallbackAny, .panicAny:
      return choose(cluster, cluster.pointee.set, &cluster.pointee.balancer, wish, again: again)
    case .subset, .defaultSubset, .fallbackDefault:
      let number = target.kind == .subset ? Int(target.subset) : Int(view.count)
      let balancer = cluster.pointee.subsets.balancer(number, view)
      return choose(cluster, view.sets[number], &balancer.pointee, wish, again: again)
    }
  }

  /// What the request's route wants of its hosts.
  func subsetMatch(_ stream: HTTPStreamRef) -> Unmanaged<SubsetMatch>? {
    guard let policies = routePolicies(stream), !policies.pointee.matches.isEmpty else { return nil }
    var index = 0
    if let entry = stream.pointee.route.entry, case .weighted(let first, _, _) = entry.pointee.target,
      stream.pointee.route.weighted >= 0
    {
      index = Int(stream.pointee.route.weighted) - Int(first)
    }
    return policies.pointee.matches.match(index)
  }
}
