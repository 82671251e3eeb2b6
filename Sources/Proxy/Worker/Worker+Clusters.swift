import Primitives
import Synchronization

/// Clusters of a new snapshot, and those that are gone.
extension Worker {
  func adoptClusters(_ snapshot: Snapshot) {
    let left = hostTable
    hostTable = .passRetained(snapshot.hosts)
    let configs = snapshot.clusters.buffer
    while clusters.count < configs.count { clusters.append(nil) }
    for slot in clusters.indices {
      let config = slot < configs.count ? configs[slot] : nil
      switch (clusters[slot], config) {
      case (nil, nil): break
      case (nil, let config?): clusters[slot] = makeCluster(config, snapshot.hosts.set(slot))
      case (let old?, nil):
        removeCluster(old)
        clusters[slot] = nil
      case (let old?, let config?): update(old, config, snapshot.hosts.set(slot))
      }
    }
    if let left { leave(left) }
  }

  private func makeCluster(_ config: Frozen<ClusterConfig>, _ set: Frozen<HostSet>) -> ClusterRef {
    let cluster = ClusterRef.allocate(capacity: 1)
    cluster.initialize(to: ClusterRuntime(config, set.pointer, turnsStart(config.pointer)))
    return cluster
  }

  private func turnsStart(_ config: UnsafeMutablePointer<ClusterConfig>) -> TurnsStart {
    TurnsStart(
      digest: xxHash64(config.pointee.name.view), worker: UInt32(clamping: index),
      workers: UInt32(clamping: environment.workerCount))
  }

  private func update(_ cluster: ClusterRef, _ config: Frozen<ClusterConfig>, _ set: Frozen<HostSet>) {
    let old = cluster.pointee.config
    if cluster.pointee.pointer != config.pointer {
      cluster.pointee.config = .passRetained(config)
      cluster.pointee.pointer = config.pointer
    } else {
      _ = old.retain()
    }
    setHosts(cluster, set, before: old)
    old.release()
  }

  func removeCluster(_ cluster: ClusterRef) {
    cluster.pointee.isRemoved = true
    cluster.pointee.hostCount += 1  // not before all its hosts are handled
    for case let host? in cluster.pointee.hosts { removeHost(host) }
    cluster.pointee.hosts.deallocate()
    cluster.pointee.hosts = .init(start: nil, count: 0)
    cluster.pointee.balancer.reset()
    cluster.pointee.subsets.reset()
    cluster.pointee.set = HostSet.nobody.pointer
    cluster.pointee.hostCount -= 1
    freeClusterIfUnused(cluster)
  }

  func freeClusterIfUnused(_ cluster: ClusterRef) {
    guard cluster.pointee.isRemoved, cluster.pointee.hostCount == 0 else { return }
    cluster.pointee.config.release()
    cluster.deinitialize(count: 1)
    cluster.deallocate()
  }
}
