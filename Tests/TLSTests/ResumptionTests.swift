import Primitives
import TLSHarness
import Testing

@testable import TLS

@Suite struct ResumptionTests {
  /// A server, which may be another worker's, and a client that keeps tickets.
  static func connect(
    _ library: TLSLibrary, _ client: TLSContext, keyring: TicketKeyring?, version: UInt16, ticket: ClientTicket? = nil,
    change: (inout TLSContextOptions) -> Void = { _ in }
  ) throws -> (isResumed: Bool, ticket: ClientTicket?) {
    var options = TLSContextOptions(isServer: true)
    options.identity = Certificates.ecdsa.identity()
    options.keyring = keyring
    options.versionMax = version
    change(&options)
    let server = try TLSPeer(TLSContext(library, options))
    let peer = try TLSPeer(client)
    if let ticket {
      let offered = peer.handshake.resume(ticket)
      #expect(offered)
    }
    TLSPeer.exchange(peer, server)
    peer.send([1])
    server.send([2])
    TLSPeer.exchange(peer, server)
    #expect(server.received == [1] && peer.received == [2])
    let isResumed = server.handshake.agreement.isResumed
    #expect(peer.handshake.agreement.isResumed == isResumed)
    return (isResumed, peer.handshake.takeTicket())
  }

  @Test(arguments: [UInt16(0x0303), 0x0304])
  func ticketsGoFromWorkerToWorker(_ version: UInt16) throws {
    let (a, b, mine) = (try TLSLibrary(), try TLSLibrary(), try TLSLibrary())
    let client = try TLSContext(mine, TLSContextOptions(isServer: false))
    let keyring = try TicketKeyring()
    try keyring.turn(now: 0)
    let first = try Self.connect(a, client, keyring: keyring, version: version)
    #expect(!first.isResumed)
    let second = try Self.connect(b, client, keyring: keyring, version: version, ticket: first.ticket)
    #expect(second.isResumed)
    // Two turns later the key is still read, three turns later it is gone.
    try keyring.turn(now: 3_600)
    try keyring.turn(now: 7_200)
    let third = try Self.connect(a, client, keyring: keyring, version: version, ticket: second.ticket)
    #expect(third.isResumed && third.ticket != nil)
    for hour in 3..<6 { try keyring.turn(now: Int64(hour) * 3_600) }
    let fourth = try Self.connect(a, client, keyring: keyring, version: version, ticket: third.ticket)
    #expect(!fourth.isResumed)
    // Another certificate of the same service changes nothing, another id context does.
    let fifth = try Self.connect(b, client, keyring: keyring, version: version, ticket: fourth.ticket) {
      $0.identity = Certificates.rsa.identity()
    }
    #expect(fifth.isResumed && fifth.ticket != nil)
    let sixth = try Self.connect(b, client, keyring: keyring, version: version, ticket: fifth.ticket) {
      $0.idContext[0] = 1
    }
    #expect(!sixth.isResumed)
    // Without keys or tickets there is nothing to resume with.
    let seventh = try Self.connect(b, client, keyring: keyring, version: version, ticket: sixth.ticket) {
      $0.tickets = 0
    }
    #expect(!seventh.isResumed)
    // In TLS 1.2 a connection without a ticket has an id that nobody remembers.
    #expect(seventh.ticket == nil || version == 0x0303)
    seventh.ticket?.free()
  }

  @Test func aRingWithoutKeysGivesNoTickets() throws {
    let library = try TLSLibrary()
    let client = try TLSContext(library, TLSContextOptions(isServer: false))
    let ring = try TicketKeyring()
    let outcome = try Self.connect(library, client, keyring: ring, version: 0x0304)
    #expect(!outcome.isResumed)
    outcome.ticket?.free()
  }

  @Test func keysOfFiles() throws {
    #expect(TicketKey([UInt8](repeating: 1, count: 79)) == nil)
    let key = try #require(TicketKey((0..<80).map { UInt8($0) }))
    let (one, two) = (try TLSLibrary(), try TLSLibrary())
    let client = try TLSContext(one, TLSContextOptions(isServer: false))
    // Two rings with the same file: two processes.
    let rings = [try TicketKeyring(), try TicketKeyring()]
    for ring in rings { ring.publish([try .random(), key].reversed(), now: 0) }
    let first = try Self.connect(one, client, keyring: rings[0], version: 0x0304)
    let second = try Self.connect(two, client, keyring: rings[1], version: 0x0304, ticket: first.ticket)
    #expect(second.isResumed)
    second.ticket?.free()
  }

  @Test func replacedKeysAreFreedAfterTheirGrace() throws {
    let ring = try TicketKeyring()
    for now in [0, 100, 200] as [Int64] { try ring.turn(now: now) }
    #expect(ring.retiredCount == 2)
    try ring.turn(now: 700)
    #expect(ring.retiredCount == 2, "the first went, one came")
    try ring.turn(now: 10_000)
    #expect(ring.retiredCount == 1)
  }
}
