import Primitives
import TLS
import TLSHarness
import Testing

/// Certificates that tests share: keys are slow to make.
enum Certificates {
  static let authority = TestIdentity(.init("Test Authority", isAuthority: true))
  static let ecdsa = TestIdentity(.init("server.example", names: "DNS:server.example"), issuer: authority)
  static let rsa = TestIdentity(.init("server.example", names: "DNS:server.example", key: .rsa2048), issuer: authority)
}

/// A kind of connection: every suite that can be detached, in its version.
struct Cipher: Sendable, CustomTestStringConvertible {
  let name: String
  let version: UInt16
  var isRSA: Bool { name.contains("RSA") && !name.contains("ECDSA") }
  var testDescription: String { name }

  static let detachable: [Cipher] =
    [
      "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
      "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
    ].map { Cipher(name: $0, version: 0x0303) }
    + ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"].map {
      Cipher(name: $0, version: 0x0304)
    }
}

/// Two sides of a connection on memory.
struct Connection {
  let library: TLSLibrary
  let client: TLSPeer
  let server: TLSPeer

  init(
    library: TLSLibrary? = nil, server: (inout TLSContextOptions) -> Void = { _ in },
    client: (inout TLSContextOptions) -> Void = { _ in }
  ) throws {
    let library = try library ?? TLSLibrary()
    self.library = library
    var serverOptions = TLSContextOptions(isServer: true)
    serverOptions.identity = Certificates.ecdsa.identity()
    serverOptions.tickets = 0
    server(&serverOptions)
    var clientOptions = TLSContextOptions(isServer: false)
    client(&clientOptions)
    self.server = try TLSPeer(TLSContext(library, serverOptions))
    self.client = try TLSPeer(TLSContext(library, clientOptions))
  }

  /// With one cipher.
  init(_ cipher: Cipher, keyring: TicketKeyring? = nil, groups: String? = nil) throws {
    try self.init(
      server: {
        if cipher.isRSA { $0.identity = Certificates.rsa.identity() }
        $0.versionMax = cipher.version
        $0.keyring = keyring
        $0.tickets = keyring == nil ? 0 : 1
        if let groups { $0.groups = groups }
      },
      client: {
        $0.versionMax = cipher.version
        $0.versionMin = cipher.version
        if cipher.version == 0x0303 { $0.ciphers = cipher.name } else { $0.suitesOfTLS13 = cipher.name }
      })
  }

  /// Shakes hands; nothing is read behind.
  func establish() {
    client.receive([])
    for _ in 0..<10 where !(client.isEstablished && server.isEstablished) {
      server.receive(client.takeOutput(), stopsWhenEstablished: true)
      client.receive(server.takeOutput(), stopsWhenEstablished: true)
    }
  }
}

/// Bytes that look like nothing.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var random = FastRandom(seed: seed)
  return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}
