import Primitives
import Testing

@testable import Proxy

struct ProxyProtocolTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let want: ProxyProtocolParser.Outcome
  }

  static func text(_ line: String) -> [UInt8] { Array(line.utf8) }

  static func v4(_ source: String, _ port: UInt16, _ destination: String, _ other: UInt16)
    -> ProxyProtocolParser.Addresses?
  {
    guard let source = IPAddress(source), let destination = IPAddress(destination) else { return nil }
    return .init(
      source: source, sourcePort: port, destination: destination, destinationPort: other)
  }

  static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

  static let rows: [Row] = [
    Row(
      testDescription: "TCP4", bytes: text("PROXY TCP4 1.2.3.4 5.6.7.8 99 443\r\n"),
      want: .complete(length: 35, addresses: v4("1.2.3.4", 99, "5.6.7.8", 443))),
    Row(
      testDescription: "TCP6", bytes: text("PROXY TCP6 ::1 ::2 1 2\r\n"),
      want: .complete(length: 24, addresses: v4("::1", 1, "::2", 2))),
    Row(
      testDescription: "UNKNOWN with anything after it", bytes: text("PROXY UNKNOWN a b c\r\n"),
      want: .complete(length: 21, addresses: nil)),
    Row(
      testDescription: "family and address differ",
      bytes: text("PROXY TCP4 ::1 ::2 1 2\r\n"), want: .invalid),
    Row(
      testDescription: "port with a sign", bytes: text("PROXY TCP4 1.2.3.4 5.6.7.8 +9 443\r\n"),
      want: .invalid),
    Row(
      testDescription: "port too large",
      bytes: text("PROXY TCP4 1.2.3.4 5.6.7.8 65536 443\r\n"), want: .invalid),
    Row(
      testDescription: "LF alone", bytes: text("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), want: .invalid),
    Row(
      testDescription: "no end in 107 bytes",
      bytes: text("PROXY " + String(repeating: "x", count: 101)), want: .invalid),
    Row(testDescription: "HTTP", bytes: text("GET / HTTP/1.1\r\n"), want: .absent),
    Row(testDescription: "begins like it", bytes: text("PROXIMA"), want: .absent),
    Row(
      testDescription: "version 2, IPv4",
      bytes: signature + [0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 99, 1, 187],
      want: .complete(length: 28, addresses: v4("1.2.3.4", 99, "5.6.7.8", 443))),
    Row(
      testDescription: "version 2, LOCAL", bytes: signature + [0x20, 0, 0, 0],
      want: .complete(length: 16, addresses: nil)),
    Row(
      testDescription: "version 2, TLVs are skipped",
      bytes: signature + [0x21, 0x11, 0, 15, 1, 2, 3, 4, 5, 6, 7, 8, 0, 99, 1, 187, 3, 0, 0],
      want: .complete(length: 31, addresses: v4("1.2.3.4", 99, "5.6.7.8", 443))),
    Row(
      testDescription: "version 2, addresses cut short",
      bytes: signature + [0x21, 0x11, 0, 4, 1, 2, 3, 4], want: .invalid),
    Row(testDescription: "version 3", bytes: signature + [0x31, 0x11, 0, 0], want: .invalid),
    Row(
      testDescription: "longer than is read", bytes: signature + [0x21, 0x11, 0xFF, 0xFF],
      want: .invalid),
  ]

  private func parse(_ bytes: [UInt8]) -> ProxyProtocolParser.Outcome {
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return .needMore }
      return ProxyProtocolParser.parse(ByteView(base, buffer.count))
    }
  }

  @Test(arguments: rows)
  func whole(_ row: Row) { #expect(parse(row.bytes) == row.want) }

  /// Any beginning of a good header wants more, and bytes behind it change nothing.
  @Test(arguments: rows)
  func everyCut(_ row: Row) {
    guard case .complete(let length, _) = row.want else { return }
    for cut in 0..<length { #expect(parse(Array(row.bytes[..<cut])) == .needMore) }
    #expect(parse(row.bytes + text2("GET / HTTP/1.1\r\n\r\n")) == row.want)
  }

  private func text2(_ line: String) -> [UInt8] { Array(line.utf8) }

  @Test func noiseNeverTraps() {
    var random = FastRandom(seed: 7)
    for _ in 0..<20_000 {
      var bytes = Self.rows[Int(random.below(UInt32(Self.rows.count)))].bytes
      for _ in 0...random.below(4) where !bytes.isEmpty {
        bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
      }
      if case .complete(let length, _) = parse(bytes) { #expect(length <= bytes.count) }
    }
  }
}
