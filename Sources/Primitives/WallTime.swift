import Glibc

/// Calendar time as people and protobuf's JSON write it.
public enum WallTime {
  /// RFC 3339 in UTC with milliseconds: `2026-11-24T01:02:03.456Z`.
  ///
  /// - Parameter nanoseconds: Since 1970.
  public static func text(nanoseconds: Int64) -> String {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int32, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let milliseconds = Int32(nanoseconds % 1_000_000_000 / 1_000_000)
    return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
      + "T\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2)).\(digits(milliseconds, 3))Z"
  }
}
