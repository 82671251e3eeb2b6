/// What scalar texts mean as numbers and booleans: YAML 1.2's core schema, and the further
/// boolean words that YAML 1.1 readers (Envoy's among them) take.
enum ScalarText {
  static func bool(_ text: String) -> Bool? {
    switch text {
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y": true
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N": false
    default: nil
    }
  }

  enum Integer {
    case value(magnitude: UInt64, isNegative: Bool)
    /// Looks like an integer and does not fit 64 bits.
    case tooLarge
  }

  /// Decimal without leading zeros, `0x` and `0o`; nil when `text` is no integer.
  static func integer(_ text: String) -> Integer? {
    var digits = Substring(text)
    var isNegative = false
    if let sign = digits.first, sign == "-" || sign == "+" {
      isNegative = sign == "-"
      digits = digits.dropFirst()
    }
    var radix = 10
    if digits.hasPrefix("0x") || digits.hasPrefix("0o") {
      radix = digits.hasPrefix("0x") ? 16 : 8
      digits = digits.dropFirst(2)
    } else if digits.utf8.count > 1, digits.utf8.first == UInt8(ascii: "0") {
      return nil
    }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ isDigit($0, radix: radix) }) else {
      return nil
    }
    guard let magnitude = UInt64(digits, radix: radix) else { return .tooLarge }
    return .value(magnitude: magnitude, isNegative: isNegative)
  }

  /// Any number, `.inf` and `.nan` included; nil when `text` is no number.
  static func double(_ text: String) -> Double? {
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "Infinity": return .infinity
    case "-.inf", "-.Inf", "-.INF", "-Infinity": return -.infinity
    case ".nan", ".NaN", ".NAN", "NaN": return .nan
    default: break
    }
    if let integer = integer(text), case .value(let magnitude, let isNegative) = integer {
      return isNegative ? -Double(magnitude) : Double(magnitude)
    }
    // `Double` would also take hexadecimal floats and the words `nan` and `infinity`.
    guard let first = text.utf8.first, first != UInt8(ascii: "_"),
      text.utf8.contains(where: { isDigit($0, radix: 10) }),
      text.utf8.allSatisfy({ isDigit($0, radix: 10) || "+-.eE".utf8.contains($0) }),
      !hasLeadingZero(text)
    else { return nil }
    return Double(text)
  }

  private static func hasLeadingZero(_ text: String) -> Bool {
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
    guard digits.first == UInt8(ascii: "0"), let second = digits.dropFirst().first else {
      return false
    }
    return isDigit(second, radix: 10)
  }

  private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "7"): true
    case UInt8(ascii: "8"), UInt8(ascii: "9"): radix >= 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): radix == 16
    default: false
    }
  }
}
