/// Numbers to text without `String`.
public enum Decimal {
  /// Writes `value` in decimal (20 bytes suffice) and returns how many bytes it took.
  @inlinable
  @discardableResult
  public static func write(_ value: UInt64, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var digits = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      digits &+= 1
    }
    rest = value
    var at = digits
    repeat {
      at &-= 1
      target[at] = 48 &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while at > 0
    return digits
  }

  /// Writes `value` in lower-case hexadecimal without leading zeros (16 bytes suffice).
  @inlinable
  @discardableResult
  public static func writeHex(_ value: UInt64, to target: UnsafeMutablePointer<UInt8>) -> Int {
    let digits = max(1, (64 &- value.leadingZeroBitCount &+ 3) / 4)
    var at = digits
    var rest = value
    while at > 0 {
      at &-= 1
      let nibble = UInt8(truncatingIfNeeded: rest & 15)
      target[at] = nibble < 10 ? 48 &+ nibble : 87 &+ nibble
      rest >>= 4
    }
    return digits
  }
}
