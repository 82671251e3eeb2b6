import Primitives

/// The grammar of one statsd line, read as a server reads it:
/// `name:value|type[|@rate][|#tag:value,...]`.
enum StatsdLine {
  static func check(_ line: ArraySlice<UInt8>, isTagged: Bool) throws(Violation) {
    let text = String(decoding: line, as: UTF8.self)
    try require(!line.contains { $0 < 0x20 || $0 == 0x7F }, "a control character in \(text)")
    var sections = line.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
    try require(sections.count >= 2, "no type: \(text)")
    let metric = sections.removeFirst()
    let parts = metric.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    try require(parts.count == 2, "not one name and one value: \(text)")
    try require(!parts[0].contains { " @#,".utf8.contains($0) }, "name of \(text)")
    try require(isNumber(parts[1]), "value of \(text)")
    let type = String(decoding: sections.removeFirst(), as: UTF8.self)
    try require(["c", "g", "ms"].contains(type), "type of \(text)")
    if let rate = sections.first, rate.first == UInt8(ascii: "@") {
      try require(isNumber(rate.dropFirst()), "rate of \(text)")
      sections.removeFirst()
    }
    if isTagged, let tags = sections.first, tags.first == UInt8(ascii: "#") {
      for tag in tags.dropFirst().split(
        separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
      {
        try require(tag.contains(UInt8(ascii: ":")), "a tag without a value in \(text)")
      }
      sections.removeFirst()
    }
    try require(sections.isEmpty, "more than belongs to a line: \(text)")
  }

  /// Digits with at most one point between them.
  private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count <= 2 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(ASCII.isDigit) }
  }
}
