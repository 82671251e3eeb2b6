import LoadBase
import LoadReport
import Reactor

extension ClientWorker {
  /// Begins what is due (open loop) or what connections have room for (closed loop).
  func issue(_ time: UInt64) {
    if isOpenLoop {
      let offset = time &- startAt
      while arrivals.next <= offset, budget > 0, let connection = takeListed() {
        let intended = startAt &+ arrivals.next
        if hadNoConnection, intended <= now, intended >= measureFrom {
          record.tally.waitedForConnection &+= 1
        }
        begin(connection, intended: intended, time, isAlone: true)
        arrivals.advance()
        if canTake(connection) { list(connection) }
      }
      hadNoConnection = firstListed == nil
    } else {
      while budget > 0, let connection = takeListed() {
        var isAlone = pipelining == 1 || connection.pointee.pendingCount &+ 1 == pipelining
        while budget > 0, canTake(connection) {
          begin(connection, intended: time, time, isAlone: isAlone)
          isAlone = false
        }
      }
    }
  }

  /// Sends one request, or connects first when each has a connection of its own.
  @inline(__always)
  private func begin(
    _ connection: ClientRef, intended: UInt64, _ time: UInt64, isAlone: Bool
  ) {
    if plan.newConnectionPerRequest {
      guard connect(connection, time) else { return }
    }
    guard let socket = connection.pointee.socket else { return }
    var content: UInt32 = 0
    switch traffic {
    case .http1:
      if compiledCount > 1 { content = UInt32(choice.draw(&random)) }
      compiled[Int(content)].append(
        to: &socket.pointee.output, segments, isAlone: isAlone, sequence: sequence, &random)
    case .tcpEcho:
      content = echo.start(sequence)
      socket.pointee.output.append(segments.borrowed(echo.message(content)))
    }
    sequence &+= UInt64(plan.threads)
    markDirty(socket)
    push(
      connection, PendingRequest(intended: intended, sent: time, content: content), socket, time)
  }

  @inline(__always)
  private func push(
    _ connection: ClientRef, _ request: PendingRequest, _ socket: SocketRef, _ time: UInt64
  ) {
    var place = connection.pointee.pendingFirst &+ connection.pointee.pendingCount
    if place >= pipelining { place &-= pipelining }
    connection.pointee.pending[Int(place)] = request
    connection.pointee.pendingCount &+= 1
    pendingTotal &+= 1
    budget &-= 1
    if request.intended >= measureFrom {
      record.tally.requestsSent &+= 1
      if isOpenLoop { record.scheduleError.record(nanoseconds: time &- request.intended) }
    }
    if connection.pointee.pendingCount == 1, !socket.pointee.isConnecting {
      wake(socket, at: time &+ plan.timeout)
    }
  }

  // MARK: Which connection is next

  @inline(__always)
  func canTake(_ connection: ClientRef) -> Bool {
    if plan.newConnectionPerRequest {
      return connection.pointee.socket == nil && connection.pointee.retryAt <= now
    }
    guard let socket = connection.pointee.socket else { return false }
    return connection.pointee.pendingCount < pipelining && !connection.pointee.isEnding
      && !socket.pointee.isConnecting
  }

  @inline(__always)
  func list(_ connection: ClientRef) {
    guard !connection.pointee.isListed else { return }
    connection.pointee.isListed = true
    connection.pointee.next = nil
    if let last = lastListed { last.pointee.next = connection } else { firstListed = connection }
    lastListed = connection
  }

  /// The connection that has waited longest; skips those that broke meanwhile.
  @inline(__always)
  private func takeListed() -> ClientRef? {
    while let connection = firstListed {
      firstListed = connection.pointee.next
      if firstListed == nil { lastListed = nil }
      connection.pointee.isListed = false
      if canTake(connection) { return connection }
    }
    return nil
  }
}
