import HTTPCore
import Primitives
import Reactor
import TLS

/// What a TLS connection gives back.
extension Worker {
  func tlsFreeHandshake(_ tls: TLSRef) {
    tls.pointee.handshake?.free()
    tls.pointee.handshake = nil
    tls.pointee.context?.release()
    tls.pointee.context = nil
  }

  /// The connection's slot is freed.
  func freeTLS(_ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls else { return }
    connection.pointee.tls = nil
    segments.releaseAll(&tls.pointee.received)
    segments.releaseAll(&tls.pointee.sending)
    if tls.pointee.stage == .handshake { tlsHandshakeEnded(tls) }
    tlsFreeHandshake(tls)
    tls.pointee.records?.free()
    tls.pointee.peer?.pointee.free()
    tls.pointee.peer?.deallocate()
    tls.pointee.peerText?.deallocate()
    if let details = tls.pointee.facts.details { UnsafeMutablePointer(mutating: details).deallocate() }
    tls.pointee.detailText?.deallocate()
    if let text = tls.pointee.text {
      tlsTexts.give(UnsafeMutableRawPointer(text).assumingMemoryBound(to: TLSText.self))
    }
    tls.pointee.failure?.deallocate()
    tls.deinitialize(count: 1)
    tlsConnections.give(tls)
  }
}
