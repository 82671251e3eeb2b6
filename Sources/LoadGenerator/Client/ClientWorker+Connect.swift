import Glibc
import LoadBase
import LoadReport
import Reactor
import Synchronization

extension ClientWorker {
  /// Connects those whose time has come, a bounded number at once.
  func connectWaiting(_ time: UInt64) {
    var earliest = UInt64.max
    var at = 0
    while at < unconnected.count, connectingCount < Self.connectingMax {
      let connection = unconnected[at]
      if connection.pointee.retryAt > time {
        earliest = min(earliest, connection.pointee.retryAt)
        at += 1
        continue
      }
      unconnected.swapAt(at, unconnected.count - 1)
      unconnected.removeLast()
      if plan.newConnectionPerRequest {
        list(connection)
      } else {
        _ = connect(connection, time)
      }
    }
    nextRetry = at < unconnected.count ? time : earliest
  }

  /// - Returns: false when there is no socket to be had; the connection then waits its turn.
  func connect(_ connection: ClientRef, _ time: UInt64) -> Bool {
    var failure: Int32 = 0
    guard
      let socket = connect(
        to: address, family: family, noDelay: !plan.newConnectionPerRequest, failure: &failure)
    else {
      count(.other, note: "no socket: \(errorText(failure))")
      retryLater(connection, isAttempt: true)
      return false
    }
    connection.pointee.socket = socket
    connection.pointee.isEnding = false
    connection.pointee.answer = AnswerProgress()
    connection.pointee.heldCount = 0
    connection.pointee.goAwayCode = -1
    socket.pointee.owner = UnsafeMutableRawPointer(connection)
    connectingCount += 1
    wake(socket, at: time &+ plan.connectTimeout)
    return true
  }

  func connectionDone(_ socket: SocketRef, errno code: Int32) {
    guard let connection = owner(socket) else { return }
    if code == 0, let tls {
      startHandshake(connection, socket, tls)
      return
    }
    guard code == 0 else {
      connectingCount -= 1
      connectFailed(connection, .connectFailed, errorText(code))
      return
    }
    connectionOpened(connection, socket, isHTTP2: version == .http2)
  }

  /// Requests may go.
  func connectionOpened(_ connection: ClientRef, _ socket: SocketRef, isHTTP2: Bool) {
    connectingCount -= 1
    openCount += 1
    if isHTTP2 {
      hasSpokenHTTP2 = true
      guard http2Open(connection) else {
        failPending(connection, .other, note: "memory is short")
        replace(connection)
        return
      }
    } else {
      hasSpokenHTTP1 = true
    }
    connection.pointee.failures = 0
    if !control.hasConnected.load(ordering: .relaxed) {
      control.hasConnected.store(true, ordering: .relaxed)
    }
    record.tally.connectionsOpened &+= 1
    if connection.pointee.pendingCount > 0 {
      if holdsRequests { sendHeld(connection, socket) }
      wake(socket, at: now &+ plan.timeout)
    } else {
      wake(socket, at: 0)
      list(connection)
    }
  }

  /// Counts it once, drops the socket and tries again later.
  func connectFailed(_ connection: ClientRef, _ kind: ErrorKind, _ reason: String) {
    if connection.pointee.pendingCount > 0 {
      failPending(connection, kind, note: reason)
    } else {
      count(kind, note: reason)
    }
    drop(connection, wasOpen: false)
    retryLater(connection, isAttempt: true)
    guard !control.hasConnected.load(ordering: .relaxed) else { return }
    // Nobody has ever answered: a few attempts, then it is not worth going on.
    if firstFailure == 0 { firstFailure = now }
    if now &- firstFailure >= 150_000_000 || kind == .connectTimeout {
      control.giveUp(verdict(kind, reason))
    }
  }

  /// Why it is not worth going on, as a sentence.
  private func verdict(_ kind: ErrorKind, _ reason: String) -> String {
    switch kind {
    case .tlsFailed: "no TLS with \(plan.address): \(reason)"
    case .connectTimeout: "no connection to \(plan.address) in time (\(reason))"
    default:
      reason == errorText(ECONNREFUSED)
        ? "nothing listens at \(plan.address) (\(reason))" : "cannot connect to \(plan.address) (\(reason))"
    }
  }

  /// - Parameter isAttempt: Connecting failed: wait 10 ms, and twice as long each further time, up
  ///   to 1 s.
  func retryLater(_ connection: ClientRef, isAttempt: Bool) {
    if isAttempt {
      let wait = UInt64(10_000_000) << UInt64(min(connection.pointee.failures, 7))
      connection.pointee.failures &+= 1
      connection.pointee.retryAt = now &+ min(wait, 1_000_000_000)
    } else {
      connection.pointee.retryAt = now
      if plan.newConnectionPerRequest {
        list(connection)
        return
      }
    }
    unconnected.append(connection)
    nextRetry = min(nextRetry, connection.pointee.retryAt)
  }

  /// Lets go of the socket.
  func drop(_ connection: ClientRef, wasOpen: Bool) {
    guard let socket = connection.pointee.socket else { return }
    if wasOpen { openCount -= 1 }
    connection.pointee.socket = nil
    http2Close(connection)
    close(socket)
  }

  @inline(__always)
  func owner(_ socket: SocketRef) -> ClientRef? {
    socket.pointee.owner?.assumingMemoryBound(to: ClientConnection.self)
  }

  func errorText(_ code: Int32) -> String { String(cString: strerror(code)).lowercased() }
}
