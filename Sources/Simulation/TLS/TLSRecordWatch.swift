import Primitives
import TLS

/// Looks at what the proxy sends where TLS is expected, without the library: records and nothing else, no nonce twice.
struct TLSRecordWatch {
  private var header: [UInt8] = []
  private var nonce: [UInt8] = []
  /// Of the record that is being read.
  private var left = 0
  private var isProtected = false
  /// Explicit nonces of TLS 1.2 with AES-GCM, all with one key.
  private var nonces: Set<[UInt8]> = []
  private(set) var wrong: String?
  /// Whether records carry a nonce, as in TLS 1.2 with AES-GCM; nil until that is agreed on.
  var hasExplicitNonces: Bool?
  /// Whether the stream stands between two records.
  var isWhole: Bool { header.isEmpty && left == 0 }

  private static let headerCount = 5
  private static let nonceCount = 8
  /// What protection may add to 16,384 bytes (RFC 5246, section 6.2.3).
  private static let bodyMax = 16_384 + 2048

  mutating func feed(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty, wrong == nil {
      if left == 0 {
        let part = rest.prefix(Self.headerCount - header.count)
        header += part
        rest = rest.dropFirst(part.count)
        if header.count == Self.headerCount { begin() }
        continue
      }
      if isProtected, nonce.count < Self.nonceCount {
        let part = rest.prefix(min(left, Self.nonceCount - nonce.count))
        nonce += part
        left -= part.count
        rest = rest.dropFirst(part.count)
        if nonce.count == Self.nonceCount, hasExplicitNonces != false, !nonces.insert(nonce).inserted,
          hasExplicitNonces == true
        {
          wrong = "the nonce \(nonce) was used twice"
        }
      } else {
        let part = min(left, rest.count)
        left -= part
        rest = rest.dropFirst(part)
      }
      if left == 0 { header = [] }
    }
  }

  private mutating func begin() {
    left = Int(header[3]) << 8 | Int(header[4])
    nonce = []
    // Change of ciphers, alerts, handshakes, data.
    guard (20...23).contains(header[0]), header[1] == 3, (1...3).contains(header[2]), left <= Self.bodyMax else {
      wrong = "no record: \(header)"
      return
    }
    // What comes behind ChangeCipherSpec is protected.
    isProtected = hasSeenChange && header[0] != 20
    if header[0] == 20 { hasSeenChange = true }
    if left == 0 { wrong = "a record of nothing: \(header)" }
  }

  private var hasSeenChange = false
}
