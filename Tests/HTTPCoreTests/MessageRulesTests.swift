import HTTPHarness
import Primitives
import Testing

@testable import HTTPCore

@Suite struct MessageRulesTests {
  @Test func names() {
    for byte in UInt8.min...UInt8.max {
      let isToken = "!#$%&'*+-.^_`|~".utf8.contains(byte) || byte.isAlphanumeric
      for name in [[byte], [97, byte], Array(repeating: 97, count: 20) + [byte]] {
        #expect(withExactCopy(name) { MessageRules.isValidName($0) } == isToken, "\(byte)")
      }
    }
    #expect(!withExactCopy([UInt8]()) { MessageRules.isValidName($0) })
  }

  @Test func values() {
    for byte in UInt8.min...UInt8.max {
      let isValid = byte >= 32 && byte != 127 || byte == 9
      for length in [2, 7, 8, 15, 16, 17, 40] {
        for at in 1..<length - 1 {
          var value = [UInt8](repeating: 97, count: length)
          value[at] = byte
          let result = withExactCopy(value) { MessageRules.isValidValue($0) }
          if result != isValid { #expect(result == isValid, "\(byte) at \(at) of \(length)") }
        }
      }
    }
    for value in [" a", "a ", "\ta", "a\t", " "] {
      #expect(!withExactCopy(value.wire) { MessageRules.isValidValue($0) })
    }
    #expect(withExactCopy([UInt8]()) { MessageRules.isValidValue($0) })
  }

  @Test func methods() {
    let valid = ["GET", "M-SEARCH", "x", String(repeating: "A", count: 32)]
    for text in valid { #expect(withExactCopy(text.wire) { MessageRules.isValidMethod($0) }) }
    for text in ["", "GET ", "G(T", "G\u{80}T", String(repeating: "A", count: 33)] {
      #expect(!withExactCopy(text.wire) { MessageRules.isValidMethod($0) })
    }
    let named: [(String, RequestMethod)] = [
      ("GET", .get), ("HEAD", .head), ("CONNECT", .connect), ("OPTIONS", .options), ("", .other),
      ("get", .other), ("GEM", .other), ("POST", .other), ("CONNECX", .other), ("G", .other),
    ]
    for (text, method) in named {
      #expect(withExactCopy(text.wire) { RequestMethod($0) } == method)
    }
  }

  @Test func targets() {
    for text in ["/", "*", "/a?b=%20", "/" + String(repeating: "~", count: 40)] {
      #expect(withExactCopy(text.wire) { MessageRules.isValidTarget($0) })
    }
    for text in ["", "/ ", "/#a", "/\u{7F}", "/\u{80}", "/a\tb", "/\u{0}"] {
      #expect(!withExactCopy(text.wire) { MessageRules.isValidTarget($0) })
    }
  }

  @Test func authorities() {
    for text in ["a", "a:1", "a:", "a:65535", "[::1]", "[::1]:80", "a_b", "%41"] {
      #expect(withExactCopy(text.wire) { MessageRules.isValidAuthority($0) }, "\(text)")
    }
    for text in ["", ":1", "u@a", "a:x", "a:65536", "a b", "a/", "[::1", "%4", "a\r"] {
      #expect(!withExactCopy(text.wire) { MessageRules.isValidAuthority($0) }, "\(text)")
    }
    #expect(!withExactCopy("a".wire) { MessageRules.isValidAuthority($0, port: .required) })
    #expect(withExactCopy("a:1".wire) { MessageRules.isValidAuthority($0, port: .required) })
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
}

extension UInt8 {
  fileprivate var isAlphanumeric: Bool {
    (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self)
  }
}
