import Primitives

/// Bytes that say where they belong: whoever knows the key of a stream and an offset knows the byte.
enum Pattern {
  private static let period = 65_521

  /// One period twice, so that any run shorter than a period is one piece.
  private static let table: [UInt8] = {
    var random = FastRandom(seed: 0x5EED)
    let once = (0..<period).map { _ in UInt8(truncatingIfNeeded: random.next() >> 32) }
    return once + once
  }()

  private static func start(_ key: UInt64, _ offset: Int) -> Int {
    let spread = (key &+ 1) &* 0x9E37_79B9_7F4A_7C15
    return (Int(spread >> 33) + offset) % period
  }

  static func bytes(_ key: UInt64, from offset: Int = 0, count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    while result.count < count {
      let from = start(key, offset + result.count)
      let part = min(count - result.count, period)
      result.append(contentsOf: table[from..<from + part])
    }
    return result
  }

  static func matches(_ bytes: ArraySlice<UInt8>, _ key: UInt64, from offset: Int) -> Bool {
    bytes.elementsEqual(self.bytes(key, from: offset, count: bytes.count))
  }

  /// Where bytes differ from the pattern first, and what is there: 219 (0xDB) means a buffer that was
  /// the kernel's already.
  static func difference(_ bytes: ArraySlice<UInt8>, _ key: UInt64, from offset: Int) -> String {
    let wanted = self.bytes(key, from: offset, count: bytes.count)
    let found = Array(bytes)
    guard let at = found.indices.first(where: { found[$0] != wanted[$0] }) else { return "nowhere" }
    return "at \(offset + at): \(found[at...].prefix(4)) instead of \(wanted[at...].prefix(4))"
  }
}
