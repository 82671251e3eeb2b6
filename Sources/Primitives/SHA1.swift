/// SHA-1 (RFC 3174) of short texts. Broken for security; protocols of old ask for it (RFC 6455 section 4.2.2).
public enum SHA1 {
  public static let byteCount = 20

  /// - Parameter target: Room for ``byteCount`` bytes.
  public static func hash(_ bytes: ByteView, to target: UnsafeMutablePointer<UInt8>) {
    var state = State()
    var at = 0
    while bytes.count - at >= 64 {
      state.add(bytes.base + at)
      at += 64
    }
    // The rest, a one bit, zeros, and the length in bits.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { room in
      guard let last = room.baseAddress else { return }
      let rest = bytes.count - at
      last.initialize(repeating: 0, count: 128)
      last.update(from: bytes.base + at, count: rest)
      last[rest] = 0x80
      let end = rest < 56 ? 64 : 128
      let bits = UInt64(bytes.count) &* 8
      for i in 0..<8 { last[end - 1 - i] = UInt8(truncatingIfNeeded: bits >> UInt64(i * 8)) }
      state.add(last)
      if end == 128 { state.add(last + 64) }
    }
    for i in 0..<5 {
      for j in 0..<4 { target[i * 4 + j] = UInt8(truncatingIfNeeded: state.words[i] >> UInt32(24 - j * 8)) }
    }
  }

  private struct State {
    var words: InlineArray<5, UInt32> = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]

    /// One block of 64 bytes.
    mutating func add(_ block: UnsafePointer<UInt8>) {
      var schedule = InlineArray<80, UInt32>(repeating: 0)
      for i in 0..<16 {
        schedule[i] =
          UInt32(block[i * 4]) << 24 | UInt32(block[i * 4 + 1]) << 16 | UInt32(block[i * 4 + 2]) << 8
          | UInt32(block[i * 4 + 3])
      }
      for i in 16..<80 {
        schedule[i] = rotate(schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16], 1)
      }
      var (a, b, c, d, e) = (words[0], words[1], words[2], words[3], words[4])
      for i in 0..<80 {
        let mixed: UInt32
        let constant: UInt32
        switch i / 20 {
        case 0: (mixed, constant) = (b & c | ~b & d, 0x5A82_7999)
        case 1: (mixed, constant) = (b ^ c ^ d, 0x6ED9_EBA1)
        case 2: (mixed, constant) = (b & c | b & d | c & d, 0x8F1B_BCDC)
        default: (mixed, constant) = (b ^ c ^ d, 0xCA62_C1D6)
        }
        let next = rotate(a, 5) &+ mixed &+ e &+ constant &+ schedule[i]
        (e, d, c, b, a) = (d, c, rotate(b, 30), a, next)
      }
      words[0] &+= a
      words[1] &+= b
      words[2] &+= c
      words[3] &+= d
      words[4] &+= e
    }

    @inline(__always)
    private func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
  }
}
