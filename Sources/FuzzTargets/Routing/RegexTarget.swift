import HTTP1Harness
import HTTPHarness
import Primitives
import RegularExpressions

extension FuzzTarget {
  /// Regular expressions. A choice of options, then pattern, rewrite and subject in lines.
  package static let regex = FuzzTarget(name: "regex", bytesMax: 256) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let pattern = String(decoding: input.line() ?? [], as: UTF8.self)
    let rewrite = input.line() ?? []
    let subject = input.rest()
    let regex: Regex
    do throws(RegexError) {
      regex = try Regex(pattern, caseSensitive: !options.bit(0), programSizeMax: 1000)
    } catch {
      try require(!error.message.isEmpty, "no message for \(pattern)")
      return
    }
    try require(regex.programSize <= 1000, "a program of \(regex.programSize)")
    try require((0...256).contains(regex.groupCount), "\(regex.groupCount) groups")
    let (whole, part) = withExactCopy(subject) {
      (regex.handle.matchesWhole($0), regex.handle.matchesPart($0))
    }
    try require(part || !whole, "matches the whole but no part: \(pattern)")
    // Replacing each match by itself changes nothing.
    try requireEqual(replace(regex, subject, Array("\\0".utf8)), subject, "\\0 of \(pattern)")
    let text = String(decoding: rewrite, as: UTF8.self)
    do throws(RegexError) {
      try regex.check(rewrite: text)
    } catch {
      try require(!error.message.isEmpty, "no message for \(text)")
      return
    }
    let result = replace(regex, subject, Array(text.utf8))
    if !part { try requireEqual(result, subject, "nothing matched \(pattern)") }
  }

  private static func replace(_ regex: Regex, _ subject: [UInt8], _ rewrite: [UInt8]) -> [UInt8] {
    withExactCopy(subject) { subject in
      withExactCopy(rewrite) { rewrite in
        withArena {
          regex.handle.replacingAll(in: subject, with: rewrite, arena: &$0.pointee).array
        }
      }
    }
  }
}
