import Primitives
import TLSHarness
import Testing

@testable import TLS

/// Which peers are accepted, and what is said of the others, on both sides and in both versions.
@Suite struct PeerRulesTests {
  static let authority = Certificates.authority
  static let other = TestIdentity(.init("Other Authority", isAuthority: true))
  static let client = TestIdentity(
    .init("client", names: "DNS:*.w.example,URI:spiffe://td/client,DNS:x\u{1b}y"), issuer: authority)
  static let expired: TestIdentity = {
    var spec = TestIdentity.Spec("expired", names: "DNS:a.example")
    spec.notAfter = TestIdentity.now - 60
    return TestIdentity(spec, issuer: authority)
  }()
  static let store = try! TrustStore(certificates: [authority.der])
  static let otherStore = try! TrustStore(certificates: [other.der])
  static let revoking = try! TrustStore(
    certificates: [authority.der], revocationLists: PEMReader.revocationLists(authority.crlPEM(revoking: client)))
  static let notRevoking = try! TrustStore(
    certificates: [authority.der], revocationLists: PEMReader.revocationLists(authority.crlPEM()))

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let rules: PeerRules
    var identity: TestIdentity? = client
    var expectedName = ""
    var failure: TLSFailure?
    var text = ""
    /// What the peer is told.
    var alert: UInt8 = 0
  }

  static func digest(_ identity: TestIdentity) -> [UInt8] { try! CertificateFacts(identity.der).digest }
  static func keyDigest(_ identity: TestIdentity) -> [UInt8] { try! CertificateFacts(identity.der).keyDigest }
  static let zeros = [UInt8](repeating: 0, count: 32)

  static let rows: [Row] = [
    Row(testDescription: "trusted", rules: PeerRules(store: store)),
    Row(
      testDescription: "another authority", rules: PeerRules(store: otherStore), failure: .untrusted,
      text: "X509_verify_cert: certificate verification error at depth 0: unable to get local issuer certificate", alert: 48),
    Row(testDescription: "accepted all the same", rules: PeerRules(store: otherStore, acceptsUntrusted: true)),
    Row(
      testDescription: "expired", rules: PeerRules(store: store), identity: expired, failure: .untrusted,
      text: "X509_verify_cert: certificate verification error at depth 0: certificate has expired", alert: 45),
    Row(testDescription: "expired and allowed", rules: PeerRules(store: store, allowsExpired: true), identity: expired),
    Row(
      testDescription: "revoked", rules: PeerRules(store: revoking), failure: .untrusted,
      text: "X509_verify_cert: certificate verification error at depth 0: certificate revoked", alert: 44),
    Row(testDescription: "not revoked", rules: PeerRules(store: notRevoking)),
    Row(testDescription: "a name", rules: PeerRules(store: store, matchers: [ExactSubjectName(.uri, "spiffe://td/client")])),
    Row(
      testDescription: "any of the names",
      rules: PeerRules(store: store, matchers: [ExactSubjectName(.uri, "x"), ExactSubjectName(.dns, "A.W.example")])),
    Row(
      testDescription: "another kind of name", rules: PeerRules(store: store, matchers: [ExactSubjectName(.dns, "spiffe://td/client")]),
      failure: .names, text: "SAN matcher, certificate SANs are [*.w.example, spiffe://td/client, x?y]", alert: 46),
    Row(
      testDescription: "names without a store", rules: PeerRules(store: nil, matchers: [ExactSubjectName(.uri, "spiffe://td/client")])),
    Row(testDescription: "expected name", rules: PeerRules(store: store), expectedName: "a.w.example"),
    Row(testDescription: "expected URI", rules: PeerRules(store: store), expectedName: "spiffe://td/client"),
    Row(
      testDescription: "another expected name", rules: PeerRules(store: store), expectedName: "a.b.w.example", failure: .names,
      text: "verify SAN list", alert: 46),
    Row(testDescription: "pinned certificate", rules: PeerRules(store: nil, certificateDigests: [zeros, digest(client)])),
    Row(testDescription: "pinned key", rules: PeerRules(store: nil, certificateDigests: [zeros], keyDigests: [keyDigest(client)])),
    Row(
      testDescription: "pinned others", rules: PeerRules(store: store, certificateDigests: [zeros], keyDigests: [zeros]),
      failure: .pins, text: "cert hash and spki", alert: 46),
  ]

  struct Case: Sendable, CustomTestStringConvertible {
    let row: Row
    let isServer: Bool
    let version: UInt16
    var testDescription: String { "\(row.testDescription), \(isServer ? "server" : "client") checks, \(TLSNames.version(version).string)" }
  }

  static let cases = rows.flatMap { row in
    [true, false].flatMap { isServer in [0x0303, 0x0304].map { Case(row: row, isServer: isServer, version: $0) } }
  }

  @Test(arguments: cases)
  func judges(_ c: Case) throws {
    let connection = try Connection(
      server: {
        $0.versionMax = c.version
        if c.isServer { $0.rules = c.row.rules } else { $0.identity = c.row.identity?.identity() }
      },
      client: {
        if c.isServer { $0.identity = c.row.identity?.identity() } else { $0.rules = c.row.rules }
      })
    let checking = c.isServer ? connection.server : connection.client
    let checked = c.isServer ? connection.client : connection.server
    if !c.row.expectedName.isEmpty {
      let set = Array(c.row.expectedName.utf8).withView { checking.handshake.setExpectedName($0) }
      #expect(set)
    }
    TLSPeer.exchange(connection.client, connection.server)
    guard let failure = c.row.failure else {
      #expect(checking.isEstablished && !checking.hasFailed, "\(checking.handshake.failureText())")
      #expect(!checked.hasFailed)
      return
    }
    #expect(checking.hasFailed && !checking.isEstablished)
    #expect(checking.handshake.failure == failure)
    #expect(
      checking.handshake.failureText()
        == "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: \(c.row.text):TLS_error_end")
    #expect(checked.hasFailed)
    #expect(checked.handshake.failureText() == TLSFailureText.received(TLSAlert(rawValue: c.row.alert)))
  }

  @Test(arguments: [UInt16(0x0303), 0x0304])
  func aCertificateThatIsRequired(_ version: UInt16) throws {
    for requires in [false, true] {
      let connection = try Connection(server: {
        $0.versionMax = version
        $0.rules = PeerRules(store: Self.store, requiresCertificate: requires)
      })
      TLSPeer.exchange(connection.client, connection.server)
      #expect(connection.server.hasFailed == requires)
      guard requires else {
        #expect(connection.server.handshake.peerDetails([]) == nil)
        continue
      }
      #expect(connection.server.handshake.failure == .noCertificate)
      #expect(connection.server.handshake.failureText().contains("268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE"))
    }
  }

  @Test func detailsOfBothSides() throws {
    let connection = try Connection(
      server: { $0.rules = PeerRules(store: Self.store) },
      client: { $0.identity = Self.client.identity(intermediates: [Self.authority]) })
    TLSPeer.exchange(connection.client, connection.server)
    let client = try #require(connection.server.handshake.peerDetails([.chain]))
    let server = try #require(connection.client.handshake.peerDetails([.chain]))
    defer {
      client.free()
      server.free()
    }
    #expect(client.subject.string == "CN=client")
    #expect(Array(client.chainSerials).count == 2)
    #expect(client.chainPEM.array == Self.client.pem + Self.authority.pem)
    #expect(server.subject.string == "CN=server.example")
    #expect(Array(server.chainSerials).count == 1)
  }

  /// A ticket remembers its peer, which must still be one that is accepted.
  @Test(arguments: [UInt16(0x0303), 0x0304])
  func resumedPeersAreLookedAtAgain(_ version: UInt16) throws {
    let library = try TLSLibrary()
    var options = TLSContextOptions(isServer: false)
    options.identity = Self.client.identity()
    let client = try TLSContext(library, options)
    let ring = try TicketKeyring()
    try ring.turn(now: 0)
    func connect(_ rules: PeerRules, _ ticket: ClientTicket?) throws -> (isResumed: Bool, ticket: ClientTicket?) {
      try ResumptionTests.connect(library, client, keyring: ring, version: version, ticket: ticket) { $0.rules = rules }
    }
    let first = try connect(PeerRules(store: Self.store), nil)
    let second = try connect(PeerRules(store: Self.store, matchers: [ExactSubjectName(.uri, "spiffe://td/client")]), first.ticket)
    #expect(second.isResumed)
    // The pin does not fit what the ticket remembers, so there is a whole handshake, which finds the same and fails.
    var server = TLSContextOptions(isServer: true)
    server.identity = Certificates.ecdsa.identity()
    server.keyring = ring
    server.versionMax = version
    server.rules = PeerRules(store: Self.store, certificateDigests: [Self.zeros])
    let refusing = try TLSPeer(TLSContext(library, server))
    let peer = try TLSPeer(client)
    let ticket = try #require(second.ticket)
    let offered = peer.handshake.resume(ticket)
    #expect(offered)
    TLSPeer.exchange(peer, refusing)
    #expect(refusing.hasFailed)
    #expect(refusing.handshake.failure == .pins)
  }

  @Test func namesOfHosts() {
    func matches(_ name: String, _ pattern: String) -> Bool {
      withViews(Array(name.utf8), Array(pattern.utf8)) { DNSName.matches($0, pattern: $1) }
    }
    #expect(matches("a.example", "A.Example"))
    #expect(matches("a.w.example", "*.w.example"))
    #expect(!matches("a.b.w.example", "*.w.example"))
    #expect(!matches("w.example", "*.w.example"))
    #expect(!matches(".w.example", "*.w.example"))
    #expect(!matches("aw.example", "a*.example"))
    #expect(!matches("", ""))
    #expect(!matches("a", "*"))
    #expect(!matches("a.", "*."))
  }
}
