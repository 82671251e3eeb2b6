/// Character classes and conversions of ASCII, as the RFCs need them.
public enum ASCII {
  @inlinable @inline(__always)
  public static func lowercase(_ byte: UInt8) -> UInt8 {
    byte &- 65 < 26 ? byte | 0x20 : byte
  }

  @inlinable @inline(__always)
  public static func uppercase(_ byte: UInt8) -> UInt8 {
    byte &- 97 < 26 ? byte & 0xDF : byte
  }

  @inlinable @inline(__always)
  public static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

  @inlinable @inline(__always)
  public static func isAlpha(_ byte: UInt8) -> Bool { (byte | 0x20) &- 97 < 26 }

  /// The value of a hexadecimal digit, or nil.
  @inlinable @inline(__always)
  public static func hexValue(_ byte: UInt8) -> UInt8? {
    if byte &- 48 < 10 { return byte &- 48 }
    let letter = (byte | 0x20) &- 97
    return letter < 6 ? letter &+ 10 : nil
  }

  /// `tchar` of RFC 9110 section 5.6.2, as a bit set over 0...127.
  @inlinable @inline(__always)
  public static func isToken(_ byte: UInt8) -> Bool {
    // low: ! # $ % & ' * + - . 0-9     high: A-Z ^ _ ` a-z | ~
    let low: UInt64 = 0x03FF_6CFA_0000_0000
    let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
    if byte < 64 { return (low >> UInt64(byte)) & 1 == 1 }
    if byte < 128 { return (high >> UInt64(byte & 63)) & 1 == 1 }
    return false
  }

  /// Optional white space of RFC 9110: space or tab.
  @inlinable @inline(__always)
  public static func isOptionalWhitespace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
}

extension ByteView {
  /// Without spaces and tabs at both ends.
  @inlinable
  public func trimmed() -> ByteView {
    var from = 0
    var to = count
    while from < to, ASCII.isOptionalWhitespace(base[from]) { from &+= 1 }
    while to > from, ASCII.isOptionalWhitespace(base[to &- 1]) { to &-= 1 }
    return slice(from: from, to: to)
  }

  /// The whole view as an unsigned decimal number; nil when empty, not all digits or above `limit`.
  @inlinable
  public func decimal(limit: UInt64 = UInt64(Int64.max)) -> UInt64? {
    guard count > 0 else { return nil }
    var value: UInt64 = 0
    for i in 0..<count {
      let digit = base[i] &- 48
      guard digit < 10 else { return nil }
      let (product, overflow1) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.addingReportingOverflow(UInt64(digit))
      guard !overflow1, !overflow2, sum <= limit else { return nil }
      value = sum
    }
    return value
  }

  /// Calls `body` with each trimmed, non-empty element of a comma-separated list
  /// (RFC 9110 section 5.6.1) until it returns false.
  @inlinable @inline(__always)
  public func forEachListElement(_ body: (ByteView) -> Bool) {
    var start = 0
    var i = 0
    while i <= count {
      if i == count || base[i] == 44 {
        let element = slice(from: start, to: i).trimmed()
        if !element.isEmpty, !body(element) { return }
        start = i &+ 1
      }
      i &+= 1
    }
  }

  /// Whether the comma-separated list holds `token`, without case.
  @inlinable
  public func listContains(_ token: StaticString) -> Bool {
    var found = false
    forEachListElement { element in
      found = element.equalsIgnoringCase(token)
      return !found
    }
    return found
  }
}
