import Primitives

/// x-request-id: a version 4 UUID (RFC 9562) that also carries why a request is traced, at
/// character 14 (Envoy's convention).
enum RequestID {
  static let length = 36

  /// Writes a new id; `target` has room for 36 bytes.
  static func write(to target: UnsafeMutablePointer<UInt8>, _ random: inout FastRandom) {
    var high = random.next()
    var low = random.next()
    high = high & ~0xF000 | 0x4000  // version 4
    low = low & ~(3 << 62) | 1 << 63  // the variant of RFC 9562
    var at = 0
    for digit in 0..<32 {
      if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
        target[at] = 45
        at += 1
      }
      let word = digit < 16 ? high : low
      let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - (digit & 15) * 4) & 15)
      target[at] = nibble < 10 ? 48 + nibble : 87 + nibble
      at += 1
    }
  }

  /// The first eight hex digits modulo 10,000: the same at every hop, so that a share of the ids is
  /// a share of whole call chains. Nil when the id is not a UUID.
  static func stableRandom(_ id: ByteView?) -> UInt32? {
    guard let id, id.count == length else { return nil }
    var value: UInt32 = 0
    for i in 0..<8 {
      guard let digit = ASCII.hexValue(id[i]) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value % 10_000
  }

  static let tracePosition = 14
  static let untraced = UInt8(ascii: "4")
  static let sampled = UInt8(ascii: "9")
  static let forcedByService = UInt8(ascii: "a")
  static let forcedByClient = UInt8(ascii: "b")
}
