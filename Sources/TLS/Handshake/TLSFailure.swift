import COpenSSL

/// Which statistic a failed handshake belongs to.
public enum TLSFailure: Equatable, Sendable {
  /// Anything but the peer's certificate.
  case connectionError
  /// The peer sent no certificate although one is required.
  case noCertificate
  /// The chain was refused.
  case untrusted
  /// No subject alternative name that is wanted.
  case names
  /// Neither of the pinned certificates or keys.
  case pins
}

/// Kinds of ``copenssl_verdict``.
enum VerdictKind {
  static let accepted: Int32 = 0
  static let untrusted: Int32 = 1
  static let names: Int32 = 2
  static let pins: Int32 = 3
}

extension Handshake {
  /// Valid after ``Step/failed``.
  public var failure: TLSFailure {
    var error = copenssl_error()
    var index: Int32 = 0
    while copenssl_handshake_error(pointer, index, &error) == 1 {
      if error.library == OpenSSLReason.sslLibrary {
        if error.reason == OpenSSLReason.peerDidNotReturnACertificate { return .noCertificate }
        if error.reason == OpenSSLReason.certificateVerifyFailed {
          switch copenssl_handshake_verdict(pointer).pointee.kind {
          case VerdictKind.names: return .names
          case VerdictKind.pins: return .pins
          default: return .untrusted
          }
        }
      }
      index += 1
    }
    return .connectionError
  }
}
