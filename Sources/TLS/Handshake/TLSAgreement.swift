import COpenSSL
import Primitives

/// What a finished handshake agreed on. Numbers are those of the IANA registries; ``TLSNames`` has the words.
public struct TLSAgreement: BitwiseCopyable {
  /// 0x0303 or 0x0304.
  public let version: UInt16
  public let cipher: UInt16
  /// Of the key exchange; 0 when there was none.
  public let group: UInt16
  /// What the peer signed the handshake with; 0 when it did not.
  public let signature: UInt16
  public let isResumed: Bool
  public let hasPeerCertificate: Bool
  /// The protocol (ALPN), in the handshake's memory: copy it before ``Handshake/free()``.
  public let alpn: ByteView
  /// TLS 1.2 only; the same memory.
  public let sessionID: ByteView
  /// Whether the client asked for an OCSP response, and got one.
  public let isStapleRequested: Bool
  public let isStapleSent: Bool
}

extension Handshake {
  /// Sends no OCSP response although the context has one, before the first step: ``CertificateTable/Choice/sendsStaple``.
  public func omitStaple() { copenssl_handshake_omit_staple(pointer) }

  /// Valid after ``Step/done``.
  public var agreement: TLSAgreement {
    var raw = copenssl_agreed()
    copenssl_handshake_agreed(pointer, &raw)
    return TLSAgreement(
      version: raw.version, cipher: raw.cipher, group: raw.group, signature: raw.signature,
      isResumed: raw.is_resumed != 0, hasPeerCertificate: raw.has_peer_certificate != 0,
      alpn: raw.protocol.map { ByteView($0, raw.protocol_count) } ?? .empty,
      sessionID: raw.session_id.map { ByteView($0, raw.session_id_count) } ?? .empty,
      isStapleRequested: raw.staple_requested != 0, isStapleSent: raw.staple_sent != 0)
  }
}
