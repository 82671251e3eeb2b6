import Primitives
import Reactor
import Stats
import Synchronization

/// Accepted connections go to the least loaded worker, by a message from ring to ring.
extension Worker {
  /// Sends a socket that was accepted here to another worker.
  ///
  /// Descriptors belong to the process, so its number is all there is to send; the completion at the
  /// other side carries it.
  func handOver(_ fd: Int32, to target: Int, loads: WorkerLoads.View, socket index: Int) {
    loads.give(to: target)
    let epoch = listeners[sockets[index].listener].epoch
    slab.increment(environment.stats.connectionsHandedOver)
    ring.hand(
      fd, to: loads.rows[target].ring.load(ordering: .relaxed),
      token: Token(
        .handover, slot: epoch.pointee.pointer.pointee.number,
        generation: UInt32(sockets[index].addressIndex)),
      failure: Token(
        .handoverFailed, slot: UInt32(bitPattern: fd),
        generation: UInt32(target) << Self.socketIndexBits | UInt32(index)))
  }

  // A token has 24 bits beside the slot: 10 for a worker (1,024 is the limit of --concurrency), 14
  // for the index of a listening socket.
  static let socketIndexBits: UInt32 = 14
  static var socketIndexMask: UInt32 { 1 << socketIndexBits - 1 }

  /// A socket that another worker accepted.
  func onHandover(_ completion: Completion) {
    let fd = completion.result
    let number = completion.token.slot
    slab.increment(environment.stats.connectionsTakenOver)
    if place(fd, listener: number, addressIndex: completion.token.generation) { return }
    // The other worker knows a listener that this one has not looked at yet: main gives a snapshot
    // to all workers before it tells any.
    if let snapshot = mailbox.snapshots.take() {
      adopt(snapshot)
      if place(fd, listener: number, addressIndex: completion.token.generation) { return }
    }
    // The listener is gone: its queue would have been closed with it.
    kernel.close(fd)
    loads?.take(from: index)
  }

  private func place(_ fd: Int32, listener number: UInt32, addressIndex: UInt32) -> Bool {
    guard
      let i = listeners.firstIndex(where: {
        !$0.isRetired && $0.epoch.pointee.pointer.pointee.number == number
      })
    else { return false }
    accepted(fd, listeners[i].epoch, addressIndex: UInt16(truncatingIfNeeded: addressIndex))
    return true
  }

  /// The other ring could not be reached: the connection stays.
  func onHandoverFailed(_ completion: Completion) {
    guard let loads else { return }
    let fd = Int32(bitPattern: completion.token.slot)
    let index = Int(completion.token.generation & Self.socketIndexMask)
    loads.take(from: Int(completion.token.generation >> Self.socketIndexBits))
    guard index < sockets.count, sockets[index].fd >= 0, !listeners[sockets[index].listener].isRetired
    else {
      kernel.close(fd)
      return
    }
    loads.give(to: self.index)
    accepted(
      fd, listeners[sockets[index].listener].epoch,
      addressIndex: UInt16(truncatingIfNeeded: sockets[index].addressIndex))
  }
}
