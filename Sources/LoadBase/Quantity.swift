/// A mistake in what a person typed: one clear sentence.
public struct UsageError: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Something that cannot be done now, through no mistake of whoever asked: one clear sentence.
public struct RunFailure: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Sizes, durations, rates and fractions as people type them: `64k`, `250ms`, `20k`, `0.1%`.
public enum Quantity {
  /// Bytes: a number with `k`, `m` or `g` for powers of 1024 (`kib`, `kb` and so on mean the same).
  public static func bytes(_ text: String, option: String) throws(UsageError) -> Int {
    let (number, unit) = split(text)
    let factor: Double? =
      switch unit.lowercased() {
      case "", "b": 1
      case "k", "kb", "kib": 1024
      case "m", "mb", "mib": 1024 * 1024
      case "g", "gb", "gib": 1024 * 1024 * 1024
      default: nil
      }
    guard let number, let factor, number * factor <= 1e15 else {
      throw UsageError("\(option) \(text): expected a size in bytes, like 512, 64k or 1m")
    }
    return Int((number * factor).rounded())
  }

  /// Nanoseconds: a number with `us`, `ms`, `s`, `m` or `h`; without a unit, seconds.
  public static func nanoseconds(_ text: String, option: String) throws(UsageError) -> UInt64 {
    let (number, unit) = split(text)
    let factor: Double? =
      switch unit.lowercased() {
      case "ns": 1
      case "us", "µs": 1e3
      case "ms": 1e6
      case "", "s": 1e9
      case "m", "min": 60e9
      case "h": 3600e9
      default: nil
      }
    guard let number, let factor, number * factor <= 1e18 else {
      throw UsageError("\(option) \(text): expected a duration, like 250ms, 10s or 5m")
    }
    return UInt64((number * factor).rounded())
  }

  /// A number of things, with `k` or `m` for thousands or millions.
  public static func count(_ text: String, option: String) throws(UsageError) -> Int {
    guard let number = scaled(text), number == number.rounded(), number <= 1e15 else {
      throw UsageError("\(option) \(text): expected a whole number, like 500, 20k or 1m")
    }
    return Int(number)
  }

  /// Things a second: above 0.
  public static func rate(_ text: String, option: String) throws(UsageError) -> Double {
    var rest = Substring(text)
    if rest.hasSuffix("/s") { rest = rest.dropLast(2) }
    guard let number = scaled(String(rest)), number > 0, number <= 1e9 else {
      throw UsageError("\(option) \(text): expected requests a second, like 500, 20k or 1.5k")
    }
    return number
  }

  /// 0...1: `1%`, `0.1%` or `0.001`.
  public static func fraction(_ text: String, option: String) throws(UsageError) -> Double {
    let (number, unit) = split(text)
    let factor: Double? = unit == "%" ? 0.01 : unit.isEmpty ? 1 : nil
    guard let number, let factor, number * factor <= 1 else {
      throw UsageError("\(option) \(text): expected a fraction, like 1% or 0.01")
    }
    return number * factor
  }

  /// `low` and `high` of `low..high` or `low-high`; both the same when there is one.
  public static func range(_ text: String) -> (low: String, high: String) {
    for separator in ["..", "-"] {
      guard let at = text.firstRange(of: separator) else { continue }
      var high = String(text[at.upperBound...])
      // "1..=5" and "1...5" are what some hands type.
      if separator == "..", high.hasPrefix(".") { high.removeFirst() }
      return (String(text[..<at.lowerBound]), high)
    }
    return (text, text)
  }

  private static func scaled(_ text: String) -> Double? {
    let (number, unit) = split(text)
    guard let number else { return nil }
    switch unit.lowercased() {
    case "": return number
    case "k": return number * 1e3
    case "m": return number * 1e6
    default: return nil
    }
  }

  /// The leading non-negative decimal number and what follows it.
  private static func split(_ text: String) -> (Double?, String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    guard let first = digits.utf8.first, first != UInt8(ascii: "."), let number = Double(digits)
    else { return (nil, text) }
    return (number, String(text.dropFirst(digits.count)))
  }
}
