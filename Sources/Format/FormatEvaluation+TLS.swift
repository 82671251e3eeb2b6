import HTTPCore
import Primitives

/// Facts of a TLS connection that operators show as text.
enum TLSFact: UInt8 {
  case version, cipher, sessionID
  case peerSubject, peerIssuer, peerSerial, peerFingerprint256, peerFingerprint1
  case peerURINames, peerDNSNames, peerIPNames, peerEmailNames, peerOtherNames
  case peerCertificate, peerChainSerials, peerChainFingerprints256, peerChainFingerprints1
  case localSubject, localURINames, localDNSNames, localIPNames, localEmailNames, localOtherNames

  /// Empty when there is none.
  func text(_ facts: UnsafePointer<TLSFacts>) -> ByteView {
    switch self {
    case .version: facts.pointee.version
    case .cipher: facts.pointee.cipher
    case .sessionID: facts.pointee.sessionID
    case .peerSubject: facts.pointee.subject
    case .peerIssuer: facts.pointee.issuer
    case .peerSerial: facts.pointee.serial
    case .peerFingerprint256: facts.pointee.fingerprint256
    case .peerFingerprint1: facts.pointee.fingerprint1
    case .peerURINames: facts.pointee.uriNames
    case .peerDNSNames: facts.pointee.dnsNames
    case .peerIPNames: facts.pointee.ipNames
    case .peerEmailNames: facts.pointee.emailNames
    case .peerOtherNames: facts.pointee.otherNames
    case .peerCertificate: facts.pointee.details?.pointee.pem ?? .empty
    case .peerChainSerials: facts.pointee.details?.pointee.chainSerials ?? .empty
    case .peerChainFingerprints256: facts.pointee.details?.pointee.chainFingerprints256 ?? .empty
    case .peerChainFingerprints1: facts.pointee.details?.pointee.chainFingerprints1 ?? .empty
    case .localSubject: facts.pointee.details?.pointee.localSubject ?? .empty
    case .localURINames: facts.pointee.details?.pointee.localURINames ?? .empty
    case .localDNSNames: facts.pointee.details?.pointee.localDNSNames ?? .empty
    case .localIPNames: facts.pointee.details?.pointee.localIPNames ?? .empty
    case .localEmailNames: facts.pointee.details?.pointee.localEmailNames ?? .empty
    case .localOtherNames: facts.pointee.details?.pointee.localOtherNames ?? .empty
    }
  }

  /// What must have been kept for it.
  var needs: TLSDetailNeeds {
    switch self {
    case .peerCertificate: .pem
    case .peerChainSerials, .peerChainFingerprints256, .peerChainFingerprints1: .chain
    case .localSubject, .localURINames, .localDNSNames, .localIPNames, .localEmailNames, .localOtherNames: .local
    default: []
    }
  }
}

extension FormatProgram {
  /// What its operators ask of TLS connections; nil for a side that none asks about.
  public var tlsNeeds: (downstream: TLSDetailNeeds?, upstream: TLSDetailNeeds?) {
    var needs: (downstream: TLSDetailNeeds?, upstream: TLSDetailNeeds?)
    for i in 0..<operationCount {
      let own: TLSDetailNeeds
      switch operations[i].kind {
      case .tlsText: own = operations[i].fact.needs
      case .tlsValidFrom, .tlsValidUntil: own = .validity
      default: continue
      }
      if operations[i].isUpstream {
        needs.upstream = (needs.upstream ?? []).union(own)
      } else {
        needs.downstream = (needs.downstream ?? []).union(own)
      }
    }
    return needs
  }
}
