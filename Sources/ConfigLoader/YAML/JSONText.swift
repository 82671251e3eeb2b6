/// Rewrites what JSON allows and the YAML reader does not: characters beyond U+FFFF escaped as a
/// surrogate pair, and tabs before the first brace.
enum JSONText {
  static func looksLikeJSON(_ bytes: [UInt8]) -> Bool {
    bytes.first { !isBlank($0) } == UInt8(ascii: "{")
  }

  static func adaptedToYAML(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count, isBlank(bytes[index]) {
      result.append(bytes[index] == UInt8(ascii: "\t") ? UInt8(ascii: " ") : bytes[index])
      index += 1
    }
    while index < bytes.count {
      guard bytes[index] == UInt8(ascii: "\\") else {
        result.append(bytes[index])
        index += 1
        continue
      }
      if let high = codeUnit(bytes, at: index), UTF16.isLeadSurrogate(high),
        let low = codeUnit(bytes, at: index + 6), UTF16.isTrailSurrogate(low)
      {
        result += Array(String(decoding: [high, low], as: UTF16.self).utf8)
        index += 12
      } else {
        // An escape is two bytes at least: the second may be another backslash.
        let end = min(index + 2, bytes.count)
        result += bytes[index..<end]
        index = end
      }
    }
    return result
  }

  /// The value of `\uXXXX` at `index`.
  private static func codeUnit(_ bytes: [UInt8], at index: Int) -> UInt16? {
    guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"),
      bytes[index + 1] == UInt8(ascii: "u")
    else { return nil }
    let digits = bytes[(index + 2)..<(index + 6)]
    guard digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-") else { return nil }
    return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }
}
