import Primitives

#if canImport(Glibc)
  import Glibc
#endif

/// A moment as calendar fields (proleptic Gregorian calendar), in UTC or in the local time zone.
struct CivilTime {
  var year = 1970
  /// 1...12
  var month = 1
  /// 1...31
  var day = 1
  var hour = 0
  var minute = 0
  var second = 0
  /// 0 = Sunday
  var weekday = 4
  /// 1...366
  var dayOfYear = 1
  var offsetSeconds = 0
  private var zone: UnsafePointer<CChar>?

  init(second: Int64, isLocal: Bool) {
    if isLocal {
      // Takes the C library's lock, once a second and format; only the ..._LOCAL operators do.
      var clock = time_t(second)
      var fields = tm()
      guard localtime_r(&clock, &fields) != nil else { return }
      year = Int(fields.tm_year) + 1900
      month = Int(fields.tm_mon) + 1
      day = Int(fields.tm_mday)
      hour = Int(fields.tm_hour)
      minute = Int(fields.tm_min)
      self.second = Int(fields.tm_sec)
      weekday = Int(fields.tm_wday)
      dayOfYear = Int(fields.tm_yday) + 1
      offsetSeconds = fields.tm_gmtoff
      zone = fields.tm_zone
      return
    }
    // Bounded so that the arithmetic below cannot overflow: years 0 to 9999.
    let clamped = min(max(second, -62_167_219_200), 253_402_300_799)
    var days = clamped / 86_400
    var rest = Int(clamped % 86_400)
    if rest < 0 {
      rest += 86_400
      days -= 1
    }
    hour = rest / 3600
    minute = rest / 60 % 60
    self.second = rest % 60
    weekday = Int(((days + 4) % 7 + 7) % 7)
    // Days since 0000-03-01, in eras of 400 years; March first makes the leap day the last.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = Int(shifted - era * 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let fromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * fromMarch + 2) / 153
    day = fromMarch - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0)
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    dayOfYear = month > 2 ? fromMarch + 60 + (isLeap ? 1 : 0) : fromMarch - 305
  }

  func withZoneName(_ body: (ByteView) -> Void) {
    guard let zone else { return body(ByteView("UTC")) }
    zone.withMemoryRebound(to: UInt8.self, capacity: 1) { body(ByteView($0, strlen(zone))) }
  }

  static func monthName(_ month: Int) -> StaticString {
    switch month {
    case 1: "January"
    case 2: "February"
    case 3: "March"
    case 4: "April"
    case 5: "May"
    case 6: "June"
    case 7: "July"
    case 8: "August"
    case 9: "September"
    case 10: "October"
    case 11: "November"
    default: "December"
    }
  }

  static func weekdayName(_ weekday: Int) -> StaticString {
    switch weekday {
    case 0: "Sunday"
    case 1: "Monday"
    case 2: "Tuesday"
    case 3: "Wednesday"
    case 4: "Thursday"
    case 5: "Friday"
    default: "Saturday"
    }
  }
}
