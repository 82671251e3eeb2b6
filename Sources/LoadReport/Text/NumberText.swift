/// Numbers as text, the same in every locale.
enum NumberText {
  /// With `decimals` digits behind the point, rounded half away from zero; "-" when not finite.
  static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite else { return "-" }
    let scale = powerOfTen(decimals)
    let scaled = (abs(value) * scale).rounded()
    // Larger ones have no digits behind the point that mean anything.
    guard scaled < 0x1p63 else { return "\(value.rounded())" }
    let whole = UInt64(scaled)
    let sign = value < 0 && whole > 0 ? "-" : ""
    guard decimals > 0 else { return sign + "\(whole)" }
    let unit = UInt64(scale)
    let fraction = String(whole % unit)
    let zeros = String(repeating: "0", count: decimals - fraction.count)
    return "\(sign)\(whole / unit).\(zeros)\(fraction)"
  }

  /// With about `digits` significant digits and no exponent: 0.0123, 1.23, 12.3, 123, 1234.
  static func significant(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "-" }
    var decimals = 0
    // Compared as it will be rounded: 9.996 is 10.0 and not 10.00.
    while decimals < 9, (abs(value) * powerOfTen(decimals + 1)).rounded() < powerOfTen(digits) {
      decimals += 1
    }
    return fixed(value, decimals: decimals)
  }

  /// As ``significant(_:digits:)`` without zeros at the end: "2.5", "10".
  static func shortest(_ value: Double) -> String {
    let text = significant(value)
    guard text.contains(".") else { return text }
    let digits = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
    return String(digits.reversed())
  }

  /// 1,234,567
  static func grouped(_ value: UInt64) -> String {
    let digits = Array(String(value))
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return result
  }

  /// A number per second, without the unit: 12.3 or 12,345.
  static func rate(_ value: Double) -> String {
    guard value.isFinite, value >= 0 else { return "-" }
    if value < 100, value != value.rounded() { return significant(value) }
    return value < 0x1p63 ? grouped(UInt64(value.rounded())) : "\(value)"
  }

  /// A part as a percentage: "12.3 %". Never "0 %" when it is not zero, never "100 %" when something is missing.
  static func percent(_ fraction: Double) -> String {
    guard fraction.isFinite else { return "-" }
    let percent = fraction * 100
    if percent == 0 || percent == 100 { return fixed(percent, decimals: 0) + " %" }
    if percent > 0, percent < 0.001 { return "<0.001 %" }
    if percent < 100, percent > 99.999 { return ">99.999 %" }
    if percent < 100, percent >= 99.95 { return fixed(percent, decimals: 3) + " %" }
    return significant(percent) + " %"
  }

  /// "1.23 MiB"
  static func bytes(_ value: Double) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var size = value
    var unit = 0
    while size >= 1000, unit < units.count - 1 {
      size /= 1024
      unit += 1
    }
    return (unit == 0 ? fixed(size, decimals: 0) : significant(size)) + " " + units[unit]
  }

  static func powerOfTen(_ exponent: Int) -> Double {
    (0..<max(0, exponent)).reduce(1.0) { result, _ in result * 10 }
  }
}
