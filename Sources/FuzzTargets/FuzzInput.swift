/// An input taken apart: a few bytes of choices first, then text.
///
/// Choices come first and from printable bytes too, so that seeds can be written in an editor.
struct FuzzInput {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { at == bytes.count }

  /// The next byte; 0 at the end.
  mutating func choice() -> UInt8 {
    guard at < bytes.count else { return 0 }
    defer { at += 1 }
    return bytes[at]
  }

  /// Everything up to the next `separator`, which is taken too, or up to the end.
  mutating func part(upTo separator: UInt8) -> [UInt8] {
    let start = at
    while at < bytes.count, bytes[at] != separator { at += 1 }
    let part = Array(bytes[start..<at])
    if at < bytes.count { at += 1 }
    return part
  }

  /// The next line without its line feed; nil at the end.
  mutating func line() -> [UInt8]? {
    at < bytes.count ? part(upTo: UInt8(ascii: "\n")) : nil
  }

  /// Everything that is left.
  mutating func rest() -> [UInt8] {
    defer { at = bytes.count }
    return Array(bytes[at...])
  }
}

extension UInt8 {
  /// Bit `index` as a choice. Digits and letters reach bits 0 to 5.
  func bit(_ index: UInt8) -> Bool { self >> index & 1 == 1 }
}
