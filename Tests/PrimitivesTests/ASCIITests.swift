import Testing

@testable import Primitives

@Suite struct ASCIITests {
  @Test func classes() {
    let tokens = Set("!#$%&'*+-.^_`|~0123456789".utf8)
    for byte in UInt8.min...UInt8.max {
      let upper = (65...90).contains(byte)
      let lower = (97...122).contains(byte)
      #expect(ASCII.isAlpha(byte) == (upper || lower))
      #expect(ASCII.isDigit(byte) == (48...57).contains(byte))
      #expect(ASCII.isToken(byte) == (upper || lower || tokens.contains(byte)))
      #expect(ASCII.lowercase(byte) == (upper ? byte + 32 : byte))
      #expect(ASCII.uppercase(byte) == (lower ? byte - 32 : byte))
      let hex = byte < 128 ? Character(UnicodeScalar(byte)).hexDigitValue : nil
      #expect(ASCII.hexValue(byte).map(Int.init) == hex)
      #expect(ASCII.isOptionalWhitespace(byte) == (byte == 32 || byte == 9))
    }
  }

  @Test(arguments: [("", ""), (" \t", ""), ("a", "a"), (" \ta b\t ", "a b"), ("\r a", "\r a")])
  func trimming(_ text: String, _ wanted: String) {
    withView(text) { #expect($0.trimmed().string == wanted) }
  }

  @Test(
    arguments: [
      ("", nil), ("0", 0), ("007", 7), ("9223372036854775807", UInt64(Int64.max)),
      ("9223372036854775808", nil), ("18446744073709551616", nil), ("99999999999999999999999", nil),
      ("-1", nil), ("+1", nil), (" 1", nil), ("1a", nil),
    ] as [(String, UInt64?)])
  func decimals(_ text: String, _ value: UInt64?) {
    withView(text) { #expect($0.decimal() == value) }
  }

  @Test func decimalLimits() {
    withView("18446744073709551615") { #expect($0.decimal(limit: .max) == .max) }
    withView("18446744073709551616") { #expect($0.decimal(limit: .max) == nil) }
    withView("100") { #expect($0.decimal(limit: 99) == nil) }
  }

  @Test(
    arguments: [
      ("", []), (",", []), ("a", ["a"]), (" a ,b", ["a", "b"]), (",a,,b c,", ["a", "b c"]),
      ("\t,\ta\t", ["a"]),
    ] as [(String, [String])])
  func lists(_ text: String, _ elements: [String]) {
    withView(text) { view in
      var found: [String] = []
      view.forEachListElement {
        found.append($0.string)
        return true
      }
      #expect(found == elements)
    }
  }

  @Test func listSearch() {
    withView("keep-alive, Upgrade") {
      #expect($0.listContains("upgrade"))
      #expect(!$0.listContains("up"))
      #expect(!$0.listContains(""))
    }
  }
}
