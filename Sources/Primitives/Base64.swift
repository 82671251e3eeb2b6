/// Base64 in the alphabet with `+` and `/` (RFC 4648 section 4), with padding.
public enum Base64 {
  /// Bytes that `count` bytes become.
  @inlinable
  public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// - Parameter target: Room for ``encodedCount(_:)`` bytes.
  /// - Returns: How many bytes were written.
  @discardableResult
  public static func encode(_ bytes: ByteView, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var at = 0
    var i = 0
    while i + 3 <= bytes.count {
      write(UInt32(bytes[i]) << 16 | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2]), to: target + at)
      at += 4
      i += 3
    }
    let rest = bytes.count - i
    guard rest > 0 else { return at }
    write(UInt32(bytes[i]) << 16 | (rest == 2 ? UInt32(bytes[i + 1]) << 8 : 0), to: target + at)
    target[at + 3] = padding
    if rest == 1 { target[at + 2] = padding }
    return at + 4
  }

  /// Decodes whole quads. Any of them may end in padding: texts that were encoded one by one may follow each other.
  ///
  /// - Parameter target: Room for 3/4 of the text; may be where the text is.
  /// - Returns: How many bytes were written; nil when the text is no Base64.
  public static func decode(_ text: ByteView, to target: UnsafeMutablePointer<UInt8>) -> Int? {
    guard text.count % 4 == 0 else { return nil }
    var at = 0
    var i = 0
    while i < text.count {
      let padded = text[i + 3] == padding ? text[i + 2] == padding ? 2 : 1 : 0
      let a = value(text[i])
      let b = value(text[i + 1])
      let c = padded == 2 ? 0 : value(text[i + 2])
      let d = padded > 0 ? 0 : value(text[i + 3])
      guard a | b | c | d < 64 else { return nil }
      let bits = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
      // What the padding stands for must be zero (RFC 4648 section 3.5).
      guard padded == 0 || bits & (padded == 1 ? 0xFF : 0xFFFF) == 0 else { return nil }
      target[at] = UInt8(truncatingIfNeeded: bits >> 16)
      if padded < 2 { target[at + 1] = UInt8(truncatingIfNeeded: bits >> 8) }
      if padded < 1 { target[at + 2] = UInt8(truncatingIfNeeded: bits) }
      at += 3 - padded
      i += 4
    }
    return at
  }

  private static let padding = UInt8(ascii: "=")

  @inline(__always)
  private static func write(_ bits: UInt32, to target: UnsafeMutablePointer<UInt8>) {
    target[0] = digit(bits >> 18)
    target[1] = digit(bits >> 12)
    target[2] = digit(bits >> 6)
    target[3] = digit(bits)
  }

  @inline(__always)
  private static func digit(_ bits: UInt32) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: bits & 63)
    switch value {
    case 0..<26: return value + 65
    case 26..<52: return value + 71
    case 52..<62: return value - 4
    case 62: return UInt8(ascii: "+")
    default: return UInt8(ascii: "/")
    }
  }

  /// 0...63; 255 for what is no digit.
  @inline(__always)
  private static func value(_ digit: UInt8) -> UInt8 {
    switch digit {
    case 65...90: digit - 65
    case 97...122: digit - 71
    case 48...57: digit + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: 255
    }
  }
}
