/// Durations as text.
enum DurationText {
  /// A latency, three digits and the unit that suits it: "87 ns", "12.3 µs", "1.23 ms", "45.6 s".
  static func latency(_ nanoseconds: Double, _ style: TextStyle) -> String {
    guard nanoseconds.isFinite, nanoseconds >= 0 else { return "-" }
    // As it will be rounded: 999.6 µs is 1.00 ms.
    if nanoseconds < 999.5 { return "\(NumberText.fixed(nanoseconds, decimals: 0)) ns" }
    if nanoseconds < 999.5e3 { return "\(NumberText.significant(nanoseconds / 1e3)) \(style.micro)s" }
    if nanoseconds < 999.5e6 { return "\(NumberText.significant(nanoseconds / 1e6)) ms" }
    return "\(NumberText.significant(nanoseconds / 1e9)) s"
  }

  static func latency(_ nanoseconds: UInt64, _ style: TextStyle) -> String {
    latency(Double(nanoseconds), style)
  }

  /// A round latency beside an axis: "1 ms", "2.5 s".
  static func tick(_ nanoseconds: Double) -> String {
    let units: [(Double, String)] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")]
    for (size, unit) in units where nanoseconds >= size * (1 - 1e-9) {
      return "\(NumberText.shortest(nanoseconds / size)) \(unit)"
    }
    return "\(NumberText.shortest(nanoseconds)) ns"
  }

  /// The length of a run: "250 ms", "30 s", "1.5 s", "2 min 5 s", "1 h 2 min".
  static func span(_ nanoseconds: UInt64) -> String {
    if nanoseconds < 1_000_000_000 { return "\(nanoseconds / 1_000_000) ms" }
    let seconds = nanoseconds / 1_000_000_000
    if seconds < 60 {
      let tenths = (nanoseconds + 50_000_000) / 100_000_000
      return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
    let minutes = seconds / 60
    if minutes < 60 { return joined(minutes, "min", seconds % 60, "s") }
    return joined(minutes / 60, "h", minutes % 60, "min")
  }

  /// A moment of a run: "0:07", "12:30", "1:02:03".
  static func clock(_ nanoseconds: UInt64) -> String {
    let seconds = nanoseconds / 1_000_000_000
    let tail = twoDigits(seconds % 60)
    if seconds < 3600 { return "\(seconds / 60):\(tail)" }
    return "\(seconds / 3600):\(twoDigits(seconds / 60 % 60)):\(tail)"
  }

  /// Wall clock in UTC: "2026-11-25 10:30:00 UTC".
  static func date(unixSeconds: UInt64) -> String {
    let day = CivilDay(daysSince1970: Int(clamping: unixSeconds / 86_400))
    let second = unixSeconds % 86_400
    let time = [second / 3600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
    return "\(day.year)-\(twoDigits(day.month))-\(twoDigits(day.day)) \(time) UTC"
  }

  private static func joined(_ large: UInt64, _ largeUnit: String, _ small: UInt64, _ smallUnit: String)
    -> String
  {
    small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
  }

  private static func twoDigits(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// A day of the Gregorian calendar.
struct CivilDay: Equatable {
  let year: UInt64
  let month: UInt64
  let day: UInt64

  /// Years are counted from March here, so that a leap day is the last day of its year.
  init(daysSince1970 days: Int) {
    let sinceEra = max(0, min(days, 1 << 40)) + 719_468
    let era = sinceEra / 146_097
    let dayOfEra = sinceEra % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let isNextYear = monthFromMarch >= 10
    day = UInt64(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    month = UInt64(isNextYear ? monthFromMarch - 9 : monthFromMarch + 3)
    year = UInt64(yearOfEra + era * 400 + (isNextYear ? 1 : 0))
  }
}
