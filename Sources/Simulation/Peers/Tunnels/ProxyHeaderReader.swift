/// Takes a PROXY header (haproxy.org `proxy-protocol.txt`) off the front of a connection.
struct ProxyHeaderReader {
  private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
  private static let binaryHead = 16
  private static let textMax = 107
  private var bytes: [UInt8] = []
  private(set) var isDone: Bool
  private(set) var wrong: String?
  private let version: Int

  /// - Parameter version: 0 for none.
  init(version: Int) {
    self.version = version
    isDone = version == 0
  }

  /// What follows the header.
  mutating func feed(_ more: [UInt8]) -> [UInt8] {
    if isDone { return more }
    bytes += more
    guard let count = version == 1 ? textCount : binaryCount, bytes.count >= count else { return [] }
    isDone = true
    if version == 1, !bytes.starts(with: Array("PROXY TCP4 ".utf8)) { wrong = "a header without PROXY" }
    if version == 2, !bytes.starts(with: Self.signature) { wrong = "a header without signature" }
    return Array(bytes[count...])
  }

  private var textCount: Int? {
    guard let end = bytes.firstIndex(of: 10) else { return bytes.count > Self.textMax ? bytes.count : nil }
    return end + 1
  }

  private var binaryCount: Int? {
    bytes.count < Self.binaryHead ? nil : Self.binaryHead + Int(bytes[14]) << 8 + Int(bytes[15])
  }
}
