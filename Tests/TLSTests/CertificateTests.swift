import Primitives
import TLSHarness
import Testing

@testable import TLS

@Suite struct CertificateTests {
  static let many: TestIdentity = {
    var spec = TestIdentity.Spec(
      "client one", names: "DNS:Client.example,DNS:*.w.example,URI:spiffe://td/ns/a/sa/client,IP:192.0.2.1,IP:2001:db8::1,"
        + "email:a@b.example,otherName:1.2.3.4;UTF8:other one")
    spec.organization = "Test, Inc"
    spec.serial = 0x00ab_cdef
    spec.mustStaple = true
    return TestIdentity(spec, issuer: Certificates.authority)
  }()

  @Test func facts() throws {
    let facts = try CertificateFacts(Self.many.der)
    #expect(facts.subject == #"CN=client one,O=Test\, Inc"#)
    #expect(facts.issuer == "CN=Test Authority")
    #expect(facts.commonName == "client one")
    #expect(facts.serial == "abcdef")
    #expect(facts.notBefore == TestIdentity.now - 86_400)
    #expect(facts.notAfter == TestIdentity.now + 90 * 86_400)
    #expect(facts.key == .ecdsa(.p256, bits: 256))
    #expect(facts.mustStaple && !facts.isAuthority)
    #expect(facts.digest.count == 32 && facts.keyDigest.count == 32 && facts.digest != facts.keyDigest)
    #expect(
      facts.names.map(\.text) == [
        "Client.example", "*.w.example", "spiffe://td/ns/a/sa/client", "192.0.2.1", "2001:db8::1", "a@b.example", "other one",
      ])
    #expect(facts.names.map(\.kind) == [.dns, .dns, .uri, .ip, .ip, .email, .other])
    #expect(facts.names.last?.oid == "1.2.3.4")
    #expect(facts.serverNames == ["client.example", "*.w.example"])
    #expect(try CertificateFacts(Certificates.authority.der).isAuthority)
    #expect(try CertificateFacts(Certificates.authority.der).serverNames == ["test authority"])
    #expect(try CertificateFacts(Certificates.rsa.der).key == .rsa(bits: 2_048))
    #expect(try CertificateFacts(TestIdentity(.init("k", key: .secp256k1)).der).key == .ecdsa(nil, bits: 256))
    #expect(try CertificateFacts(TestIdentity(.init("k", key: .p384)).der).key == .ecdsa(.p384, bits: 384))
    #expect(try CertificateFacts(TestIdentity(.init("k", key: .rsa1024)).der).key == .rsa(bits: 1_024))
  }

  /// Times of all kinds, against what the calendar says.
  @Test(arguments: [Int64(0), 951_782_400, 951_868_800, 1_709_164_800, 2_524_607_999, 2_524_608_000, 253_402_300_799, -1])
  func times(_ time: Int64) throws {
    var spec = TestIdentity.Spec("t")
    spec.notBefore = time
    spec.notAfter = time
    let facts = try CertificateFacts(TestIdentity(spec).der)
    #expect(facts.notBefore == time && facts.notAfter == time)
  }

  @Test func hostileDER() throws {
    let der = Self.many.der
    for end in 0..<der.count { #expect(throws: TLSSetupError.self) { try CertificateFacts(Array(der[..<end])) } }
    #expect(throws: TLSSetupError.self) { try CertificateFacts(der + [0]) }
    for at in der.indices {
      var changed = der
      changed[at] ^= 0x81
      if let facts = try? CertificateFacts(changed) { #expect(facts.serial.utf8.allSatisfy { $0 != 10 }) }
    }
  }

  @Test func keysAndIssuers() throws {
    #expect(try CertificateFacts.keyBelongs(SecretBytes(Self.many.keyDER), to: Self.many.der))
    #expect(try !CertificateFacts.keyBelongs(SecretBytes(Certificates.rsa.keyDER), to: Self.many.der))
    #expect(try !CertificateFacts.keyBelongs(SecretBytes([1, 2]), to: Self.many.der))
    #expect(try CertificateFacts.isIssued(Self.many.der, by: Certificates.authority.der))
    #expect(try !CertificateFacts.isIssued(Self.many.der, by: Certificates.rsa.der))
  }

  @Test func details() throws {
    let details = try #require(PeerDetails(der: Self.many.der, captures: [.pem, .chain]))
    defer { details.free() }
    let facts = try CertificateFacts(Self.many.der)
    #expect(details.subject.string == facts.subject)
    #expect(details.issuer.string == facts.issuer)
    #expect(details.serial.string == "abcdef")
    #expect(details.sha256.array == Hex.lower(InlineDigest(facts.digest)).prefix(64).map { $0 })
    #expect(details.sha1.count == 40)
    #expect(details.uriNames.map(\.string) == ["spiffe://td/ns/a/sa/client"])
    #expect(details.dnsNames.map(\.string) == ["Client.example", "*.w.example"])
    #expect(details.ipNames.map(\.string) == ["192.0.2.1", "2001:db8::1"])
    #expect(details.emailNames.map(\.string) == ["a@b.example"])
    #expect(details.otherNames.map(\.string) == ["other one"])
    #expect(details.pem.array == Self.many.pem)
    #expect(details.chainPEM == details.pem)
    #expect(details.chainSerials.map(\.string) == ["abcdef"])
    #expect(details.chainSHA256.map(\.string) == [details.sha256.string])
    let short = try #require(PeerDetails(der: Certificates.authority.der))
    defer { short.free() }
    #expect(short.pem.isEmpty && short.chainSerials.isEmpty && short.dnsNames.isEmpty)
    #expect(short.byteCount < 300)
  }

  /// 32 bytes as a value.
  struct InlineDigest: BitwiseCopyable {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    init(_ bytes: [UInt8]) { withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) } }
  }

  @Test func responses() throws {
    let der = Certificates.ecdsa.ocsp(by: Certificates.authority, nextUpdate: TestIdentity.now + 3_600)
    let response = try OCSPResponse(der, for: Certificates.ecdsa.der)
    #expect(response.status == .good)
    #expect(response.thisUpdate == TestIdentity.now)
    #expect(response.nextUpdate == TestIdentity.now + 3_600)
    #expect(try OCSPResponse(Certificates.ecdsa.ocsp(by: Certificates.authority), for: Certificates.ecdsa.der).nextUpdate == nil)
    #expect(throws: OCSPResponse.Failure.otherCertificate(serial: "0a1b")) { try OCSPResponse(der, for: Self.many.der) }
    for end in 0..<der.count { #expect(throws: OCSPResponse.Failure.self) { try OCSPResponse(Array(der[..<end]), for: Certificates.ecdsa.der) } }
    #expect(throws: OCSPResponse.Failure.unreadable) { try OCSPResponse(der + [0], for: Certificates.ecdsa.der) }
    #expect(throws: OCSPResponse.Failure.unsuccessful) { try OCSPResponse([0x30, 3, 0x0a, 1, 1], for: Certificates.ecdsa.der) }
    for at in der.indices {
      var changed = der
      changed[at] ^= 0x81
      _ = try? OCSPResponse(changed, for: Certificates.ecdsa.der)
    }
  }
}

@Suite struct SelfSignedIdentityTests {
  @Test func isACertificateWithItsKey() throws {
    let identity = try TLSIdentity.selfSigned(
      commonName: "origin", names: "DNS:localhost,IP:127.0.0.1,IP:::1", validFrom: 1_000_000_000,
      validUntil: 2_000_000_000)
    let facts = try CertificateFacts(identity.chain[0])
    #expect(facts.subject == "CN=origin" && facts.issuer == facts.subject)
    #expect(facts.notBefore == 1_000_000_000 && facts.notAfter == 2_000_000_000)
    #expect(facts.names.map(\.text) == ["localhost", "127.0.0.1", "::1"])
    #expect(facts.key == .ecdsa(.p256, bits: 256))
    #expect(try CertificateFacts.keyBelongs(identity.key, to: identity.chain[0]))
    let other = try TLSIdentity.selfSigned(
      commonName: "origin", names: "DNS:localhost", validFrom: 1_000_000_000, validUntil: 2_000_000_000)
    #expect(try !CertificateFacts.keyBelongs(other.key, to: identity.chain[0]))
    #expect(try CertificateFacts(other.chain[0]).serial != facts.serial)
  }

  @Test func namesThatMakeNoSenseAreRefused() {
    #expect(throws: TLSSetupError.self) {
      try TLSIdentity.selfSigned(commonName: "x", names: "nonsense", validFrom: 0, validUntil: 1)
    }
  }
}
