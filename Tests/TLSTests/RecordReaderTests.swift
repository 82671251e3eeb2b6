import Primitives
import Testing

@testable import TLS

/// What records mean: each row of the table in docs/design/tls.md, section 7.
@Suite struct RecordReaderTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var isTLS13 = true
    var isClient = false
    let records: [(type: UInt8, content: [UInt8])]
    let events: [RecordReader.Event]
  }

  static func ticket(_ count: Int) -> [UInt8] {
    [4, UInt8(count >> 16), UInt8(count >> 8 & 0xff), UInt8(count & 0xff)]
      + [UInt8](repeating: 5, count: count)
  }

  static let update: [UInt8] = [24, 0, 0, 1, 0]
  static let updateAndAsk: [UInt8] = [24, 0, 0, 1, 1]

  static let rows: [Row] = [
    Row(testDescription: "close_notify ends", records: [(21, [1, 0])], events: [.closed]),
    Row(testDescription: "close_notify ends whatever its level says", records: [(21, [2, 0])], events: [.closed]),
    Row(testDescription: "a fatal alert fails", records: [(21, [2, 48])], events: [.failed(by: .init(rawValue: 48))]),
    Row(
      testDescription: "TLS 1.3 has no warnings", records: [(21, [1, 48])],
      events: [.failed(by: .init(rawValue: 48))]),
    Row(testDescription: "but user_canceled", records: [(21, [1, 90])], events: [.nothing]),
    Row(
      testDescription: "five warnings of TLS 1.2 are too many", isTLS13: false,
      records: [(type: UInt8, content: [UInt8])](repeating: (21, [1, 41]), count: 5),
      events: [.nothing, .nothing, .nothing, .nothing, .broken(.unexpectedMessage)]),
    Row(testDescription: "half an alert", records: [(21, [2])], events: [.broken(.decodeError)]),
    Row(testDescription: "two alerts in one", records: [(21, [1, 0, 1, 0])], events: [.broken(.decodeError)]),
    Row(testDescription: "an empty alert", records: [(21, [])], events: [.broken(.decodeError)]),
    Row(
      testDescription: "ChangeCipherSpec after the handshake", isTLS13: false, records: [(20, [1])],
      events: [.broken(.unexpectedMessage)]),
    Row(testDescription: "an unknown type", records: [(24, [1])], events: [.broken(.unexpectedMessage)]),
    Row(testDescription: "a KeyUpdate", records: [(22, update)], events: [.nothing]),
    Row(testDescription: "a KeyUpdate that asks", records: [(22, updateAndAsk)], events: [.answerKeyUpdate]),
    Row(
      testDescription: "a KeyUpdate over records", records: [(22, [24, 0]), (22, [0]), (22, [1, 1])],
      events: [.nothing, .nothing, .answerKeyUpdate]),
    Row(testDescription: "a KeyUpdate with a wrong value", records: [(22, [24, 0, 0, 1, 2])], events: [.broken(.illegalParameter)]),
    Row(testDescription: "a KeyUpdate of two bytes", records: [(22, [24, 0, 0, 2, 0, 0])], events: [.broken(.decodeError)]),
    Row(testDescription: "an empty KeyUpdate", records: [(22, [24, 0, 0, 0])], events: [.broken(.decodeError)]),
    Row(
      testDescription: "bytes behind a KeyUpdate", records: [(22, update + [4])],
      events: [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "KeyUpdate in TLS 1.2", isTLS13: false, records: [(22, update)],
      events: [.broken(.unexpectedMessage)]),
    Row(testDescription: "a ticket at a client", isClient: true, records: [(22, ticket(200))], events: [.nothing]),
    Row(
      testDescription: "two tickets in one record, the second in two", isClient: true,
      records: [(22, ticket(3) + ticket(300).prefix(7)), (22, Array(ticket(300).dropFirst(7)) + update)],
      events: [.nothing, .nothing]),
    Row(testDescription: "a ticket at a server", records: [(22, ticket(9))], events: [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "a ticket without end", isClient: true, records: [(22, [4, 255, 255, 255])],
      events: [.broken(.decodeError)]),
    Row(
      testDescription: "alert within a message", isClient: true, records: [(22, [4, 0, 0]), (21, [1, 0])],
      events: [.nothing, .broken(.unexpectedMessage)]),
    Row(
      testDescription: "an empty handshake record", records: [(22, [])], events: [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "HelloRequest", isTLS13: false, isClient: true, records: [(22, [0, 0, 0, 0])],
      events: [.refuse(.noRenegotiation)]),
    Row(
      testDescription: "a second ClientHello over records", isTLS13: false,
      records: [(22, [1, 0, 0, 9, 1, 2, 3]), (22, [4, 5, 6, 7, 8, 9])],
      events: [.nothing, .refuse(.noRenegotiation)]),
    Row(
      testDescription: "five HelloRequests are too many", isTLS13: false, isClient: true,
      records: [(type: UInt8, content: [UInt8])](repeating: (22, [0, 0, 0, 0]), count: 5),
      events: [RecordReader.Event](repeating: .refuse(.noRenegotiation), count: 4) + [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "ClientHello in TLS 1.3", records: [(22, [1, 0, 0, 9, 1])],
      events: [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "Finished again", records: [(22, [20, 0, 0, 32])], events: [.broken(.unexpectedMessage)]),
    Row(
      testDescription: "Certificate at a server", records: [(22, [11, 0, 0, 32])],
      events: [.broken(.unexpectedMessage)]),
  ]

  @Test(arguments: rows)
  func means(_ row: Row) throws {
    var ends = try RecordFixture(.aes128GCM, isTLS13: row.isTLS13)
    defer { ends.free() }
    var reader = RecordReader(isClient: row.isClient, isTLS13: row.isTLS13)
    let events = row.records.map { record in
      record.content.withView {
        reader.control(type: record.type, content: $0, protection: &ends.server)
      }
    }
    #expect(events == row.events)
  }

  @Test func emptyRecordsAreCounted() {
    var reader = RecordReader(isClient: false, isTLS13: true)
    for _ in 0..<3 {
      for _ in 1..<RecordReader.emptyRecordsMax { #expect(reader.data(0) == .nothing) }
      #expect(reader.data(1) == .data)
    }
    for _ in 1..<RecordReader.emptyRecordsMax { #expect(reader.data(0) == .nothing) }
    #expect(reader.data(0) == .broken(.unexpectedMessage))
  }

  @Test func keyUpdatesAreCounted() throws {
    var ends = try RecordFixture(.aes128GCM, isTLS13: true)
    defer { ends.free() }
    var reader = RecordReader(isClient: false, isTLS13: true)
    func update() -> RecordReader.Event {
      Self.update.withView { reader.control(type: 22, content: $0, protection: &ends.server) }
    }
    for _ in 1..<RecordReader.keyUpdatesMax { #expect(update() == .nothing) }
    #expect(reader.data(9) == .data)
    for _ in 1..<RecordReader.keyUpdatesMax { #expect(update() == .nothing) }
    #expect(update() == .broken(.unexpectedMessage))
  }

  @Test func dataWithinAMessage() throws {
    var ends = try RecordFixture(.aes128GCM, isTLS13: true)
    defer { ends.free() }
    var reader = RecordReader(isClient: true, isTLS13: true)
    let first: [UInt8] = [4]
    #expect(first.withView { reader.control(type: 22, content: $0, protection: &ends.client) } == .nothing)
    #expect(reader.data(9) == .broken(.unexpectedMessage))
  }

  struct HeaderRow: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let isTLS13: Bool
    let bytes: [UInt8]
    let alert: TLSAlert?
  }

  @Test(arguments: [
    HeaderRow(testDescription: "usual", isTLS13: true, bytes: [23, 3, 3, 0, 17], alert: nil),
    HeaderRow(testDescription: "largest of TLS 1.3", isTLS13: true, bytes: [23, 3, 3, 0x41, 0], alert: nil),
    HeaderRow(testDescription: "larger", isTLS13: true, bytes: [23, 3, 3, 0x41, 1], alert: .recordOverflow),
    HeaderRow(testDescription: "largest of TLS 1.2", isTLS13: false, bytes: [23, 3, 3, 0x40, 24], alert: nil),
    HeaderRow(testDescription: "larger than 1.2", isTLS13: false, bytes: [23, 3, 3, 0x40, 25], alert: .recordOverflow),
    HeaderRow(testDescription: "huge", isTLS13: false, bytes: [23, 3, 3, 255, 255], alert: .recordOverflow),
    HeaderRow(testDescription: "open alert", isTLS13: true, bytes: [21, 3, 3, 0, 17], alert: .unexpectedMessage),
    HeaderRow(testDescription: "ChangeCipherSpec", isTLS13: true, bytes: [20, 3, 3, 0, 1], alert: .unexpectedMessage),
    HeaderRow(testDescription: "ChangeCipherSpec of 1.2", isTLS13: false, bytes: [20, 3, 3, 0, 30], alert: .unexpectedMessage),
    HeaderRow(testDescription: "plain text", isTLS13: false, bytes: Array("GET /".utf8), alert: .unexpectedMessage),
    HeaderRow(testDescription: "wrong version", isTLS13: false, bytes: [23, 3, 1, 0, 40], alert: .protocolVersion),
    HeaderRow(testDescription: "shorter than a tag", isTLS13: true, bytes: [23, 3, 3, 0, 15], alert: .badRecordMAC),
    HeaderRow(testDescription: "shorter than nonce and tag", isTLS13: false, bytes: [23, 3, 3, 0, 23], alert: .badRecordMAC),
  ])
  func header(_ row: HeaderRow) throws {
    var ends = try RecordFixture(.aes128GCM, isTLS13: row.isTLS13)
    defer { ends.free() }
    let outcome = row.bytes.withView { view in
      Result { () throws(TLSAlert) in try ends.server.header(view) }
    }
    switch outcome {
    case .success(let header):
      #expect(row.alert == nil)
      #expect(header.bodyCount == Int(row.bytes[3]) << 8 | Int(row.bytes[4]))
    case .failure(let alert): #expect(alert == row.alert)
    }
  }

  @Test func innerTypeStandsBehindTheContent() {
    func inner(_ bytes: [UInt8]) -> [Int]? {
      bytes.withView { InnerContent($0) }.map { [Int($0.type), $0.count] }
    }
    #expect(inner([1, 2, 23]) == [23, 2])
    #expect(inner([1, 0, 23, 0, 0]) == [23, 2])
    #expect(inner([21]) == [21, 0])
    #expect(inner([0, 0]) == nil)
    #expect(inner([]) == nil)
  }
}
