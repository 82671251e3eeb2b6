import Primitives

/// What makes an HTTP message one of gRPC, and its deadline (grpc.io, "gRPC over HTTP2").
public enum GRPC {
  /// `application/grpc`, alone or with a format behind a plus. Other content types may begin like it: `application/grpc-web`
  /// is another protocol.
  @inlinable
  public static func isGRPC(contentType: ByteView) -> Bool {
    let name = ByteView("application/grpc")
    guard contentType.count >= name.count, contentType.hasPrefix(name) else { return false }
    return contentType.count == name.count || contentType[name.count] == UInt8(ascii: "+")
  }

  /// Longer deadlines are as good as this one: 139 years, so that sums of nanoseconds stay within 64 bits.
  public static let timeoutMillisecondsMax: UInt64 = 1 << 42

  /// The milliseconds of a `grpc-timeout`: one to eight digits and a unit; parts of a millisecond count as a whole one.
  /// Nil for what is none.
  public static func timeoutMilliseconds(_ text: ByteView) -> UInt64? {
    guard text.count >= 2, text.count <= 9 else { return nil }
    var value: UInt64 = 0
    for i in 0..<text.count - 1 {
      guard ASCII.isDigit(text[i]) else { return nil }
      value = value * 10 + UInt64(text[i] & 15)
    }
    let milliseconds: UInt64
    switch text[text.count - 1] {
    case UInt8(ascii: "H"): milliseconds = value * 3_600_000
    case UInt8(ascii: "M"): milliseconds = value * 60_000
    case UInt8(ascii: "S"): milliseconds = value * 1000
    case UInt8(ascii: "m"): milliseconds = value
    case UInt8(ascii: "u"): milliseconds = (value + 999) / 1000
    case UInt8(ascii: "n"): milliseconds = (value + 999_999) / 1_000_000
    default: return nil
    }
    return min(milliseconds, timeoutMillisecondsMax)
  }

  /// Room that ``writeTimeout(milliseconds:to:)`` needs.
  public static let timeoutBytesMax = 24

  /// The text of a `grpc-timeout`, in the smallest unit that takes no more than eight digits.
  ///
  /// - Returns: How many bytes were written.
  public static func writeTimeout(milliseconds: UInt64, to target: UnsafeMutablePointer<UInt8>) -> Int {
    let digitsMax: UInt64 = 99_999_999
    var value = milliseconds
    var unit = UInt8(ascii: "m")
    if value > digitsMax {
      value = milliseconds / 1000
      unit = UInt8(ascii: "S")
    }
    if value > digitsMax {
      value = milliseconds / 60_000
      unit = UInt8(ascii: "M")
    }
    if value > digitsMax {
      value = min(milliseconds / 3_600_000, digitsMax)
      unit = UInt8(ascii: "H")
    }
    let count = Decimal.write(value, to: target)
    target[count] = unit
    return count + 1
  }
}
