import Testing

@testable import ConfigCompiler

struct PayloadMatchTests {
  private func matches(_ blocks: [String], _ text: String) -> Bool {
    PayloadMatch(blocks.map { Array($0.utf8) }).matches(Array(text.utf8))
  }

  @Test func blocksOccurInOrderWithAnythingBetween() {
    #expect(matches([], ""))
    #expect(matches(["ab"], "xxabyy"))
    #expect(matches(["ab", "cd"], "ab-cd"))
    #expect(matches(["ab", "cd"], "abcd"))
    #expect(!matches(["ab", "cd"], "cdab"))
    #expect(!matches(["ab", "ab"], "xabx"), "a block is not used twice")
    #expect(matches(["aab"], "aaab"))
    #expect(!matches(["ab"], "a"))
    #expect(!matches(["a"], ""))
    #expect(matches(["", "a"], "a"))
  }

  @Test func hexadecimalText() {
    #expect(CompilerPass.bytes(hexadecimal: "00ffA1") == [0, 0xFF, 0xA1])
    #expect(CompilerPass.bytes(hexadecimal: "") == [])
    for bad in ["0", "0g", "ping", "é0", "٣٣"] { #expect(CompilerPass.bytes(hexadecimal: bad) == nil, "\(bad)") }
  }

  @Test func statusesAreHalfOpenRanges() {
    let ranges = StatusRanges([200..<204, 304..<305])
    #expect(ranges.contains(200) && ranges.contains(203) && ranges.contains(304))
    #expect(!ranges.contains(204) && !ranges.contains(305))
  }
}
