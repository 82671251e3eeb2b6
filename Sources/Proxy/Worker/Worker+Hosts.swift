import HostHealth
import Stats
import Synchronization

/// Hosts of clusters: new tables of them, and what a worker keeps of each.
extension Worker {
  // MARK: Tables

  /// The mailbox may have a table.
  ///
  /// It is taken out before the snapshot is, which main published earlier: whoever sees a table can see
  /// the snapshot that it belongs to. One of an older snapshot says less than the newer one brought.
  func takeHosts() {
    guard let table = mailbox.hosts.take() else { return }
    if let snapshot = mailbox.snapshots.take() { adopt(snapshot) }
    guard table.generation == generation.pointee.number else {
      table.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      return
    }
    adopt(table)
  }

  private func adopt(_ table: HostTable) {
    let left = hostTable
    hostTable = .passRetained(table)
    for slot in clusters.indices {
      guard let cluster = clusters[slot] else { continue }
      setHosts(cluster, table.set(slot), before: cluster.pointee.config)
    }
    if let left { leave(left) }
    slab.increment(environment.stats.hostTablesAdopted)
  }

  /// Lets go of a table. Main has the last reference and frees it.
  func leave(_ table: Unmanaged<HostTable>) {
    table._withUnsafeGuaranteedRef {
      _ = $0.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    }
    table.release()
  }

  // MARK: Hosts

  /// Goes on with other hosts: those that stay keep their connections, removed ones drain.
  ///
  /// What costs is what changed: hosts that are the same objects at the beginning and at the end of
  /// both lists are copied, and only those between are looked up. A worker that looked up all of ten
  /// thousand hosts would keep its requests waiting for a millisecond.
  ///
  /// - Parameter before: The cluster's configuration until now.
  func setHosts(
    _ cluster: ClusterRef, _ set: Frozen<HostSet>, before: Unmanaged<Frozen<ClusterConfig>>
  ) {
    let oldSet = cluster.pointee.set
    guard oldSet != set.pointer else { return }
    cluster.pointee.set = set.pointer
    let old = cluster.pointee.hosts
    cluster.pointee.balancer.adopt(set.pointer, after: oldSet, now: now) { old[Int($0)]?.pointee.active ?? 0 }
    cluster.pointee.subsets.adopt(set.pointer, after: oldSet, now: now) { old[Int($0)]?.pointee.active ?? 0 }
    let wanted = set.pointer.pointee.hosts
    let (flags, oldFlags) = (set.pointer.pointee.flags.buffer, oldSet.pointee.flags.buffer)
    guard !wanted.isSame(as: oldSet.pointee.hosts) else {
      drainFailed(cluster, flags[...], before: oldFlags[...])
      return
    }
    let same = wanted.ends(sharedWith: oldSet.pointee.hosts)
    let oldMiddle = same.first..<old.count - same.last
    let middle = same.first..<wanted.buffer.count - same.last
    var known: [UInt64: (host: HostRef, index: Int)] = [:]
    for index in oldMiddle { if let host = old[index] { known[host.pointee.identity] = (host, index) } }
    let hosts = UnsafeMutableBufferPointer<HostRef?>.allocate(capacity: wanted.buffer.count)
    _ = hosts[..<middle.lowerBound].initialize(fromContentsOf: old[..<oldMiddle.lowerBound])
    _ = hosts[middle.upperBound...].initialize(fromContentsOf: old[oldMiddle.upperBound...])
    var kept: [(index: Int, before: Int)] = []
    for i in middle {
      let identity = wanted.buffer[i].pointer.pointee.identity
      let entry = known.removeValue(forKey: identity)
      hosts.initializeElement(at: i, to: entry?.host)
      if let entry { kept.append((i, entry.index)) }
    }
    cluster.pointee.hosts = hosts
    // In the order of the list: a dictionary's own changes from run to run.
    for case let host? in old[oldMiddle] where known[host.pointee.identity] != nil {
      host.pointee.lastConfig = before.retain()
      removeHost(host)
    }
    old.deallocate()
    if cluster.pointee.pointer.pointee.drainsOnHostSetChange {
      for case let host? in hosts { giveUpConnections(host) }
    }
    drainFailed(cluster, flags[..<middle.lowerBound], before: oldFlags[..<middle.lowerBound])
    drainFailed(cluster, flags[middle.upperBound...], before: oldFlags[oldMiddle.upperBound...])
    for (index, before) in kept { drainFailed(cluster, flags[index...index], before: oldFlags[before...before]) }
  }

  /// Hosts that have just failed give their connections up: when they are back, those may be dead.
  ///
  /// - Parameter before: Flags of the same hosts until now.
  private func drainFailed(_ cluster: ClusterRef, _ flags: Slice<FlagList>, before: Slice<FlagList>) {
    let failed: HostFlags = [.failedActiveCheck, .failedOutlierCheck]
    var someFailed = false
    for (index, old) in zip(flags.indices, before) {
      guard !flags[index].isDisjoint(with: failed), old.isDisjoint(with: failed), let host = cluster.pointee.hosts[index]
      else { continue }
      giveUpConnections(host)
      someFailed = true
    }
    if someFailed, cluster.pointee.pointer.pointee.closesOnHostFailure { closeSessions(of: cluster) }
  }

  private typealias FlagList = UnsafeMutableBufferPointer<HostFlags>

  /// The host at an index of the cluster's set.
  @inline(__always)
  func host(_ cluster: ClusterRef, _ index: Int32) -> HostRef {
    cluster.pointee.hosts[Int(index)] ?? makeHost(cluster, Int(index))
  }

  private func makeHost(_ cluster: ClusterRef, _ index: Int) -> HostRef {
    let made = HostRef.allocate(capacity: 1)
    made.initialize(
      to: HostRuntime(at: made, cluster.pointee.set.pointee.hosts.buffer[index], cluster: cluster))
    cluster.pointee.hostCount += 1
    cluster.pointee.hosts[index] = made
    return made
  }

  func removeHost(_ host: HostRef) {
    host.pointee.isRemoved = true
    giveUpConnections(host)
    freeHostIfUnused(host)
  }

  func freeHostIfUnused(_ host: HostRef) {
    guard host.pointee.isRemoved, host.pointee.connectionCount == 0, host.pointee.users == 0,
      !host.pointee.hasPending
    else { return }
    let cluster = host.pointee.cluster
    if host.pointee.active != 0 { miscountedHosts += 1 }
    host.pointee.config.release()
    host.pointee.lastConfig?.release()
    host.pointee.freePools()
    host.deinitialize(count: 1)
    host.deallocate()
    cluster.pointee.hostCount -= 1
    freeClusterIfUnused(cluster)
  }
}
