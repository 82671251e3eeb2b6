import Primitives
import Testing

@Suite struct XXHash64StreamTests {
  @Test(arguments: [0, 1, 3, 4, 7, 8, 31, 32, 33, 63, 64, 65, 100])
  func anyCutGivesTheSame(length: Int) {
    var random = FastRandom(seed: UInt64(length))
    let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress ?? UnsafePointer(bitPattern: 8) else { return }
      let whole = ByteView(base, length)
      for first in 0...length {
        for second in stride(from: first, through: length, by: 5) {
          var stream = XXHash64Stream(seed: 7)
          stream.add(whole.prefix(first))
          stream.add(whole.slice(from: first, to: second))
          stream.add(whole.dropFirst(second))
          #expect(stream.value == xxHash64(whole, seed: 7))
        }
      }
    }
  }

  @Test func emptyIsThePublishedValue() {
    #expect(XXHash64Stream().value == 0xEF46_DB37_51D8_E999)
  }
}
