import Stats

/// `listener_manager.` and `cluster_manager.`, as far as main counts them.
struct ManagerStats {
  private let listenerAdded, listenerModified, listenerRemoved, listenerCreated: Counter
  private let activeListeners, warmingListeners: Gauge
  private let clusterAdded, clusterModified, clusterRemoved: Counter
  private let activeClusters, warmingClusters: Gauge

  init(_ registry: StatsRegistry) {
    func counter(_ name: String) -> Counter { registry.counter(name) }
    listenerAdded = counter("listener_manager.listener_added")
    listenerModified = counter("listener_manager.listener_modified")
    listenerRemoved = counter("listener_manager.listener_removed")
    listenerCreated = counter("listener_manager.listener_create_success")
    activeListeners = registry.gauge("listener_manager.total_listeners_active")
    warmingListeners = registry.gauge("listener_manager.total_listeners_warming")
    clusterAdded = counter("cluster_manager.cluster_added")
    clusterModified = counter("cluster_manager.cluster_modified")
    clusterRemoved = counter("cluster_manager.cluster_removed")
    activeClusters = registry.gauge("cluster_manager.active_clusters")
    warmingClusters = registry.gauge("cluster_manager.warming_clusters")
  }

  func count(
    _ changes: Compilation.Changes, _ state: CompilerState, workers: Int,
    _ registry: StatsRegistry
  ) {
    let slab = registry.mainSlab
    func add(_ counter: Counter, _ count: Int) { slab.add(counter, UInt64(count)) }
    let modified = changes.listenersModified.count + changes.routesModified.count
    add(listenerAdded, changes.listenersAdded.count)
    add(listenerModified, modified)
    add(listenerRemoved, changes.listenersRemoved.count)
    add(
      listenerCreated,
      (changes.listenersAdded.count + changes.listenersModified.count) * workers)
    slab.set(activeListeners, to: UInt64(state.listeners.count))
    slab.set(warmingListeners, to: 0)
    add(clusterAdded, changes.clustersAdded.count)
    add(clusterModified, changes.clustersModified.count)
    add(clusterRemoved, changes.clustersRemoved.count)
    slab.set(activeClusters, to: UInt64(state.clusters.count))
    slab.set(warmingClusters, to: 0)
  }

  func showWarming(clusters count: Int, _ registry: StatsRegistry) {
    registry.mainSlab.set(warmingClusters, to: UInt64(count))
  }
}
