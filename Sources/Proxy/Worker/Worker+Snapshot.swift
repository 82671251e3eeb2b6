import Primitives
import Reactor
import Stats
import Synchronization

extension Worker {
  /// Takes a snapshot into use that this very thread has made: main's own.
  public func use(_ snapshot: Snapshot) { adopt(snapshot) }

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
    if let hostTable { leave(hostTable) }
    hostTable = nil
    if generation.pointee.streamCount == 0 {
      generation.pointee.isCurrent = false
      leave(generation)
    }
  }
}
