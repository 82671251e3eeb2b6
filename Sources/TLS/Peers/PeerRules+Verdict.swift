import COpenSSL
import Primitives

extension PeerRules {
  /// What is wrong with a peer.
  struct Refusal {
    let kind: Int32
    /// The X509_V_ERR_* that words the alert.
    let error: Int32
    let why: String
  }

  /// An error that the library has no alert of its own for: it sends certificate_unknown, as Envoy does.
  private static let certificateUnknown: Int32 = 42

  /// Chain, expected name, matchers, digests: in Envoy's order. nil accepts.
  func refusal(leaf: CertificateView, chainError: Int32, depth: Int32, expectedName: ByteView) -> Refusal? {
    if chainError > 0 {
      let words = String(cString: copenssl_verify_words(chainError))
      return Refusal(
        kind: VerdictKind.untrusted, error: chainError,
        why: "X509_verify_cert: certificate verification error at depth \(depth): \(words)")
    }
    if !expectedName.isEmpty, !hasName(leaf, expectedName) {
      return Refusal(kind: VerdictKind.names, error: Self.certificateUnknown, why: "verify SAN list")
    }
    if !matchers.isEmpty, !hasMatchingName(leaf) {
      return Refusal(
        kind: VerdictKind.names, error: Self.certificateUnknown,
        why: "SAN matcher, certificate SANs are [\(Self.names(leaf))]")
    }
    if !certificateDigests.isEmpty || !keyDigests.isEmpty, !isPinned(leaf) {
      return Refusal(kind: VerdictKind.pins, error: Self.certificateUnknown, why: "cert hash and spki")
    }
    return nil
  }

  private func hasName(_ leaf: CertificateView, _ expected: ByteView) -> Bool {
    var found = false
    leaf.eachName { kind, name, _ in
      if kind == .dns ? DNSName.matches(expected, pattern: name) : name == expected { found = true }
    }
    return found
  }

  private func hasMatchingName(_ leaf: CertificateView) -> Bool {
    var found = false
    leaf.eachName { kind, name, oid in
      if !found { found = matchers.contains { $0.matches(kind: kind, name: name, oid: oid) } }
    }
    return found
  }

  private func isPinned(_ leaf: CertificateView) -> Bool {
    var facts = copenssl_facts()
    guard copenssl_certificate_facts(leaf.pointer, &facts) == 1 else { return false }
    return withUnsafeBytes(of: facts.sha256) { digest in certificateDigests.contains { $0.elementsEqual(digest) } }
      || withUnsafeBytes(of: facts.key_sha256) { digest in keyDigests.contains { $0.elementsEqual(digest) } }
  }

  /// Names for a text: what a stranger wrote into a certificate must not write lines into a log.
  private static func names(_ leaf: CertificateView) -> String {
    var names: [String] = []
    leaf.eachName { _, name, _ in
      let printable = name.buffer.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }
      names.append(String(decoding: printable, as: UTF8.self))
    }
    return names.joined(separator: ", ")
  }

  /// The library's question.
  static let verify: copenssl_verify = { rules, handshake, leaf, chainError, depth, verdict in
    guard let rules = TLSContextCallbacks.of(rules)?.rules, let handshake, let leaf, let verdict else { return }
    var expectedCount = 0
    let expected = copenssl_handshake_expected_name(handshake, &expectedCount)
    let refusal = rules.refusal(
      leaf: CertificateView(pointer: leaf), chainError: chainError, depth: depth,
      expectedName: expected.map { ByteView($0, expectedCount) } ?? .empty)
    guard let refusal else { return }
    if rules.acceptsUntrusted {
      verdict.pointee.tolerated = 1
      return
    }
    verdict.pointee.kind = refusal.kind
    verdict.pointee.error = refusal.error
    withUnsafeMutableBytes(of: &verdict.pointee.why) { room in
      // The last byte stays 0.
      room.copyBytes(from: refusal.why.utf8.prefix(room.count - 1))
    }
  }
}

extension PeerRules {
  /// Whether a certificate that they accept is proven by something.
  var provesPeers: Bool {
    store != nil || !matchers.isEmpty || !certificateDigests.isEmpty || !keyDigests.isEmpty
  }

  /// Whether the peer's certificate was found good, not only tolerated; after ``Handshake/Step/done``.
  public func hasValidated(_ handshake: Handshake, _ agreement: TLSAgreement) -> Bool {
    guard agreement.hasPeerCertificate, provesPeers else { return false }
    // A ticket does not tell what was tolerated when it was given.
    if acceptsUntrusted, agreement.isResumed { return false }
    return copenssl_handshake_verdict(handshake.pointer).pointee.tolerated == 0
  }
}
