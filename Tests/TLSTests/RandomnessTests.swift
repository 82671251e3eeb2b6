import Glibc
import Primitives
import TLSHarness
import Testing

@testable import TLS

/// The generator of the test's thread; other threads' tests go on with the system's.
nonisolated(unsafe) private var generator = FastRandom(seed: 0)
nonisolated(unsafe) private var thread = pthread_self()

private func fill(_ to: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let to else { return 0 }
  let isTest = pthread_equal(pthread_self(), thread) != 0
  for i in 0..<count { to[i] = isTest ? UInt8(truncatingIfNeeded: generator.next()) : .random(in: 0...255) }
  return 1
}

@Suite struct RandomnessTests {
  /// What both sides say in a whole connection with randomness of a seed.
  private static func transcript(seed: UInt64, version: UInt16) throws -> [[UInt8]] {
    let connection = try Connection(server: {
      // ECDSA and RSA-PSS sign with randomness too.
      $0.versionMax = version
    })
    generator = FastRandom(seed: seed)
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

  @Test func equalSourcesMakeEqualHandshakes() throws {
    // Made before: keys of certificates are not drawn from the seed.
    _ = Certificates.ecdsa
    thread = pthread_self()
    TLSRandomness.replace(with: fill)
    defer { TLSRandomness.replace(with: nil) }
    for version in [0x0303, 0x0304] as [UInt16] {
      let one = try Self.transcript(seed: 1, version: version)
      #expect(try Self.transcript(seed: 1, version: version) == one)
      #expect(try Self.transcript(seed: 2, version: version) != one)
    }
  }
}
