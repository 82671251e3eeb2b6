import HTTP1Harness
import Primitives
import Testing

@testable import HTTP1

@Suite struct HeaderValidationTests {
  @Test func names() {
    for byte in UInt8.min...UInt8.max {
      let isToken = "!#$%&'*+-.^_`|~".utf8.contains(byte) || byte.isAlphanumeric
      for name in [[byte], [97, byte], Array(repeating: 97, count: 20) + [byte]] {
        #expect(withExactCopy(name) { HeaderValidation.isValidName($0) } == isToken, "\(byte)")
      }
    }
    #expect(!withExactCopy([UInt8]()) { HeaderValidation.isValidName($0) })
  }

  @Test func values() {
    for byte in UInt8.min...UInt8.max {
      let isValid = byte >= 32 && byte != 127 || byte == 9
      for length in [2, 7, 8, 15, 16, 17, 40] {
        for at in 1..<length - 1 {
          var value = [UInt8](repeating: 97, count: length)
          value[at] = byte
          let result = withExactCopy(value) { HeaderValidation.isValidValue($0) }
          if result != isValid { #expect(result == isValid, "\(byte) at \(at) of \(length)") }
        }
      }
    }
    for value in [" a", "a ", "\ta", "a\t", " "] {
      #expect(!withExactCopy(value.wire) { HeaderValidation.isValidValue($0) })
    }
    #expect(withExactCopy([UInt8]()) { HeaderValidation.isValidValue($0) })
  }

  /// The vector scans against the obvious loops, at every place and length.
  @Test func scans() {
    for byte in UInt8.min...UInt8.max {
      let isName = byte == 45 || byte.isAlphanumeric
      let isHost = isName || byte == 46
      let isValue = byte >= 32 && byte != 127
      let isTarget = byte > 32 && byte < 127 && byte != 35
      for length in [1, 5, 8, 9, 15, 16, 17, 33] {
        for at in 0..<length {
          var bytes = [UInt8](repeating: 97, count: length)
          bytes[at] = byte
          withExactCopy(bytes) { view in
            for from in [0, at / 2, at] {
              let found = [
                NameByte.scan(view.base, from, length), HostByte.scan(view.base, from, length),
                ValueByte.scan(view.base, from, length), TargetByte.scan(view.base, from, length),
              ]
              let wanted = [isName, isHost, isValue, isTarget].map { $0 ? length : at }
              if found != wanted { #expect(found == wanted, "\(byte) at \(at) of \(length)") }
            }
          }
        }
      }
    }
  }

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

extension UInt8 {
  fileprivate var isAlphanumeric: Bool {
    (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self)
  }
}
