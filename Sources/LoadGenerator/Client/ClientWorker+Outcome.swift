import Glibc
import LoadBase
import LoadReport
import Reactor

extension ClientWorker {
  func bytesCame(_ socket: SocketRef, _ segment: SegmentRef) {
    guard let connection = owner(socket) else {
      segments.release(segment)
      return
    }
    if isMeasuring, !socket.pointee.isTLS { record.tally.bytesRead &+= UInt64(segment.pointee.count) }
    switch traffic {
    case .http:
      if let session = connection.pointee.h2 {
        http2Received(connection, session, segment)
      } else {
        http1Received(connection, segment)
      }
    case .tcpEcho: echoReceived(connection, segment)
    }
    segments.release(segment)
  }

  func peerEnded(_ socket: SocketRef) {
    guard let connection = owner(socket) else { return }
    if connection.pointee.pendingCount > 0 {
      if traffic == .http, connection.pointee.h2 == nil, connection.pointee.answer.stage == .untilClose,
        !socket.pointee.isTruncated
      {
        // The end of the connection is the end of this answer.
        finishHTTP1Answer(connection)
        return
      }
      // With GOAWAY the peer may have said that this is the end.
      let kind: ErrorKind = connection.pointee.goAwayCode > 0 ? .goaway : .closedEarly
      failPending(connection, kind, note: whatItSpeaks(connection))
    }
    replace(connection)
  }

  func socketBroke(_ socket: SocketRef, errno code: Int32) {
    guard let connection = owner(socket) else { return }
    if connection.pointee.pendingCount > 0 {
      let isReset = code == ECONNRESET || code == EPIPE
      let kind: ErrorKind = connection.pointee.goAwayCode > 0 ? .goaway : isReset ? .reset : .other
      failPending(connection, kind, note: isReset ? nil : errorText(code))
    }
    replace(connection)
  }

  func deadlinePassed(_ socket: SocketRef) {
    guard let connection = owner(socket) else { return }
    if socket.pointee.isConnecting {
      connectingCount -= 1
      let reason = socket.pointee.isHandshaking ? "the TLS handshake takes too long" : errorText(ETIMEDOUT)
      connectFailed(connection, .connectTimeout, reason)
      return
    }
    if connection.pointee.h2 != nil { return http2DeadlinePassed(connection) }
    if connection.pointee.pendingCount > 0 {
      let due = connection.pointee.pending[Int(connection.pointee.pendingFirst)].sent &+ plan.timeout
      guard due <= now else { return wake(socket, at: due) }
      failPending(connection, .requestTimeout, note: nil)
    } else if !connection.pointee.isEnding {
      return
    }
    replace(connection)
  }

  // MARK: Right answers and wrong ones

  /// The answer to the first pending request is whole: books it.
  /// - Parameters:
  ///   - fault: What is wrong with it, if anything.
  ///   - status: nil when the protocol has none.
  @inline(__always)
  func finish(_ connection: ClientRef, fault: ErrorKind?, status: Int?) {
    let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
    removeFirst(connection)
    book(request, fault: fault, status: status)
  }

  @inline(__always)
  func book(_ request: PendingRequest, fault: ErrorKind?, status: Int?) {
    guard request.intended >= measureFrom else { return }
    record.tally.responses &+= 1
    record.latency.record(nanoseconds: now &- request.intended)
    if isOpenLoop { record.serviceTime.record(nanoseconds: now &- request.sent) }
    if let status { record.tally.statuses.add(status) }
    if let fault {
      record.tally.errors.add(fault)
    } else {
      record.tally.successes &+= 1
    }
  }

  @inline(__always)
  private func removeFirst(_ connection: ClientRef) {
    let next = connection.pointee.pendingFirst &+ 1
    connection.pointee.pendingFirst = next == pipelining ? 0 : next
    connection.pointee.pendingCount &-= 1
    pendingTotal &-= 1
  }

  /// All pending requests are lost: the first through `kind`, those behind it because their
  /// connection ends with it.
  func failPending(_ connection: ClientRef, _ kind: ErrorKind, note: String?) {
    if connection.pointee.h2 != nil { return http2FailAll(connection, kind, note: note) }
    var kind = kind
    while connection.pointee.pendingCount > 0 {
      let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
      removeFirst(connection)
      if request.intended >= measureFrom { record.tally.errors.add(kind) }
      remember(kind, note)
      if kind != .requestTimeout, kind != .connectFailed { kind = .closedEarly }
    }
  }

  /// Counts an error that belongs to no request.
  func count(_ kind: ErrorKind, note: String?) {
    if isMeasuring { record.tally.errors.add(kind) }
    remember(kind, note)
  }

  func remember(_ kind: ErrorKind, _ note: String?) {
    if let note, notes[kind.rawValue] == nil { notes[kind.rawValue] = note }
  }

  /// The open connection is of no more use: a new one in its place.
  func replace(_ connection: ClientRef) {
    drop(connection, wasOpen: true)
    retryLater(connection, isAttempt: false)
  }
}
