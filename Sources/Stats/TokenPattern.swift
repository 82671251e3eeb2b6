/// A pattern over the dot separated parts of a name: a literal part, `*` for any one part, `**` for any number
/// of parts, `$` for the part that becomes the tag's value.
struct TokenPattern: Sendable {
  let tagName: String
  let tokens: [[UInt8]]

  init(_ tagName: String, _ pattern: StaticString) {
    self.tagName = tagName
    tokens = "\(pattern)".utf8.split(separator: UInt8(ascii: ".")).map(Array.init)
  }

  /// The index of the part that is the tag's value.
  func match(_ name: NameParts) -> Int? {
    var captured: Int?
    return matches(name, token: 0, part: 0, captured: &captured) ? captured : nil
  }

  private func matches(
    _ name: NameParts, token: Int, part: Int, captured: inout Int?
  ) -> Bool {
    guard token < tokens.count else { return part == name.parts.count }
    let wanted = tokens[token]
    if wanted == Array("**".utf8) {
      return token == tokens.count - 1
        || (part...name.parts.count).contains {
          matches(name, token: token + 1, part: $0, captured: &captured)
        }
    }
    guard part < name.parts.count else { return false }
    if wanted == Array("$".utf8) {
      captured = part
    } else if wanted != Array("*".utf8), !name.part(part).elementsEqual(wanted) {
      return false
    }
    return matches(name, token: token + 1, part: part + 1, captured: &captured)
  }
}

/// A name as bytes, and where its dot separated parts are.
struct NameParts {
  let bytes: [UInt8]
  let parts: [Range<Int>]

  init(_ name: String) {
    bytes = Array(name.utf8)
    var parts: [Range<Int>] = []
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: ".") {
      parts.append(start..<index)
      start = index + 1
    }
    parts.append(start..<bytes.count)
    self.parts = parts
  }

  func part(_ index: Int) -> ArraySlice<UInt8> { bytes[parts[index]] }

  func isPart(_ index: Int, _ text: StaticString) -> Bool {
    guard parts.indices.contains(index) else { return false }
    return part(index).elementsEqual("\(text)".utf8)
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
