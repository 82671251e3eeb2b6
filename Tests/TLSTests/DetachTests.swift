import Primitives
import TLSHarness
import Testing

@testable import TLS

/// OpenSSL makes the handshake; then one side goes on without it and must still understand the other.
@Suite struct DetachTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let cipher: Cipher
    let isServer: Bool
    var testDescription: String { "\(cipher.name), \(isServer ? "server" : "client") detached" }
    static let all = Cipher.detachable.flatMap { [Case(cipher: $0, isServer: true), Case(cipher: $0, isServer: false)] }
  }

  static let text = noise(40_000)

  static func established(_ c: Case, keyring: TicketKeyring? = nil, groups: String? = nil) throws -> (Connection, mine: TLSPeer, peer: TLSPeer) {
    let connection = try Connection(c.cipher, keyring: keyring, groups: groups)
    connection.establish()
    try #require(connection.client.isEstablished && connection.server.isEstablished)
    return c.isServer
      ? (connection, connection.server, connection.client) : (connection, connection.client, connection.server)
  }

  @Test(arguments: Case.all)
  func dataBothWays(_ c: Case) throws {
    // With and without another round (HelloRetryRequest), with and without a ticket behind the handshake.
    for (groups, keyring) in [(nil, nil), ("P-384", nil), (nil, try TicketKeyring())] as [(String?, TicketKeyring?)] {
      try keyring?.turn(now: 0)
      let (connection, mine, peer) = try Self.established(c, keyring: keyring, groups: groups)
      let detached = try #require(DetachedPeer(mine, library: connection.library, isClient: !c.isServer))
      let sizes = groups == nil && keyring == nil ? [1, 15, 16, 17, 300, 16_383, 16_384, 40_000] : [1, 17_000]
      for size in sizes {
        let text = Array(Self.text.prefix(size))
        peer.receive(detached.takeOutput())
        peer.send(text)
        detached.receive(peer.takeOutput(), runSize: size % 97 + 1)
        #expect(detached.takeReceived() == text)
        detached.send(text, recordSize: size % 1_000 + 100)
        peer.receive(detached.takeOutput())
        #expect(peer.takeReceived() == text)
      }
      peer.close()
      detached.receive(peer.takeOutput())
      #expect(detached.events.last == .closed)
      detached.close()
      peer.receive(detached.takeOutput())
      #expect(peer.isClosed && !peer.hasFailed)
    }
  }

  @Test(arguments: Case.all.filter { $0.cipher.version == 0x0304 })
  func keyUpdatesBothWays(_ c: Case) throws {
    let (connection, mine, peer) = try Self.established(c)
    let detached = try #require(DetachedPeer(mine, library: connection.library, isClient: !c.isServer))
    for round in 0..<6 {
      peer.receive(detached.takeOutput())
      peer.updateKeys(asksForAnswer: round % 2 == 0)
      peer.send([1, 2, 3])
      detached.receive(peer.takeOutput())
      #expect(detached.takeReceived() == [1, 2, 3])
      detached.send([4, 5])
      detached.updateKeys(asksForAnswer: round % 3 == 0)
      detached.send([6])
      peer.receive(detached.takeOutput())
      #expect(peer.takeReceived() == [4, 5, 6])
      detached.receive(peer.takeOutput())
      #expect(!peer.hasFailed && !detached.isOver)
    }
  }

  /// What follows the last flight in the same bytes belongs to the connection, not to the library.
  @Test(arguments: Case.all)
  func dataGluedToFinished(_ c: Case) throws {
    let connection = try Connection(c.cipher)
    let (client, server) = (connection.client, connection.server)
    client.receive([])
    server.receive(client.takeOutput(), stopsWhenEstablished: true)
    client.receive(server.takeOutput(), stopsWhenEstablished: true)
    if c.cipher.version == 0x0304 {
      guard c.isServer else { return }
      // The client is done and speaks at once.
      client.send([9, 8, 7])
      server.receive(client.takeOutput(), stopsWhenEstablished: true)
      let detached = try #require(DetachedPeer(server, library: connection.library, isClient: false))
      detached.receive([])
      #expect(detached.received == [9, 8, 7])
    } else {
      guard !c.isServer else { return }
      server.receive(client.takeOutput(), stopsWhenEstablished: true)
      server.send([9, 8, 7])
      client.receive(server.takeOutput(), stopsWhenEstablished: true)
      let detached = try #require(DetachedPeer(client, library: connection.library, isClient: true))
      detached.receive([])
      #expect(detached.received == [9, 8, 7])
    }
  }

  @Test(arguments: Case.all)
  func bothSidesDetached(_ c: Case) throws {
    let (connection, mine, peer) = try Self.established(c)
    let one = try #require(DetachedPeer(mine, library: connection.library, isClient: !c.isServer))
    let other = try #require(DetachedPeer(peer, library: connection.library, isClient: c.isServer))
    one.receive(other.takeOutput())
    other.receive(one.takeOutput())
    let text = Self.text
    one.send(text)
    other.receive(one.takeOutput())
    #expect(other.received == text)
    #expect(!other.isOver)
  }

  /// A client may use the connection before it leaves the library, to see its ticket first.
  @Test func detachingLater() throws {
    let keyring = try TicketKeyring()
    try keyring.turn(now: 0)
    for cipher in Cipher.detachable {
      let connection = try Connection(cipher, keyring: keyring)
      TLSPeer.exchange(connection.client, connection.server)
      for _ in 0..<3 {
        connection.client.send(Self.text)
        connection.server.send(noise(100))
        TLSPeer.exchange(connection.client, connection.server)
      }
      connection.server.send([1])
      let record = connection.server.takeOutput()
      connection.client.receive(Array(record.prefix(7)))
      #expect(connection.client.handshake.detach(connection.library) == nil, "a record is taken in part")
      connection.client.receive(Array(record.dropFirst(7)))
      let detached = try #require(DetachedPeer(connection.client, library: connection.library, isClient: true))
      detached.send([5])
      connection.server.receive(detached.takeOutput())
      connection.server.send([6])
      detached.receive(connection.server.takeOutput())
      #expect(connection.server.received.last == 5)
      #expect(detached.received == [6])
    }
  }

  @Test func staysWhenKeysHaveChanged() throws {
    let connection = try Connection()
    TLSPeer.exchange(connection.client, connection.server)
    connection.client.updateKeys(asksForAnswer: false)
    connection.server.receive(connection.client.takeOutput())
    #expect(connection.client.handshake.detach(connection.library) == nil)
    #expect(connection.server.handshake.detach(connection.library) == nil)
  }

  @Test func staysWithOtherCiphersAndBeforeTheEnd() throws {
    let cbc = Cipher(name: "ECDHE-ECDSA-AES128-SHA256", version: 0x0303)
    let connection = try Connection(cbc)
    #expect(connection.server.handshake.detach(connection.library) == nil)
    TLSPeer.exchange(connection.client, connection.server)
    #expect(connection.client.isEstablished)
    #expect(connection.server.handshake.detach(connection.library) == nil)
    connection.client.send([1, 2])
    TLSPeer.exchange(connection.client, connection.server)
    #expect(connection.server.received == [1, 2])
  }

  /// Our records reach the library in pieces, and it sends us what is wrong.
  @Test(arguments: Case.all)
  func theLibraryRefusesWhatIsChanged(_ c: Case) throws {
    let (connection, mine, peer) = try Self.established(c)
    let detached = try #require(DetachedPeer(mine, library: connection.library, isClient: !c.isServer))
    peer.receive(detached.takeOutput())
    detached.send([1, 2, 3])
    var record = detached.takeOutput()
    record[record.count - 1] ^= 1
    peer.receive(record)
    #expect(peer.hasFailed)
    detached.receive(peer.takeOutput())
    #expect(detached.events.last == .failed(by: .badRecordMAC))
    #expect(TLSFailureText.received(.badRecordMAC).contains("SSLV3_ALERT_BAD_RECORD_MAC"))
  }

  @Test(arguments: Case.all)
  func weRefuseWhatIsChanged(_ c: Case) throws {
    let (connection, mine, peer) = try Self.established(c)
    let detached = try #require(DetachedPeer(mine, library: connection.library, isClient: !c.isServer))
    peer.receive(detached.takeOutput())
    peer.send([1, 2, 3])
    var record = peer.takeOutput()
    record[record.count - 1] ^= 1
    detached.receive(record)
    #expect(detached.events.last == .broken(.badRecordMAC))
    #expect(detached.received.isEmpty)
    detached.alert(.badRecordMAC, isFatal: true)
    peer.receive(detached.takeOutput())
    #expect(peer.hasFailed)
    #expect(
      peer.handshake.failureText()
        == "TLS_error:|268436476:SSL routines:OPENSSL_internal:SSLV3_ALERT_BAD_RECORD_MAC:TLS_error_end")
  }
}
