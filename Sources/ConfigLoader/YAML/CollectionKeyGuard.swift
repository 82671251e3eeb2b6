/// Refuses, before the YAML library sees it, a text whose keys could take for ever to compare.
///
/// The library hashes every key to find duplicates. A key that is a list of aliases to lists of
/// aliases has an exponential number of parts. No configuration needs such keys, so a text that
/// seems to have a list, mapping or alias as a key may use only a few aliases.
enum CollectionKeyGuard {
  static func isSuspicious(_ bytes: [UInt8]) -> Bool {
    guard bytes.contains(UInt8(ascii: "&")), bytes.contains(UInt8(ascii: "*")) else { return false }
    var aliases = 0
    var hasCollectionKey = false
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      let startsToken = index == 0 || isSeparator(bytes[index - 1])
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        index = startsToken ? endOfQuoted(bytes, from: index) : index + 1
        continue
      case UInt8(ascii: "#") where startsToken:
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
        continue
      case UInt8(ascii: "*") where startsToken:
        var end = index + 1
        while end < bytes.count, isNameByte(bytes[end]) { end += 1 }
        if end > index + 1 {
          aliases += 1
          hasCollectionKey = hasCollectionKey || isFollowedByColon(bytes, end)
        }
        index = max(end, index + 1)
        continue
      case UInt8(ascii: "?") where startsToken:
        hasCollectionKey = hasCollectionKey || index + 1 == bytes.count || isBlank(bytes[index + 1])
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        hasCollectionKey = hasCollectionKey || isFollowedByColon(bytes, index + 1)
      default: break
      }
      index += 1
    }
    return hasCollectionKey && aliases > Limits.aliasesBesideCollectionKeysMax
  }

  private static func endOfQuoted(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start + 1
    while index < bytes.count, bytes[index] != bytes[start] {
      let escapes = bytes[start] == UInt8(ascii: "\"") && bytes[index] == UInt8(ascii: "\\")
      index += escapes ? 2 : 1
    }
    return min(index, bytes.count) + 1
  }

  private static func isFollowedByColon(_ bytes: [UInt8], _ start: Int) -> Bool {
    var index = start
    while index < bytes.count, isBlank(bytes[index]) { index += 1 }
    return index < bytes.count && bytes[index] == UInt8(ascii: ":")
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n")
      || byte == UInt8(ascii: "\r")
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    isBlank(byte) || "[{,:-?".utf8.contains(byte)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
