import LoadBase
import LoadReport
import Primitives
import Reactor
import TLS

extension ClientWorker {
  /// TCP is connected. Connecting goes on: its time limit is the handshake's too.
  func startHandshake(_ connection: ClientRef, _ socket: SocketRef, _ tls: ClientTLS) {
    guard let handshake = tls.begin() else {
      connectingCount -= 1
      connectFailed(connection, .tlsFailed, "memory is short")
      return
    }
    connection.pointee.handshakeStart = kernel.monotonicNow()
    startTLS(socket, handshake, tls.library, isClient: true, keepsTicket: tls.keepsTickets)
  }

  func handshakeDone(_ socket: SocketRef, _ agreement: TLSAgreement) {
    guard let connection = owner(socket) else { return }
    let isHTTP2 = agreement.alpn == "h2"
    if version == .http2, !isHTTP2 {
      connectingCount -= 1
      connectFailed(connection, .tlsFailed, "the server does not agree on HTTP/2 (ALPN)")
      return
    }
    // A connection that stays is a part of the run even when it was made before the first request.
    if isMeasuring || !plan.newConnectionPerRequest {
      record.tally.tls.handshakes &+= 1
      if agreement.isResumed { record.tally.tls.resumed &+= 1 }
      record.tally.tls.agreed[agreementName(agreement), default: 0] &+= 1
      // The clock is read again: many handshakes may be done in one turn.
      record.handshakeTime.record(nanoseconds: kernel.monotonicNow() &- connection.pointee.handshakeStart)
    }
    connectionOpened(connection, socket, isHTTP2: isHTTP2)
  }

  private func agreementName(_ agreement: TLSAgreement) -> String {
    "\(TLSNames.version(agreement.version).string) \(CipherNames.name(agreement.cipher).string)"
  }

  func handshakeOrRecordFailed(_ socket: SocketRef, _ reason: String) {
    guard let connection = owner(socket) else { return }
    if socket.pointee.isHandshaking {
      connectingCount -= 1
      connectFailed(connection, .tlsFailed, reason)
      return
    }
    if connection.pointee.pendingCount > 0 {
      failPending(connection, .tlsFailed, note: reason)
    } else {
      count(.tlsFailed, note: reason)
    }
    replace(connection)
  }
}
