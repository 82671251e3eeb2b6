import Stats
import TLS

/// Statistics of TLS (`listener.<address>.ssl.`, `cluster.<name>.ssl.`), under Envoy's names.
public struct TLSStats: Sendable {
  public let connectionError, handshake, sessionReused, noCertificate, failVerifyNoCert, failVerifyError, failVerifySAN,
    failVerifyCertHash, ocspStapleOmitted, ocspStapleFailed, ocspStapleResponses, ocspStapleRequests: Counter
  /// From the ClientHello to the end, in microseconds.
  public let handshakeTime: Histogram
  /// What was agreed on, counted by name: `ciphers.`, `curves.`, `sigalgs.`, `versions.`
  private let agreed: NamedFamily

  private static let curvesAt = 64
  private static let signaturesAt = 96
  private static let versionsAt = 128
  private static let agreedNames: FamilyNames = {
    var names: [Int: String] = [:]
    for (i, suite) in CipherNames.all.enumerated() { names[i] = "ciphers.\(suite.name)" }
    for (i, group) in TLSNames.groups.enumerated() { names[curvesAt + i] = "curves.\(group.name)" }
    for (i, signature) in TLSNames.signatures.enumerated() {
      names[signaturesAt + i] = "sigalgs.\(signature.name)"
    }
    for (i, version) in TLSNames.versions.enumerated() {
      names[versionsAt + i] = "versions.\(version.name)"
    }
    return FamilyNames(names)
  }()

  public init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter("ssl." + name) }
    connectionError = counter("connection_error")
    handshake = counter("handshake")
    sessionReused = counter("session_reused")
    noCertificate = counter("no_certificate")
    failVerifyNoCert = counter("fail_verify_no_cert")
    failVerifyError = counter("fail_verify_error")
    failVerifySAN = counter("fail_verify_san")
    failVerifyCertHash = counter("fail_verify_cert_hash")
    ocspStapleOmitted = counter("ocsp_staple_omitted")
    ocspStapleFailed = counter("ocsp_staple_failed")
    ocspStapleResponses = counter("ocsp_staple_responses")
    ocspStapleRequests = counter("ocsp_staple_requests")
    handshakeTime = scope.histogram("ssl.handshake_time")
    agreed = scope.namedFamily("ssl", Self.agreedNames)
  }

  public func counter(of failure: TLSFailure) -> Counter {
    switch failure {
    case .connectionError: connectionError
    case .noCertificate: failVerifyNoCert
    case .untrusted: failVerifyError
    case .names: failVerifySAN
    case .pins: failVerifyCertHash
    }
  }

  /// Counts a finished handshake and what came of it.
  func count(_ agreement: TLSAgreement, _ slab: StatsSlab) {
    slab.increment(handshake)
    if agreement.isResumed { slab.increment(sessionReused) }
    if !agreement.hasPeerCertificate { slab.increment(noCertificate) }
    if agreement.isStapleRequested {
      slab.increment(ocspStapleRequests)
      slab.increment(agreement.isStapleSent ? ocspStapleResponses : ocspStapleOmitted)
    }
    if let index = CipherNames.index(of: agreement.cipher) { slab.increment(agreed, index: index) }
    count(agreement.group, TLSNames.groups, at: Self.curvesAt, slab)
    count(agreement.signature, TLSNames.signatures, at: Self.signaturesAt, slab)
    count(agreement.version, TLSNames.versions, at: Self.versionsAt, slab)
  }

  private func count(
    _ number: UInt16, _ names: [(number: UInt16, name: StaticString)], at first: Int,
    _ slab: StatsSlab
  ) {
    guard let index = names.firstIndex(where: { $0.number == number }) else { return }
    slab.increment(agreed, index: first + index)
  }
}
