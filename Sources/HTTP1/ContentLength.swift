import Primitives

/// Content-Length values (RFC 9110 section 8.6).
enum ContentLength {
  /// Digits only, at most 2^63-1; `conflictingLength` for lists, even of equal numbers.
  @inline(__always)
  static func parse(_ value: ByteView) -> Result<UInt64, HTTP1Error> {
    // 18 digits cannot overflow.
    guard value.count > 0, value.count <= 18 else { return parseUnusual(value) }
    var number: UInt64 = 0
    var i = 0
    while i < value.count {
      let digit = value.base[i] &- 48
      if digit > 9 { return parseUnusual(value) }
      number = number &* 10 &+ UInt64(digit)
      i &+= 1
    }
    return .success(number)
  }

  @inline(never)
  private static func parseUnusual(_ value: ByteView) -> Result<UInt64, HTTP1Error> {
    if let number = value.decimal() { return .success(number) }
    return .failure(value.firstIndex(of: 44) == nil ? .badLength : .conflictingLength)
  }
}
