import TLS
import TLSHarness
import Testing

@Suite struct PEMReaderTests {
  static let one = Certificates.ecdsa
  static let two = Certificates.authority

  @Test func certificates() throws {
    #expect(try PEMReader.certificates(Self.one.pem) == [Self.one.der])
    #expect(try PEMReader.certificates(Array("words\n".utf8) + Self.one.pem + Array("\nmore\n".utf8) + Self.two.pem) == [Self.one.der, Self.two.der])
    #expect(try PEMReader.certificates(Self.one.keyPEM() + Self.one.pem) == [Self.one.der])
  }

  @Test func nothingToFind() {
    #expect(throws: PEMReader.Failure.nothing(begins: "-----BEGIN PRIVATE KEY-----")) { try PEMReader.certificates(Self.one.keyPEM()) }
    #expect(throws: PEMReader.Failure.nothing(begins: "")) { try PEMReader.certificates([]) }
    #expect(throws: PEMReader.Failure.nothing(begins: "0??")) { try PEMReader.certificates([0x30, 0x82, 1]) }
    #expect(throws: PEMReader.Failure.nothing(begins: "-----BEGIN CERTIFICATE-----")) { try PEMReader.privateKey(Self.one.pem, password: nil) }
  }

  @Test func brokenBlocks() {
    var second = Self.two.pem
    second[60] = UInt8(ascii: "!")
    #expect(throws: PEMReader.Failure.broken(number: 2)) { try PEMReader.certificates(Self.one.pem + second) }
    #expect(throws: PEMReader.Failure.broken(number: 1)) { try PEMReader.certificates(Array(Self.one.pem.dropLast(30))) }
  }

  @Test func keys() throws {
    #expect(try PEMReader.privateKey(Self.one.keyPEM(), password: nil) == SecretBytes(Self.one.keyDER))
    #expect(try PEMReader.privateKey(Self.one.pem + Certificates.rsa.keyPEM(), password: nil) == SecretBytes(Certificates.rsa.keyDER))
    let secret = Self.one.keyPEM(password: "sesame")
    #expect(try PEMReader.privateKey(secret, password: SecretBytes("sesame".utf8)) == SecretBytes(Self.one.keyDER))
    #expect(throws: PEMReader.Failure.encrypted) { try PEMReader.privateKey(secret, password: nil) }
    #expect(throws: PEMReader.Failure.wrongPassword) { try PEMReader.privateKey(secret, password: SecretBytes("open".utf8)) }
    #expect(throws: PEMReader.Failure.wrongPassword) {
      try PEMReader.privateKey(secret, password: SecretBytes([UInt8](repeating: 1, count: 5_000)))
    }
    let text = Array("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n".utf8)
    #expect(throws: PEMReader.Failure.unreadableKey) { try PEMReader.privateKey(text, password: nil) }
  }

  @Test func stores() throws {
    let lists = try PEMReader.revocationLists(Self.two.crlPEM(revoking: Self.one))
    let store = try TrustStore(certificates: [Self.two.der, Self.two.der], revocationLists: lists)
    #expect(store.count == 2 && store.hasRevocationLists)
    #expect(throws: PEMReader.Failure.nothing(begins: "-----BEGIN CERTIFICATE-----")) { try PEMReader.revocationLists(Self.one.pem) }
    do throws(TLSSetupError) {
      _ = try TrustStore(certificates: [Self.two.der, [1, 2, 3]])
      Issue.record("read")
    } catch {
      #expect(error.description.hasPrefix("certificate 2 cannot be read ("), "\(error)")
    }
  }
}
