import HTTPCore
import Primitives
import Reactor
import TLS

/// What logs will say of a connection, kept when its handshake is over.
extension Worker {
  func tlsNote(_ tls: TLSRef, _ agreement: TLSAgreement) {
    tls.pointee.facts.version = TLSNames.version(agreement.version)
    tls.pointee.facts.cipher = CipherNames.name(agreement.cipher)
    let name = agreement.alpn
    let session = agreement.sessionID
    if name.isEmpty, session.isEmpty { return }
    // A name and a protocol have at most 255 bytes each, and fit; a session's name comes behind them when it does too.
    let text = tlsText(tls) + Int(tls.pointee.nameCount)
    text.update(from: name.base, count: name.count)
    tls.pointee.protocolCount = UInt8(name.count)
    guard Int(tls.pointee.nameCount) + name.count + session.count * 2 <= TLSText.capacity else { return }
    let hex = text + name.count
    for i in 0..<session.count {
      hex[2 * i] = Self.hexDigit(session[i] >> 4)
      hex[2 * i + 1] = Self.hexDigit(session[i] & 15)
    }
    tls.pointee.facts.sessionID = ByteView(hex, session.count * 2)
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  func tlsNotePeer(_ tls: TLSRef, _ peer: PeerDetails) {
    tls.pointee.facts.subject = peer.subject
    tls.pointee.facts.issuer = peer.issuer
    tls.pointee.facts.serial = peer.serial
    tls.pointee.facts.fingerprint256 = peer.sha256
    tls.pointee.facts.fingerprint1 = peer.sha1
    let lists = [peer.uriNames, peer.dnsNames, peer.ipNames, peer.emailNames, peer.otherNames]
    let size = lists.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count + 1 } }
    guard size > 0 else { return }
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    tls.pointee.peerText = memory
    var at = 0
    func join(_ list: TextList) -> ByteView {
      let start = at
      for text in list {
        if at > start {
          memory[at] = UInt8(ascii: ",")
          at += 1
        }
        (memory + at).update(from: text.base, count: text.count)
        at += text.count
      }
      return ByteView(memory + start, at - start)
    }
    tls.pointee.facts.uriNames = join(peer.uriNames)
    tls.pointee.facts.dnsNames = join(peer.dnsNames)
    tls.pointee.facts.ipNames = join(peer.ipNames)
    tls.pointee.facts.emailNames = join(peer.emailNames)
    tls.pointee.facts.otherNames = join(peer.otherNames)
  }
}
