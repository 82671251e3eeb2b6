import Primitives
import Reactor
import Stats
import Synchronization

extension Worker {
  /// Takes a new snapshot into use; what it does not change goes on undisturbed.
  func adopt(_ snapshot: Snapshot) {
    let old = generation
    generation = .allocate(capacity: 1)
    generation.initialize(to: GenerationRuntime(snapshot))
    adoptTables(of: snapshot)
    old.pointee.isCurrent = false
    if old.pointee.streamCount == 0 {
      leave(old)
    } else {
      oldGenerations.append(old)
    }
    slab.increment(environment.stats.snapshotsAdopted)
  }

  func adoptTables(of snapshot: Snapshot) {
    adoptClusters(snapshot)
    adoptListeners(snapshot)
    tlsContexts?.sweep()
  }

  /// A stream that began under this generation is over.
  @inline(__always)
  func unpin(_ pinned: UnsafeMutablePointer<GenerationRuntime>) {
    pinned.pointee.streamCount &-= 1
    if pinned.pointee.streamCount == 0, !pinned.pointee.isCurrent {
      oldGenerations.removeAll { $0 == pinned }
      leave(pinned)
    }
  }

  /// Lets go of a generation. Main has the last reference and frees it.
  private func leave(_ left: UnsafeMutablePointer<GenerationRuntime>) {
    assert(left.pointee.streamCount == 0, "a generation was left with streams in it")
    let snapshot = left.pointee.snapshot
    left.deinitialize(count: 1)
    left.deallocate()
    let holders = snapshot._withUnsafeGuaranteedRef {
      $0.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    }
    snapshot.release()
    if holders == 0 { reportProgress() }
  }

  /// Tells main that something it may wait for has happened.
  func reportProgress() {
    if isDraining { status.setDownstreamConnections(downstreamConnectionCount) }
    if let main = environment.flags.mainRing, index >= 0 {
      send(WorkerMessage.progress, to: main)
    }
  }

  // MARK: Listeners

  private func adoptListeners(_ snapshot: Snapshot) {
    for i in listeners.indices where !listeners[i].isRemoved {
      let name = listeners[i].name
      guard snapshot.listeners.contains(where: { $0.pointer.pointee.name == name }) else {
        removeListener(i)
        continue
      }
    }
    for config in snapshot.listeners {
      let name = config.pointer.pointee.name
      guard let i = listeners.firstIndex(where: { $0.name == name && !$0.isRemoved }) else {
        addListener(config)
        continue
      }
      guard listeners[i].epoch.pointee.pointer != config.pointer else { continue }
      replaceListener(i, with: config)
    }
    armListeners()
  }

  private func makeEpoch(_ config: Frozen<ListenerConfig>) -> UnsafeMutablePointer<ListenerEpoch> {
    let epoch = UnsafeMutablePointer<ListenerEpoch>.allocate(capacity: 1)
    epoch.initialize(to: ListenerEpoch(config))
    epochs.append(epoch)
    return epoch
  }

  private func addListener(_ config: Frozen<ListenerConfig>) {
    let runtime = ListenerRuntime(name: config.pointer.pointee.name, epoch: makeEpoch(config))
    let index = listeners.firstIndex { $0.isRetired } ?? listeners.count
    if index == listeners.count { listeners.append(runtime) } else { listeners[index] = runtime }
    openSockets(index, config)
  }

  private func openSockets(_ listener: Int, _ config: Frozen<ListenerConfig>) {
    let row = max(0, index)
    guard row < config.pointer.pointee.sockets.count else { return }
    for (addressIndex, fd) in config.pointer.pointee.sockets[row].enumerated() {
      let place = sockets.firstIndex { $0.fd < 0 } ?? sockets.count
      let generation = place < sockets.count ? sockets[place].generation + 1 : 1
      let socket = ListenerSocket(
        fd: fd, addressIndex: addressIndex, generation: generation, listener: listener)
      if place == sockets.count { sockets.append(socket) } else { sockets[place] = socket }
    }
  }

  private func replaceListener(_ i: Int, with config: Frozen<ListenerConfig>) {
    let old = listeners[i].epoch
    let row = max(0, index)
    let oldSockets = old.pointee.pointer.pointee.sockets
    let newSockets = config.pointer.pointee.sockets
    listeners[i].epoch = makeEpoch(config)
    if row < oldSockets.count, row < newSockets.count, oldSockets[row] != newSockets[row] {
      // New addresses: main opened new sockets and the old ones go. Shared ones stay.
      for s in sockets.indices
      where sockets[s].fd >= 0 && sockets[s].listener == i && !newSockets[row].contains(sockets[s].fd) {
        closeListenerSocket(s)
      }
      for (addressIndex, fd) in newSockets[row].enumerated()
      where !sockets.contains(where: { $0.fd == fd && !$0.isClosing }) {
        let place = sockets.firstIndex { $0.fd < 0 } ?? sockets.count
        let generation = place < sockets.count ? sockets[place].generation + 1 : 1
        let socket = ListenerSocket(
          fd: fd, addressIndex: addressIndex, generation: generation, listener: i)
        if place == sockets.count { sockets.append(socket) } else { sockets[place] = socket }
      }
    }
    if old.pointee.pointer.pointee.version == config.pointer.pointee.version {
      // Only route tables changed, and those are looked up anew for every request.
      moveConnections(from: old, to: listeners[i].epoch)
    }
    retire(old)
  }

  /// Connections keep their chain by position: the versions are equal.
  private func moveConnections(
    from old: UnsafeMutablePointer<ListenerEpoch>, to new: UnsafeMutablePointer<ListenerEpoch>
  ) {
    var next = old.pointee.first
    while let connection = next {
      next = connection.pointee.next
      let oldChains = old.pointee.pointer.pointee.chains.buffer
      if let chain = connection.pointee.chain,
        let index = oldChains.firstIndex(where: { $0.pointer == chain })
      {
        connection.pointee.chain = new.pointee.pointer.pointee.chains.buffer[index].pointer
      }
      connection.pointee.epoch = new
      new.pointee.connectionCount += 1
    }
    new.pointee.first = old.pointee.first
    old.pointee.first = nil
    old.pointee.connectionCount = 0
  }

  func removeListener(_ i: Int) {
    guard !listeners[i].isRemoved else { return }
    listeners[i].isRemoved = true
    for s in sockets.indices where sockets[s].fd >= 0 && sockets[s].listener == i {
      closeListenerSocket(s)
    }
    retireIfSocketsClosed(i)
  }

  /// Connections that the kernel had accepted already still belong to a removed listener: its
  /// epoch ends with its last socket.
  private func retireIfSocketsClosed(_ i: Int) {
    guard listeners[i].isRemoved, !listeners[i].isRetired,
      !sockets.contains(where: { $0.fd >= 0 && $0.listener == i })
    else { return }
    listeners[i].isRetired = true
    retire(listeners[i].epoch)
  }

  private func closeListenerSocket(_ index: Int) {
    guard !sockets[index].isClosing else { return }
    sockets[index].isClosing = true
    if sockets[index].isArmed {
      ring.cancel(acceptToken(index), token: Token(.cancel, slot: 0, generation: 0))
    } else {
      closeSocket(index)
    }
  }

  func closeSocket(_ index: Int) {
    ring.close(sockets[index].fd, token: Token(.ignore, slot: 0, generation: 0))
    sockets[index] = ListenerSocket(
      fd: -1, addressIndex: 0, generation: sockets[index].generation &+ 1, isClosing: true,
      listener: sockets[index].listener)
    retireIfSocketsClosed(sockets[index].listener)
  }

  /// The connections of an old version end with their current request.
  private func retire(_ epoch: UnsafeMutablePointer<ListenerEpoch>) {
    epoch.pointee.isDraining = true
    if epoch.pointee.connectionCount == 0 {
      freeEpoch(epoch)
      return
    }
    let deadline = now &+ environment.flags.drainNanoseconds
    var next = epoch.pointee.first
    while let connection = next {
      next = connection.pointee.next
      connection.pointee.flags.insert(.drains)
      if connection.pointee.deadline == 0 { connection.pointee.deadline = deadline }
      ensureTimer(connection, by: connection.pointee.deadline)
    }
  }

  func freeEpoch(_ epoch: UnsafeMutablePointer<ListenerEpoch>) {
    assert(epoch.pointee.connectionCount == 0, "an epoch was freed with connections in it")
    epochs.removeAll { $0 == epoch }
    epoch.pointee.config.release()
    epoch.deinitialize(count: 1)
    epoch.deallocate()
  }

  /// The worker ends: lets go of everything that the current snapshot holds.
  func leaveEverything() {
    for slot in clusters.indices {
      if let cluster = clusters[slot] { removeCluster(cluster) }
      clusters[slot] = nil
    }
    if generation.pointee.streamCount == 0 {
      generation.pointee.isCurrent = false
      leave(generation)
    }
  }

  // MARK: Clusters

  private func adoptClusters(_ snapshot: Snapshot) {
    let configs = snapshot.clusters.buffer
    while clusters.count < configs.count { clusters.append(nil) }
    for slot in clusters.indices {
      let config = slot < configs.count ? configs[slot] : nil
      switch (clusters[slot], config) {
      case (nil, nil): break
      case (nil, let config?): clusters[slot] = makeCluster(config)
      case (let old?, nil):
        removeCluster(old)
        clusters[slot] = nil
      case (let old?, let config?):
        if old.pointee.pointer != config.pointer { update(old, config) }
      }
    }
  }

  private func makeCluster(_ config: Frozen<ClusterConfig>) -> ClusterRef {
    let cluster = ClusterRef.allocate(capacity: 1)
    cluster.initialize(to: ClusterRuntime(config))
    setHosts(cluster, nil, config.pointer)
    return cluster
  }

  private func update(_ cluster: ClusterRef, _ config: Frozen<ClusterConfig>) {
    let old = cluster.pointee.config
    let oldPointer = cluster.pointee.pointer
    cluster.pointee.config = .passRetained(config)
    cluster.pointee.pointer = config.pointer
    cluster.pointee.balancer.reset()
    setHosts(cluster, oldPointer, config.pointer, before: old)
    old.release()
  }

  /// Keeps hosts that stay, with their connections; makes new ones; lets removed ones drain.
  ///
  /// What costs is what changed: hosts that are the same objects at the beginning and at the end of
  /// both lists are copied, and only those between are looked up. A worker that looked up all of ten
  /// thousand hosts would keep its requests waiting for a millisecond.
  private func setHosts(
    _ cluster: ClusterRef, _ oldConfig: UnsafeMutablePointer<ClusterConfig>?,
    _ config: UnsafeMutablePointer<ClusterConfig>, before: Unmanaged<Frozen<ClusterConfig>>? = nil
  ) {
    let wanted = config.pointee.hosts
    let old = cluster.pointee.hosts
    let same = oldConfig.map { wanted.ends(sharedWith: $0.pointee.hosts) } ?? (first: 0, last: 0)
    if same.first == wanted.buffer.count, same.first == old.count { return }
    let oldMiddle = same.first..<old.count - same.last
    let middle = same.first..<wanted.buffer.count - same.last
    var known: [UInt64: HostRef] = [:]
    for host in old[oldMiddle] { known[host.pointee.identity] = host }
    let hosts = UnsafeMutableBufferPointer<HostRef>.allocate(capacity: wanted.buffer.count)
    _ = hosts[..<middle.lowerBound].initialize(fromContentsOf: old[..<oldMiddle.lowerBound])
    _ = hosts[middle.upperBound...].initialize(fromContentsOf: old[oldMiddle.upperBound...])
    for i in middle {
      let host = wanted.buffer[i]
      let identity = host.pointer.pointee.identity
      if let kept = known.removeValue(forKey: identity) {
        hosts.initializeElement(at: i, to: kept)
      } else {
        let made = HostRef.allocate(capacity: 1)
        made.initialize(to: HostRuntime(at: made, host, cluster: cluster))
        cluster.pointee.hostCount += 1
        hosts.initializeElement(at: i, to: made)
      }
    }
    cluster.pointee.hosts = hosts
    // In the order of the configuration: a dictionary's own changes from run to run.
    for host in old[oldMiddle] where known[host.pointee.identity] != nil {
      host.pointee.lastConfig = before?.retain()
      removeHost(host)
    }
    old.deallocate()
  }

  private func removeHost(_ host: HostRef) {
    host.pointee.isRemoved = true
    // Closing its last connection must not free it under our hands.
    host.pointee.users += 1
    closeIdle(host)
    host.pointee.users -= 1
    freeHostIfUnused(host)
  }

  func freeHostIfUnused(_ host: HostRef) {
    guard host.pointee.isRemoved, host.pointee.connectionCount == 0, host.pointee.users == 0,
      !host.pointee.hasPending
    else { return }
    let cluster = host.pointee.cluster
    host.pointee.config.release()
    host.pointee.lastConfig?.release()
    host.pointee.freePools()
    host.deinitialize(count: 1)
    host.deallocate()
    cluster.pointee.hostCount -= 1
    freeClusterIfUnused(cluster)
  }

  private func removeCluster(_ cluster: ClusterRef) {
    cluster.pointee.isRemoved = true
    cluster.pointee.hostCount += 1  // not before all its hosts are handled
    for host in cluster.pointee.hosts { removeHost(host) }
    cluster.pointee.hosts.deallocate()
    cluster.pointee.hosts = .init(start: nil, count: 0)
    cluster.pointee.hostCount -= 1
    freeClusterIfUnused(cluster)
  }

  private func freeClusterIfUnused(_ cluster: ClusterRef) {
    guard cluster.pointee.isRemoved, cluster.pointee.hostCount == 0 else { return }
    cluster.pointee.config.release()
    cluster.deinitialize(count: 1)
    cluster.deallocate()
  }
}
