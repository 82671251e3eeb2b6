import Glibc
import Reactor

/// Pipes, and the bytes that go through them.
extension SimulatedKernel {
  /// - Returns: Nil when descriptors or the user's share of pipe memory have run out.
  func newPipe(_ capacityBytes: Int) -> Reactor.Pipe? {
    if dice.chance(faults.pipeRefused) {
      coverage.note(.pipeRefused)
      return nil
    }
    // Past the user's share a pipe stays smaller than was asked for.
    let capacity = min(capacityBytes, faults.pipeCapacity)
    let pipe = KernelPipe(capacity: capacity)
    plant?.made(pipe)
    let read = makeDescriptor(.pipeReadEnd(pipe))
    let write = makeDescriptor(.pipeWriteEnd(pipe))
    trace.record(
      8, events.now, UInt64(read.fd), UInt64(write.fd), UInt64(capacity),
      text: "\(events.now) pipe \(read.fd), \(write.fd) of \(capacity) bytes")
    return Reactor.Pipe(readEnd: read.fd, writeEnd: write.fd, capacityBytes: capacity)
  }

  func recordedSplice(_ from: Int32, _ to: Int32, _ count: Int) -> Int {
    let result = moved(from: from, to: to, count: count)
    trace.record(
      9, events.now, UInt64(from), UInt64(to), UInt64(bitPattern: Int64(result)),
      text: "\(events.now) splices up to \(count) from \(from) to \(to): \(result)")
    return result
  }

  private func moved(from: Int32, to: Int32, count: Int) -> Int {
    guard let source = socket(from, "splice"), let target = socket(to, "splice") else {
      return -Int(EBADF)
    }
    if count <= 0 { report("a splice of \(count) bytes") }
    switch (source.kind, target.kind) {
    case (.stream(let connection), .pipeWriteEnd(let pipe)):
      if source.operations.contains(where: \.isReceive) {
        report("a splice beside a receive on descriptor \(from)")
      }
      return fill(pipe, connection, count)
    case (.pipeReadEnd(let pipe), .stream(let connection)):
      if target.operations.contains(where: \.isSend) {
        report("a splice beside a send on descriptor \(to)")
      }
      if target.isShutDown {
        report("a splice after the direction was ended on descriptor \(to)")
        return -Int(EPIPE)
      }
      return empty(pipe, connection, count)
    case (.fresh, _), (_, .fresh): return -Int(ENOTCONN)
    default:
      report("a splice between descriptors \(from) and \(to), which are not a socket and a pipe")
      return -Int(EINVAL)
    }
  }

  private func fill(_ pipe: KernelPipe, _ connection: VirtualConnection, _ count: Int) -> Int {
    if dice.chance(faults.spliceRefused) {
      coverage.note(.spliceRefused)
      return -Int(dice.pick([EINVAL, ENOMEM]))
    }
    let input = connection.toProxy
    guard !input.arrived.isEmpty else {
      if input.isReset {
        coverage.note(.spliceSourceReset)
        return -Int(connection.takeError() ?? 0)
      }
      if input.isEnded {
        coverage.note(.spliceSourceEnd)
        return 0
      }
      return -Int(EAGAIN)
    }
    var most = min(count, input.arrived.count, pipe.room)
    if most == 0 || dice.chance(faults.spliceRetry) {
      coverage.note(.spliceFillWaits)
      return -Int(EAGAIN)
    }
    if most > 1, dice.chance(faults.shortRead) {
      coverage.note(.spliceFillShort)
      most = dice.skewed(1...most)
    }
    coverage.note(.spliceFill)
    let bytes = input.read(most)
    pipe.bytes.append(bytes[...])
    plant?.filled(pipe)
    return most
  }

  private func empty(_ pipe: KernelPipe, _ connection: VirtualConnection, _ count: Int) -> Int {
    let output = connection.toPeer
    if output.isReset {
      coverage.note(.spliceTargetReset)
      return -Int(connection.takeError() ?? EPIPE)
    }
    if pipe.bytes.isEmpty { report("a splice from an empty pipe") }
    var most = min(count, pipe.bytes.count, output.room)
    if most == 0 || dice.chance(faults.spliceRetry) {
      coverage.note(.spliceEmptyWaits)
      return -Int(EAGAIN)
    }
    if most > 1, dice.chance(faults.shortWrite) {
      coverage.note(.spliceEmptyShort)
      most = dice.skewed(1...most)
    }
    coverage.note(.spliceEmpty)
    output.write(pipe.bytes.take(most))
    if dice.chance(faults.reset) { resetOnTheWay(connection) }
    return most
  }

  func resetOnTheWay(_ connection: VirtualConnection) {
    coverage.note(.reset)
    trace.record(
      7, events.now, UInt64(connection.id),
      text: "\(events.now) connection \(connection.id) is reset on the way")
    connection.reset()
  }

  // MARK: Readiness

  /// One shot: `isRead` waits for bytes, the end or an error; otherwise for room or an error.
  func proceedPoll(_ operation: Operation, isRead: Bool) {
    guard let connection = operation.socket.connection else { return }
    if connection.toProxy.isReset {
      return finish(operation, POLLERR | POLLHUP | (isRead ? POLLIN : POLLOUT), "poll")
    }
    if isRead {
      guard !connection.toProxy.arrived.isEmpty || connection.toProxy.isEnded else { return }
      coverage.note(.pollReadable)
      finish(operation, POLLIN, "poll")
    } else if connection.toPeer.room > 0 {
      coverage.note(.pollWritable)
      finish(operation, POLLOUT, "poll")
    }
  }
}
