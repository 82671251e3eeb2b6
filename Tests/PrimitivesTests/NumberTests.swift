import Testing

@testable import Primitives

@Suite struct NumberTests {
  @Test func text() {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { room in
      guard let base = room.baseAddress else { return }
      var values: [UInt64] = [0, 1, 9, 10, 99, 100, .max]
      for shift in 0..<64 { values += [1 << UInt64(shift), (1 << UInt64(shift)) - 1] }
      for value in values {
        let decimal = ByteView(base, Decimal.write(value, to: base)).string
        #expect(decimal == String(value))
        let hex = ByteView(base, Decimal.writeHex(value, to: base)).string
        #expect(hex == String(value, radix: 16))
      }
    }
  }

  /// Published values of the algorithm.
  @Test(
    arguments: [
      ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
      ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
    ] as [(String, UInt64)])
  func hashes(_ text: String, _ hash: UInt64) {
    withView(text) { #expect(xxHash64($0) == hash) }
  }

  @Test func hashesDependOnSeedAndEveryByte() {
    let text = String(repeating: "x", count: 77)
    let plain = withView(text) { xxHash64($0) }
    #expect(withView(text) { xxHash64($0, seed: 1) } != plain)
    for i in 0..<77 {
      var other = Array(text.utf8)
      other[i] = 121
      #expect(withView(String(decoding: other, as: UTF8.self)) { xxHash64($0) } != plain)
    }
  }

  @Test func randomRepeatsAndSpreads() {
    var a = FastRandom(seed: 7)
    var b = FastRandom(seed: 7)
    var c = FastRandom(seed: 8)
    let first = (0..<100).map { _ in a.next() }
    let same = (0..<100).map { _ in b.next() }
    #expect(first == same)
    let different = (0..<100).map { _ in c.next() }
    #expect(first != different)
    var buckets = [Int](repeating: 0, count: 10)
    for _ in 0..<10_000 { buckets[Int(a.below(10))] += 1 }
    #expect(buckets.allSatisfy { (800...1200).contains($0) })
    for _ in 0..<100 {
      let only = a.below(1)
      #expect(only == 0)
    }
  }
}
