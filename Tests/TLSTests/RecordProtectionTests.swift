import Primitives
@testable import TLS
import Testing

@Suite struct RecordProtectionTests {
  static let sizes = [0, 1, 15, 16, 17, 300, 4_096, 16_383, 16_384]

  @Test(arguments: RecordCase.all)
  func opensWhatTheOtherSideSealed(_ c: RecordCase) throws {
    var ends = try RecordFixture(c.suite, isTLS13: c.isTLS13)
    defer { ends.free() }
    for size in Self.sizes {
      let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      for type in [RecordHeader.applicationData, RecordHeader.alert] {
        let there = ends.client.sealed(content, type: type)
        #expect(there.count == ends.client.sealedCount(size))
        #expect(there.count - size <= RecordProtection.expansionMax)
        #expect(ends.server.opened(there) == .content(type: type, content), "\(size)")
        let back = ends.server.sealed(content, type: type)
        #expect(back != there)
        #expect(ends.client.opened(back) == .content(type: type, content), "\(size)")
      }
    }
  }

  /// Runs may be cut at any byte, in both directions.
  @Test(arguments: RecordCase.all, [UInt64(1), 2, 3])
  func runsDoNotMatter(_ c: RecordCase, seed: UInt64) throws {
    var random = FastRandom(seed: seed)
    var whole = try RecordFixture(c.suite, isTLS13: c.isTLS13)
    var cut = try RecordFixture(c.suite, isTLS13: c.isTLS13)
    defer {
      whole.free()
      cut.free()
    }
    for _ in 0..<60 {
      let content = (0..<Int(random.next() % 600)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let sealed = whole.client.sealed(content)
      let runs = (0..<9).map { _ in Int(random.next() % 90) }
      #expect(cut.client.sealed(content, runs: runs) == sealed, "sealed in \(runs)")
      #expect(whole.server.opened(sealed) == .content(type: 23, content))
      let others = (0..<9).map { _ in Int(random.next() % 90) }
      #expect(cut.server.opened(sealed, runs: others) == .content(type: 23, content), "opened in \(others)")
    }
  }

  /// No bit can be changed, no record dropped, repeated or turned round.
  @Test(arguments: RecordCase.all)
  func refusesWhatWasNotSealed(_ c: RecordCase) throws {
    let content = Array("attack at dawn".utf8)
    var ends = try RecordFixture(c.suite, isTLS13: c.isTLS13)
    let record = ends.client.sealed(content)
    let next = ends.client.sealed(content)
    let mine = ends.server.sealed(content)
    ends.free()
    for bit in 0..<(record.count * 8) where !(24..<40).contains(bit) {  // the length: the record is cut, see below
      var changed = record
      changed[bit / 8] ^= 1 << (bit % 8)
      var fresh = try RecordFixture(c.suite, isTLS13: c.isTLS13)
      defer { fresh.free() }
      let outcome = fresh.server.opened(changed)
      if case .refused = outcome { continue }
      // TLS 1.3 authenticates the version as it must be, whatever was sent.
      #expect(c.isTLS13 && (8..<24).contains(bit), "bit \(bit)")
    }
    for wrong in [next, mine] {
      var fresh = try RecordFixture(c.suite, isTLS13: c.isTLS13)
      defer { fresh.free() }
      #expect(fresh.server.opened(wrong) == .refused(.badRecordMAC))
    }
    var fresh = try RecordFixture(c.suite, isTLS13: c.isTLS13)
    defer { fresh.free() }
    #expect(fresh.server.opened(record) == .content(type: 23, content))
    #expect(fresh.server.opened(record) == .refused(.badRecordMAC), "again")
  }

  @Test func explicitNoncesCountOnAndNeverRepeat() throws {
    var ends = try RecordFixture(.aes128GCM, isTLS13: false)
    defer { ends.free() }
    let nonces = (0..<3).map { _ in Array(ends.client.sealed([1])[5..<13]) }
    #expect(nonces == [77, 78, 79].map { [0, 0, 0, 0, 0, 0, 0, $0] })
    // Over the end of the numbers: the first nonce is random, so it may be the last of them.
    #expect(Array(ends.server.sealed([1])[5..<13]) == [UInt8](repeating: 255, count: 8))
    #expect(Array(ends.server.sealed([1])[5..<13]) == [UInt8](repeating: 0, count: 8))
  }

  @Test(arguments: RecordSuite.allCases)
  func keyUpdatesInBothDirections(_ suite: RecordSuite) throws {
    var ends = try RecordFixture(suite, isTLS13: true)
    defer { ends.free() }
    var reader = RecordReader(isClient: false, isTLS13: true)
    for round in 0..<5 {
      for isAsking in [true, false] {
        var room = [UInt8](repeating: 0, count: RecordProtection.controlRecordBytesMax)
        let count = room.withUnsafeMutableBufferPointer {
          ends.client.sealKeyUpdate(asksForAnswer: isAsking, to: $0.baseAddress!)
        }
        guard case .content(RecordHeader.handshake, let message) = ends.server.opened(Array(room[..<count]))
        else {
          Issue.record("not opened")
          return
        }
        let event = message.withView {
          reader.control(type: RecordHeader.handshake, content: $0, protection: &ends.server)
        }
        #expect(event == (isAsking ? .answerKeyUpdate : .nothing), "\(round)")
        let record = ends.client.sealed([7, 8])
        #expect(ends.server.opened(record) == .content(type: 23, [7, 8]))
        #expect(reader.data(2) == .data)
      }
    }
  }

  @Test func aWornKeyIsNoticed() throws {
    for c in RecordCase.all {
      var ends = try RecordFixture(c.suite, isTLS13: c.isTLS13)
      defer { ends.free() }
      ends.client.forgeSequences(read: 0, write: RecordProtection.recordsPerKeyMax - 1)
      ends.server.forgeSequences(read: RecordProtection.recordsPerKeyMax - 1, write: 0)
      #expect(!ends.client.isWorn)
      #expect(ends.server.opened(ends.client.sealed([1])) == .content(type: 23, [1]))
      #expect(ends.client.isWorn == (c.suite != .chaCha20Poly1305))
    }
  }

  @Test func isSmallAndTrivial() {
    #expect(MemoryLayout<RecordProtection>.size <= 232)
    #expect(MemoryLayout<RecordReader>.size <= 24)
  }
}
