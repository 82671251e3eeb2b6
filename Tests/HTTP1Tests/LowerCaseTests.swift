import Testing

@testable import HTTP1

@Suite struct LowerCaseTests {
  @Test func lowerCase() {
    for length in 0...40 {
      var bytes = (0..<length).map { UInt8(truncatingIfNeeded: 33 + ($0 * 7 + length * 13) % 94) }
      let wanted = bytes.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }
      bytes.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { LowerCase.fold(base, length) }
      }
      #expect(bytes == wanted)
    }
  }
}
