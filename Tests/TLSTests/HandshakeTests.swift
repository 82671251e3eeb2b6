import Primitives
import TLS
import TLSHarness
import Testing

@Suite struct HandshakeTests {
  @Test(arguments: Cipher.detachable)
  func agrees(_ cipher: Cipher) throws {
    let connection = try Connection(cipher)
    connection.establish()
    #expect(connection.client.isEstablished && connection.server.isEstablished)
    for side in [connection.client, connection.server] {
      let agreement = side.handshake.agreement
      #expect(agreement.version == cipher.version)
      #expect(CipherNames.name(agreement.cipher).string == cipher.name)
      #expect(TLSNames.group(agreement.group).string == "X25519")
      #expect(!agreement.isResumed)
      #expect(TLSNames.version(agreement.version).string == (cipher.version == 0x0304 ? "TLSv1.3" : "TLSv1.2"))
    }
    #expect(connection.client.handshake.agreement.hasPeerCertificate)
    #expect(!connection.server.handshake.agreement.hasPeerCertificate)
    let signature = TLSNames.signature(connection.client.handshake.agreement.signature).string
    #expect(cipher.isRSA ? signature.hasPrefix("rsa_pss") : signature == "ecdsa_secp256r1_sha256")
  }

  /// Rooms and runs of any size lead to the same end, and data goes both ways while attached.
  @Test(arguments: [1, 7, 100, 5_000], [1, 13, 4_000])
  func roomsAndRunsDoNotMatter(room: Int, run: Int) throws {
    let connection = try Connection()
    for side in [connection.client, connection.server] {
      side.roomSize = room
      side.runSize = run
    }
    TLSPeer.exchange(connection.client, connection.server)
    #expect(connection.client.isEstablished && connection.server.isEstablished)
    let text = noise(300)
    connection.client.send(text)
    connection.server.send(text + text)
    TLSPeer.exchange(connection.client, connection.server)
    #expect(connection.server.received == text)
    #expect(connection.client.received == text + text)
    connection.client.close()
    connection.server.close()
    TLSPeer.exchange(connection.client, connection.server)
    #expect(connection.client.isClosed && connection.server.isClosed)
  }

  @Test func protocolsAreTheServersChoice() throws {
    func chosen(_ server: [UInt8], _ client: [UInt8]) throws -> String {
      let connection = try Connection(server: { $0.protocols = server }, client: { $0.protocols = client })
      connection.establish()
      #expect(connection.server.isEstablished)
      let (one, other) = (connection.client.handshake.agreement.alpn, connection.server.handshake.agreement.alpn)
      #expect(one == other)
      return one.string
    }
    let h2 = Array("\u{2}h2".utf8), h1 = Array("\u{8}http/1.1".utf8)
    #expect(try chosen(h2 + h1, h1 + h2) == "h2")
    #expect(try chosen(h1 + h2, h2 + h1) == "http/1.1")
    #expect(try chosen(h1, h2) == "", "no common protocol is no failure")
    #expect(try chosen([], h2) == "")
    #expect(try chosen(h2, []) == "")
  }

  @Test func theClientsNameAndProtocolsArrive() throws {
    let connection = try Connection()
    let named = Array("www.example.com".utf8).withView { connection.client.handshake.setServerName($0) }
    let offered = Array("\u{2}h2".utf8).withView { connection.client.handshake.setProtocols($0) }
    #expect(named && offered)
    connection.client.receive([])
    let hello = connection.client.takeOutput()
    guard
      case .hello("www.example.com", let protocols, _, _, _, 0x0304, hello.count) = ClientHelloTests.parse(hello)
    else {
      Issue.record("\(ClientHelloTests.parse(hello))")
      return
    }
    #expect(protocols == Array("\u{2}h2".utf8))
    let empty = [UInt8]().withView { connection.client.handshake.setServerName($0) }
    let nul = [97, 0].withView { connection.client.handshake.setServerName($0) }
    #expect(!empty && !nul)
  }

  @Test func staplesAreSentToThoseWhoAsk() throws {
    let staple = Certificates.ecdsa.ocsp(by: Certificates.authority)
    let connection = try Connection(server: { $0.identity?.staple = staple })
    connection.establish()
    let agreement = connection.server.handshake.agreement
    #expect(!agreement.isStapleRequested && !agreement.isStapleSent)
  }

  @Test func keyLogsCarryTheSecrets() throws {
    nonisolated(unsafe) var lines: [String] = []
    let connection = try Connection(server: { $0.keyLog = { _, line in lines.append(line.string) } })
    connection.establish()
    #expect(lines.contains { $0.hasPrefix("CLIENT_TRAFFIC_SECRET_0 ") })
    #expect(lines.contains { $0.hasPrefix("SERVER_HANDSHAKE_TRAFFIC_SECRET ") })
  }

  @Test func contextsSayWhatIsWrong() throws {
    let library = try TLSLibrary()
    func complaint(_ change: (inout TLSContextOptions) -> Void) -> String {
      var options = TLSContextOptions(isServer: true)
      options.identity = Certificates.ecdsa.identity()
      change(&options)
      do throws(TLSSetupError) {
        _ = try TLSContext(library, options)
        return ""
      } catch { return error.description }
    }
    #expect(complaint { _ in } == "")
    #expect(complaint { $0.identity = nil } == "")
    let rows: [(begins: String, change: (inout TLSContextOptions) -> Void)] = [
      ("the cipher suites cannot be used", { $0.ciphers = "NONE-SUCH" }),
      ("the groups cannot be used", { $0.groups = "P-1" }),
      ("the signature algorithms cannot be used", { $0.signatures = "rsa" }),
      ("the certificate cannot be read", { $0.identity?.chain = [[1, 2, 3]] }),
      ("the private key cannot be read", { $0.identity?.key = SecretBytes([0x30, 1]) }),
      ("the private key cannot be used", { $0.identity?.key = SecretBytes(Certificates.authority.keyDER) }),
    ]
    for row in rows {
      let said = complaint(row.change)
      #expect(said.hasPrefix(row.begins), "\(said)")
    }
  }
}
