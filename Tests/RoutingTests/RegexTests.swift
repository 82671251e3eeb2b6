import Primitives
import RegularExpressions
import Testing

@Suite struct RegexTests {
  @Test(arguments: [
    ("a+", "aaa", true, true), ("a+", "baab", false, true), ("a|b", "c", false, false),
    ("", "", true, true), ("(?i)AB", "ab", true, true), ("a.c", "a\nc", false, false),
  ])
  func matches(pattern: String, text: String, whole: Bool, part: Bool) throws {
    let regex = try Regex(pattern)
    Array(text.utf8).withUnsafeBufferPointer {
      let view = $0.baseAddress.map { base in ByteView(base, text.utf8.count) } ?? .empty
      #expect(regex.handle.matchesWhole(view) == whole)
      #expect(regex.handle.matchesPart(view) == part)
    }
  }

  @Test func refuses() {
    let open = #expect(throws: RegexError.self) { try Regex("a(") }
    #expect(open?.message.contains("missing )") == true)
    let large = #expect(throws: RegexError.self) { try Regex("a{500}", programSizeMax: 100) }
    #expect(large?.message.contains("above the limit of 100") == true)
    #expect(throws: RegexError.self) { try Regex("(a)").check(rewrite: "\\2") }
    #expect(throws: RegexError.self) { try Regex("(a)").check(rewrite: "\\x") }
    #expect(throws: RegexError.self) { try Regex("(a)").check(rewrite: "x\\") }
    #expect(throws: Never.self) { try Regex("(a)").check(rewrite: "\\0\\1\\\\") }
  }

  @Test(arguments: [
    ("a", "banana", "o", "bonono"), ("(\\w)(\\w)", "abcd", "\\2\\1", "badc"),
    ("x*", "aé", "-", "-a-é-"), ("x", "abc", "y", "abc"), ("^", "ab", ">", ">ab"), ("a*", "baa", "", "b"),
    ("a", "aaaa", "0123456789012345678901234567890123456789", String(repeating: "0123456789", count: 16)),
    ("\\\\", "a\\b", "\\\\\\\\", "a\\\\b"),
  ])
  func replaces(pattern: String, text: String, rewrite: String, want: String) throws {
    let regex = try Regex(pattern)
    withRequest(TestRequest()) { _, _, _, arena in
      let result = regex.handle.replacingAll(
        in: bytes(text, &arena.pointee), with: bytes(rewrite, &arena.pointee),
        arena: &arena.pointee)
      #expect(result.string == want)
    }
  }
}
