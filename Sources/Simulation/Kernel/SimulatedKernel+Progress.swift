import CURing
import Glibc
import Reactor

extension SimulatedKernel {
  func operation(_ userData: UInt64) -> Operation? {
    for fd in openDescriptors {
      guard let socket = socket(fd, "search") else { continue }
      if let found = socket.operations.first(where: { $0.userData == userData }) { return found }
    }
    return nil
  }

  // MARK: Accept

  func proceedAccept(_ operation: Operation) {
    guard let listener = operation.socket.listener, !listener.waiting.isEmpty else { return }
    if dice.chance(faults.acceptFailure) {
      coverage.note(.acceptFailure)
      return finish(operation, -dice.pick([EMFILE, ENFILE, ECONNABORTED]), "accept")
    }
    let connection = listener.waiting.removeFirst()
    let socket = makeDescriptor(.stream(connection))
    if isCompletionQueueFull || dice.chance(faults.multishotEnd) {
      return finish(operation, socket.fd, "accept, the last")
    }
    post(operation.userData, socket.fd, flags: CURING_CQE_F_MORE, what: "accept")
    if !listener.waiting.isEmpty { schedule(operation) }
  }

  // MARK: Receive

  func proceedReceive(_ operation: Operation, group: UInt16, isMultishot: Bool) {
    guard let pipe = operation.socket.connection?.toProxy else { return }
    guard !pipe.arrived.isEmpty else {
      if pipe.isReset {
        finish(operation, -(operation.socket.connection?.takeError() ?? 0), "receive")
      } else if pipe.isEnded {
        finish(operation, 0, "receive")
      }
      return
    }
    let isInjected = dice.chance(faults.noBuffers)
    guard !isInjected, let buffer = buffers[Int(group)]?.take() else {
      coverage.note(isInjected ? .noBuffersInjected : .noBuffersLeft)
      return finish(operation, -ENOBUFS, "receive")
    }
    var limit = buffer.byteCount
    if dice.chance(faults.shortRead) {
      coverage.note(.shortRead)
      limit = dice.skewed(1...limit)
    }
    let count = pipe.read(into: buffer.memory, limit)
    plant?.delivered(buffer)
    let flags = CURING_CQE_F_BUFFER | UInt32(buffer.id) << UInt32(CURING_CQE_BUFFER_SHIFT)
    if !isMultishot || isCompletionQueueFull || dice.chance(faults.multishotEnd) {
      if isMultishot { coverage.note(.multishotEnd) }
      return finish(operation, Int32(count), flags: flags, "receive, the last")
    }
    post(operation.userData, Int32(count), flags: flags | CURING_CQE_F_MORE, what: "receive")
    if !pipe.arrived.isEmpty || pipe.isEnded || pipe.isReset { schedule(operation) }
  }

  // MARK: Send

  func proceedSend(_ operation: Operation, _ before: Operation.SendState) {
    guard let pipe = operation.socket.connection?.toPeer else { return }
    var state = before
    if pipe.isReset {
      if state.sent > 0 { return finish(operation, Int32(state.sent), "send, broken") }
      return finish(operation, -(operation.socket.connection?.takeError() ?? EPIPE), "send")
    }
    var count = min(state.left, pipe.room)
    if count > 1, dice.chance(faults.shortWrite) {
      coverage.note(.shortWrite)
      count = dice.skewed(1...count)
    }
    if count > 0 {
      pipe.write(state.take(count))
      operation.kind = .send(state)
      if dice.chance(faults.reset), let connection = operation.socket.connection {
        resetOnTheWay(connection)
      }
    }
    if state.left == 0 {
      finish(operation, Int32(state.sent), "send")
    } else if state.sent > 0, dice.chance(faults.shortSend) {
      coverage.note(.shortSend)
      finish(operation, Int32(state.sent), "send, short")
    } else if pipe.room > 0 {
      schedule(operation)
    }
  }
}
