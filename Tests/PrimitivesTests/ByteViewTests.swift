import Testing

@testable import Primitives

/// A view of a string's bytes in memory of exactly their size.
func withView<R>(_ text: String, _ body: (ByteView) throws -> R) rethrows -> R {
  let bytes = Array(text.utf8)
  let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
  defer { copy.deallocate() }
  copy.initialize(repeating: 0, count: max(1, bytes.count))
  for (i, byte) in bytes.enumerated() { copy[i] = byte }
  return try body(ByteView(copy, bytes.count))
}

@Suite struct ByteViewTests {
  @Test(arguments: [
    ("", "", true), ("a", "", false), ("", "a", false), ("abc", "abc", true), ("abc", "abd", false),
    ("abc", "ABC", false), ("abc", "abcd", false),
  ])
  func equality(_ a: String, _ b: String, _ equal: Bool) {
    withView(a) { a in withView(b) { b in #expect((a == b) == equal) } }
  }

  @Test(arguments: [
    ("Content-Length", "content-length", true), ("a", "A", true), ("", "", true), ("a", "b", false),
    ("@", "`", false), ("[", "{", false), ("ab", "a", false),
  ])
  func equalityIgnoringCase(_ a: String, _ b: String, _ equal: Bool) {
    withView(a) { a in withView(b) { b in #expect(a.equalsIgnoringCase(b) == equal) } }
  }

  @Test(arguments: [
    ("", "", true, true), ("abc", "", true, true), ("abc", "ab", true, false),
    ("abc", "bc", false, true), ("abc", "abc", true, true), ("ab", "abc", false, false),
    ("abc", "AB", false, false),
  ])
  func prefixesAndSuffixes(_ text: String, _ part: String, _ prefix: Bool, _ suffix: Bool) {
    withView(text) { text in
      withView(part) { part in
        #expect(text.hasPrefix(part) == prefix)
        #expect(text.hasSuffix(part) == suffix)
      }
    }
    withView(text.uppercased()) { text in
      withView(part.lowercased()) { part in
        #expect(
          text.hasPrefixIgnoringCase(part) == text.prefix(part.count).equalsIgnoringCase(part))
        if suffix { #expect(text.hasSuffixIgnoringCase(part)) }
      }
    }
  }

  @Test(arguments: [
    ("", "", true), ("abc", "", true), ("", "a", false), ("abc", "abc", true),
    ("abc", "abcd", false),
    ("aab", "ab", true), ("abab", "ba", true), ("abab", "bb", false), ("xxa", "a", true),
  ])
  func containment(_ text: String, _ needle: String, _ found: Bool) {
    withView(text) { text in withView(needle) { #expect(text.contains($0) == found) } }
  }

  @Test func order() {
    let sorted = ["", "A", "a", "aa", "ab", "b"]
    for (i, a) in sorted.enumerated() {
      for (j, b) in sorted.enumerated() {
        withView(a) { a in withView(b) { #expect((a < $0) == (i < j)) } }
      }
    }
  }

  @Test func slices() {
    withView("hello") { view in
      #expect(view.slice(from: 1, to: 3) == "el")
      #expect(view.dropFirst(5).isEmpty)
      #expect(view.prefix(99) == "hello")
      #expect(view.firstIndex(of: UInt8(ascii: "l")) == 2)
      #expect(view.firstIndex(of: 0) == nil)
      #expect(ByteView.empty.firstIndex(of: 0) == nil)
      #expect(view.string == "hello")
      #expect(view.array == Array("hello".utf8))
    }
  }
}
