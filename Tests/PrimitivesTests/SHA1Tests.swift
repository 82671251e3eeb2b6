import Primitives
import Testing

@Suite struct SHA1Tests {
  private func hash(_ bytes: [UInt8]) -> String {
    var result = [UInt8](repeating: 0, count: SHA1.byteCount)
    bytes.withUnsafeBufferPointer { source in
      result.withUnsafeMutableBufferPointer { target in
        SHA1.hash(source.baseAddress.map { ByteView($0, source.count) } ?? .empty, to: target.baseAddress!)
      }
    }
    return result.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  @Test(arguments: [
    // RFC 3174 section 7.3 and FIPS 180.
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    // RFC 6455 section 1.3, before Base64.
    ("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11", "b37a4f2cc0624f1690f64606cf385945b2bec4ea"),
  ])
  func published(_ text: String, _ expected: String) {
    #expect(hash(Array(text.utf8)) == expected)
  }

  /// Lengths around the ends of blocks; hashes by Python's hashlib.
  @Test(arguments: [
    (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"), (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
    (57, "f08f24908d682555111be7ff6f004e78283d989a"), (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
    (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"), (65, "11655326c708d70319be2610e8a57d9a5b959d3b"),
    (119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"), (120, "f34c1488385346a55709ba056ddd08280dd4c6d6"),
    (128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0"), (1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"),
  ])
  func blocks(_ count: Int, _ expected: String) {
    #expect(hash([UInt8](repeating: 97, count: count)) == expected)
  }
}
