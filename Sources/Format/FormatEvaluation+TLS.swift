import HTTPCore
import Primitives

/// Facts of the downstream TLS connection.
enum TLSFactSelector {
  static func text(_ kind: FormatOperation.Kind, _ facts: UnsafePointer<TLSFacts>) -> ByteView {
    switch kind {
    case .tlsVersion: facts.pointee.version
    case .tlsCipher: facts.pointee.cipher
    case .tlsSessionID: facts.pointee.sessionID
    case .tlsPeerSubject: facts.pointee.subject
    case .tlsPeerIssuer: facts.pointee.issuer
    case .tlsPeerSerial: facts.pointee.serial
    case .tlsPeerFingerprint256: facts.pointee.fingerprint256
    case .tlsPeerFingerprint1: facts.pointee.fingerprint1
    case .tlsPeerURINames: facts.pointee.uriNames
    case .tlsPeerDNSNames: facts.pointee.dnsNames
    case .tlsPeerIPNames: facts.pointee.ipNames
    case .tlsPeerEmailNames: facts.pointee.emailNames
    case .tlsPeerOtherNames: facts.pointee.otherNames
    default: .empty
    }
  }
}
