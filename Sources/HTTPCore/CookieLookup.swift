import Primitives

extension HeaderMap {
  /// The value of the first cookie with this name, without the double quotes around it (RFC 6265 section 4.1.1).
  ///
  /// - Complexity: O(bytes of the Cookie fields).
  public func cookie(_ name: ByteView) -> ByteView? {
    guard mayHave(.cookie) else { return nil }
    for i in 0..<slotCount where fields[i].known == .cookie && !fields[i].isRemoved {
      if let value = Self.cookie(name, in: fields[i].value) { return value }
    }
    return nil
  }

  private static func cookie(_ name: ByteView, in field: ByteView) -> ByteView? {
    var rest = field
    while true {
      let end = rest.firstIndex(of: UInt8(ascii: ";"))
      var pair = rest.prefix(end ?? rest.count)
      while pair.count > 0, pair[0] == UInt8(ascii: " ") { pair = pair.dropFirst(1) }
      if let equals = pair.firstIndex(of: UInt8(ascii: "=")), pair.prefix(equals) == name {
        let value = pair.dropFirst(equals &+ 1)
        let quote = UInt8(ascii: "\"")
        let isQuoted = value.count >= 2 && value[0] == quote && value[value.count &- 1] == quote
        return isQuoted ? value.slice(from: 1, to: value.count &- 1) : value
      }
      guard let end else { return nil }
      rest = rest.dropFirst(end &+ 1)
    }
  }
}
