import Primitives

/// The PROXY protocol header that a load balancer puts before a connection's own bytes
/// (haproxy.org `proxy-protocol.txt`, versions 1 and 2). Sans-I/O.
public enum ProxyProtocolParser {
  public enum Outcome: Equatable, Sendable {
    case needMore
    /// The bytes do not begin with a header.
    case absent
    case invalid
    /// A header of `length` bytes; nil addresses for LOCAL and UNKNOWN.
    case complete(length: Int, addresses: Addresses?)
  }

  public struct Addresses: Equatable, Sendable {
    public var source: IPAddress
    public var sourcePort: UInt16
    public var destination: IPAddress
    public var destinationPort: UInt16
  }

  /// Longest header that is read: version 1 is at most 107 bytes; version 2 with its TLVs is bounded here.
  public static let lengthMax = 4096

  private static let signature2: StaticString = "\r\n\r\n\0\r\nQUIT\n"

  public static func parse(_ bytes: ByteView) -> Outcome {
    guard !bytes.isEmpty else { return .needMore }
    if bytes[0] == UInt8(ascii: "P") { return parseText(bytes) }
    return parseBinary(bytes)
  }

  // MARK: Version 1

  private static func parseText(_ bytes: ByteView) -> Outcome {
    let signature = ByteView("PROXY ")
    guard bytes.count >= signature.count else {
      return signature.hasPrefix(bytes) ? .needMore : .absent
    }
    guard bytes.hasPrefix(signature) else { return .absent }
    let window = bytes.prefix(107)
    guard let lineFeed = window.firstIndex(of: 10) else {
      return bytes.count >= 107 ? .invalid : .needMore
    }
    guard lineFeed > 0, bytes[lineFeed - 1] == 13 else { return .invalid }
    let line = bytes.slice(from: signature.count, to: lineFeed - 1)
    let words = line.string.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    let length = lineFeed + 1
    guard let kind = words.first else { return .invalid }
    if kind == "UNKNOWN" { return .complete(length: length, addresses: nil) }
    guard kind == "TCP4" || kind == "TCP6", words.count == 5,
      let source = IPAddress(words[1]), let destination = IPAddress(words[2]),
      let sourcePort = port(words[3]), let destinationPort = port(words[4])
    else { return .invalid }
    let family: IPAddress.Family = kind == "TCP4" ? .v4 : .v6
    guard source.family == family, destination.family == family else { return .invalid }
    return .complete(
      length: length,
      addresses: Addresses(
        source: source, sourcePort: sourcePort, destination: destination,
        destinationPort: destinationPort))
  }

  private static func port(_ text: String) -> UInt16? {
    let digits = text.utf8
    guard (1...5).contains(digits.count), digits.allSatisfy({ ASCII.isDigit($0) }) else { return nil }
    return UInt16(text)
  }

  // MARK: Version 2

  private static func parseBinary(_ bytes: ByteView) -> Outcome {
    let signature = ByteView(signature2)
    let compared = min(bytes.count, signature.count)
    guard bytes.prefix(compared) == signature.prefix(compared) else { return .absent }
    guard bytes.count >= 16 else { return .needMore }
    let command = bytes[12]
    let family = bytes[13]
    let bodyLength = Int(bytes[14]) << 8 | Int(bytes[15])
    guard command >> 4 == 2, command & 15 <= 1 else { return .invalid }
    let length = 16 + bodyLength
    guard length <= lengthMax else { return .invalid }
    let needed = addressLength(family)
    if command & 15 == 1, let needed, bodyLength < needed { return .invalid }
    guard bytes.count >= length else { return .needMore }
    if command & 15 == 0 { return .complete(length: length, addresses: nil) }
    switch family {
    case 0x11:
      return .complete(
        length: length,
        addresses: Addresses(
          source: v4(bytes, 16), sourcePort: port(bytes, 24), destination: v4(bytes, 20),
          destinationPort: port(bytes, 26)))
    case 0x21:
      return .complete(
        length: length,
        addresses: Addresses(
          source: v6(bytes, 16), sourcePort: port(bytes, 48), destination: v6(bytes, 32),
          destinationPort: port(bytes, 50)))
    case 0x00: return .complete(length: length, addresses: nil)
    default: return .invalid
    }
  }

  private static func addressLength(_ family: UInt8) -> Int? {
    switch family {
    case 0x11: 12
    case 0x21: 36
    default: nil
    }
  }

  private static func word(_ bytes: ByteView, _ at: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for i in 0..<count { value = value << 8 | UInt64(bytes[at + i]) }
    return value
  }

  private static func v4(_ bytes: ByteView, _ at: Int) -> IPAddress {
    IPAddress(v4: UInt32(truncatingIfNeeded: word(bytes, at, 4)))
  }

  private static func v6(_ bytes: ByteView, _ at: Int) -> IPAddress {
    IPAddress(high: word(bytes, at, 8), low: word(bytes, at + 8, 8), family: .v6)
  }

  private static func port(_ bytes: ByteView, _ at: Int) -> UInt16 {
    UInt16(truncatingIfNeeded: word(bytes, at, 2))
  }
}
