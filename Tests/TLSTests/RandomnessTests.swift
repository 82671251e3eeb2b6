import TLSHarness
import Testing

@testable import TLS

@Suite struct RandomnessTests {
  /// What both sides say in a whole connection with randomness of a seed, with tickets.
  private static func transcript(seed: UInt64, version: UInt16) throws -> [[UInt8]] {
    SeededRandomness.begin(seed: seed)
    defer { SeededRandomness.end() }
    let keyring = try TicketKeyring()
    try keyring.turn(now: 0)
    let connection = try Connection(server: {
      // ECDSA and RSA-PSS sign with randomness too.
      $0.versionMax = version
      $0.keyring = keyring
      $0.tickets = 1
    })
    var said: [[UInt8]] = []
    connection.client.receive([])
    for _ in 0..<4 {
      said.append(connection.client.takeOutput())
      connection.server.receive(said[said.count - 1])
      said.append(connection.server.takeOutput())
      connection.client.receive(said[said.count - 1])
    }
    #expect(connection.client.isEstablished)
    return said
  }

  @Test(arguments: [0x0303, 0x0304] as [UInt16])
  func equalSeedsMakeEqualHandshakes(_ version: UInt16) throws {
    // Made before: keys of certificates are not drawn from the seed.
    _ = Certificates.ecdsa
    let one = try Self.transcript(seed: 1, version: version)
    #expect(try Self.transcript(seed: 1, version: version) == one)
    #expect(try Self.transcript(seed: 2, version: version) != one)
  }

  @Test func libraryCountsHandshakes() throws {
    let library = try TLSLibrary()
    var connection: Connection? = try Connection(library: library)
    #expect(connection != nil && library.handshakeCount == 2)
    connection = nil
    #expect(library.handshakeCount == 0)
  }
}
