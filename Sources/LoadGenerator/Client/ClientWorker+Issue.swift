import HTTP2
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
    var request = PendingRequest(intended: intended, sent: time, content: 0)
    switch traffic {
    case .http:
      if compiledCount > 1 { request.content = UInt32(choice.draw(&random)) }
      if let session = connection.pointee.h2 {
        count(request, connection, socket)
        http2Send(connection, session, request, sequence: sequence)
      } else {
        push(request, connection)
        count(request, connection, socket)
        if holdsRequests {
          connection.pointee.heldSequence = sequence
        } else {
          http1Send(request, socket, isAlone: isAlone, sequence: sequence)
        }
      }
    case .tcpEcho:
      request.content = echo.start(sequence)
      push(request, connection)
      count(request, connection, socket)
      socket.pointee.output.append(segments.borrowed(echo.message(request.content)))
      markDirty(socket)
    }
    sequence &+= UInt64(plan.threads)
  }

  @inline(__always)
  private func http1Send(_ request: PendingRequest, _ socket: SocketRef, isAlone: Bool, sequence: UInt64) {
    compiled[Int(request.content)].append(
      to: &socket.pointee.output, segments, isAlone: isAlone, sequence: sequence, &random)
    markDirty(socket)
  }

  /// The request for which the connection was made: now it is known what it speaks.
  func sendHeld(_ connection: ClientRef, _ socket: SocketRef) {
    let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
    if let session = connection.pointee.h2 {
      http2Send(connection, session, request, sequence: connection.pointee.heldSequence)
    } else {
      http1Send(request, socket, isAlone: true, sequence: connection.pointee.heldSequence)
    }
  }

  @inline(__always)
  private func push(_ request: PendingRequest, _ connection: ClientRef) {
    var place = connection.pointee.pendingFirst &+ connection.pointee.pendingCount
    if place >= pipelining { place &-= pipelining }
    connection.pointee.pending[Int(place)] = request
  }

  @inline(__always)
  private func count(_ request: PendingRequest, _ connection: ClientRef, _ socket: SocketRef) {
    let time = request.sent
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
    if let session = connection.pointee.h2 {
      return connection.pointee.pendingCount < streamsMax && !connection.pointee.isEnding
        && session.pointee.activeCount < Int(session.pointee.peerMaxStreams)
    }
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
