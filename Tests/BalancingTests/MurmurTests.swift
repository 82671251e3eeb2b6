import Balancing
import Primitives
import Testing

@Suite struct MurmurTests {
  /// `std::hash<std::string>` of libstdc++.
  @Test(arguments: [
    ("", 0x553e_9390_1e46_2a6e), ("a", 0x454d_dee4_88c1_ed6b), ("abcdefg", 0xdeee_6830_a3af_82af),
    ("abcdefgh", 0x783d_b3e3_8db8_98bb), ("abcdefghi", 0xb4ec_9257_851c_8aaf),
    ("10.0.0.1:80_17", 0x3d93_8892_823c_2ba7),
  ] as [(String, UInt64)])
  func texts(_ row: (text: String, want: UInt64)) {
    #expect(murmur(Array(row.text.utf8)) == row.want)
  }

  @Test func bytesAreUnsigned() {
    #expect(murmur([0xff, 0xfe, 0x80]) == 0xca01_bf8f_2c41_8857)
  }

  func murmur(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBufferPointer { buffer in
      murmurHash64A(buffer.baseAddress.map { ByteView($0, buffer.count) } ?? .empty)
    }
  }
}
