/// Numbers and quoted strings as ASCII, without going through `String`.
extension [UInt8] {
  package mutating func append(_ text: StaticString) {
    text.withUTF8Buffer { append(contentsOf: $0) }
  }

  package mutating func append(text: String) { append(contentsOf: text.utf8) }

  package mutating func append(decimal value: UInt64) {
    let start = count
    var rest = value
    repeat {
      append(UInt8(48 + rest % 10))
      rest /= 10
    } while rest > 0
    self[start...].reverse()
  }

  /// `value` / 1000, with as many decimals as it needs: 1500 is `1.5`.
  package mutating func append(thousandths value: UInt64) {
    append(decimal: value / 1000)
    let fraction = value % 1000
    guard fraction > 0 else { return }
    append(".")
    append(UInt8(48 + fraction / 100))
    if fraction % 100 > 0 { append(UInt8(48 + fraction / 10 % 10)) }
    if fraction % 10 > 0 { append(UInt8(48 + fraction % 10)) }
  }

  /// A recorded value as it is displayed.
  package mutating func append(recorded value: UInt64, unit: HistogramUnit) {
    switch unit {
    case .milliseconds: append(thousandths: value)
    case .unspecified: append(decimal: value)
    }
  }

  /// Like ``append(recorded:unit:)`` but, as C's `%g`, with an exponent from a million on: `1.8e+06`.
  mutating func append(generalRecorded value: UInt64, unit: HistogramUnit) {
    let divisor: UInt64 = unit == .milliseconds ? 1000 : 1
    guard value / divisor >= 1_000_000 else { return append(recorded: value, unit: unit) }
    var mantissa = value
    var exponent = unit == .milliseconds ? -3 : 0
    // Six significant digits, rounded half up.
    while mantissa >= 10_000_000 {
      mantissa /= 10
      exponent += 1
    }
    mantissa = (mantissa + 5) / 10
    exponent += 1
    if mantissa == 1_000_000 {
      mantissa = 100_000
      exponent += 1
    }
    exponent += 5
    append(decimal: mantissa / 100_000)
    var fraction = mantissa % 100_000
    if fraction > 0 { append(".") }
    while fraction > 0 {
      append(UInt8(48 + fraction / 10_000))
      fraction = fraction % 10_000 * 10
    }
    append("e+")
    if exponent < 10 { append("0") }
    append(decimal: UInt64(exponent))
  }

  /// A JSON string with its quotes (RFC 8259 section 7).
  mutating func append(jsonString text: String) {
    append("\"")
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append("\\")
        append(byte)
      case 0..<0x20:
        append("\\u00")
        append(Self.hexDigit(byte >> 4))
        append(Self.hexDigit(byte & 15))
      default: append(byte)
      }
    }
    append("\"")
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
}
