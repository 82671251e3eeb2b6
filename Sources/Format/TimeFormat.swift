import Primitives
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A compiled strftime-like format of a wall-clock time. All of a second's text is formatted once
/// and cached; only the digits of the fraction change within it.
struct TimeFormat: BitwiseCopyable {
  enum Field: UInt8 {
    case literal, year, year2, month, day, daySpace, hour, hour12, minute, second
    case dayOfYear, monthName, monthNameLong, weekday, weekdayLong, weekdayNumber
    case halfDay, epoch, zone, offset, offsetColon, fraction
  }

  struct Part: BitwiseCopyable {
    var field: Field
    var literal: UInt8 = 0
    var digits: UInt8 = 9

    /// The longest text of the field.
    var bytesMax: Int {
      switch field {
      case .literal, .weekdayNumber: 1
      case .year2, .month, .day, .daySpace, .hour, .hour12, .minute, .second, .halfDay: 2
      case .dayOfYear: 3
      case .year: 4
      case .offset, .offsetColon: 6
      case .monthName, .weekday: 3
      case .monthNameLong, .weekdayLong: 9
      case .fraction: Int(digits)
      case .epoch: 12
      case .zone: 16
      }
    }
  }

  /// Distinguishes formats in the caches for the life of the process.
  let id: UInt64
  let parts: UnsafePointer<Part>
  let count: Int
  let isLocal: Bool
  /// Whether a literal may not stand in a JSON string as it is.
  let needsEscaping: Bool

  /// Longest text of one time.
  static let textBytesMax = 240
  static let fractionsMax = 4

  private static let nextID = Atomic<UInt64>(1)

  static let defaultText = "%Y-%m-%dT%H:%M:%S.%3fZ"

  /// - Returns: nil with a message when the text has a conversion that is not supported.
  static func parse(_ text: String) -> (parts: [Part], problem: String?) {
    var parts: [Part] = []
    let bytes = Array(text.utf8)
    var at = 0
    func add(_ list: String) {
      let inner = parse(list)
      parts += inner.parts
    }
    while at < bytes.count {
      guard bytes[at] == UInt8(ascii: "%") else {
        parts.append(Part(field: .literal, literal: bytes[at]))
        at += 1
        continue
      }
      at += 1
      guard at < bytes.count else { return (parts, "time format ends in a lone %") }
      var digits: UInt8 = 9
      var hasDigits = false
      if (49...57).contains(bytes[at]) {
        digits = bytes[at] - 48
        hasDigits = true
        at += 1
      }
      guard at < bytes.count else { return (parts, "time format ends within a conversion") }
      let letter = bytes[at]
      at += 1
      if hasDigits, letter != UInt8(ascii: "f"), letter != UInt8(ascii: "s") {
        return (parts, "a width is possible for %f only")
      }
      switch Character(Unicode.Scalar(letter)) {
      case "%": parts.append(Part(field: .literal, literal: letter))
      case "t": parts.append(Part(field: .literal, literal: 9))
      case "Y": parts.append(Part(field: .year))
      case "y": parts.append(Part(field: .year2))
      case "m": parts.append(Part(field: .month))
      case "d": parts.append(Part(field: .day))
      case "e": parts.append(Part(field: .daySpace))
      case "H": parts.append(Part(field: .hour))
      case "I": parts.append(Part(field: .hour12))
      case "M": parts.append(Part(field: .minute))
      case "S": parts.append(Part(field: .second))
      case "j": parts.append(Part(field: .dayOfYear))
      case "b", "h": parts.append(Part(field: .monthName))
      case "B": parts.append(Part(field: .monthNameLong))
      case "a": parts.append(Part(field: .weekday))
      case "A": parts.append(Part(field: .weekdayLong))
      case "u": parts.append(Part(field: .weekdayNumber))
      case "p": parts.append(Part(field: .halfDay))
      case "s": parts.append(Part(field: .epoch))
      case "Z": parts.append(Part(field: .zone))
      case "z": parts.append(Part(field: .offset))
      case "f": parts.append(Part(field: .fraction, digits: digits))
      case "T": add("%H:%M:%S")
      case "R": add("%H:%M")
      case "D": add("%m/%d/%y")
      case "F": add("%Y-%m-%d")
      case "c": add("%a %b %e %H:%M:%S %Y")
      case "E":
        // %E3S: seconds with a fraction; %Ez: offset with a colon
        guard at < bytes.count else { return (parts, "time format ends within %E") }
        if bytes[at] == UInt8(ascii: "z") {
          at += 1
          parts.append(Part(field: .offsetColon))
        } else if (49...57).contains(bytes[at]), at + 1 < bytes.count,
          bytes[at + 1] == UInt8(ascii: "S")
        {
          parts.append(Part(field: .second))
          parts.append(Part(field: .literal, literal: UInt8(ascii: ".")))
          parts.append(Part(field: .fraction, digits: bytes[at] - 48))
          at += 2
        } else {
          return (parts, "only %Ez and %E1S to %E9S are supported of %E")
        }
      case "n": return (parts, "a line feed (%n) may not stand in a format")
      default:
        return (parts, "time conversion %\(Character(Unicode.Scalar(letter))) is not supported")
      }
    }
    if parts.count(where: { $0.field == .fraction }) > fractionsMax {
      return (parts, "more than \(fractionsMax) fractions of a second")
    }
    let longest = parts.reduce(0) { $0 + $1.bytesMax }
    return longest <= textBytesMax ? (parts, nil) : (parts, "time format is too long")
  }

  init(_ parts: [Part], isLocal: Bool, memory: ConfigurationMemory) {
    id = Self.nextID.wrappingAdd(1, ordering: .relaxed).oldValue
    self.parts = memory.store(parts)
    self.count = parts.count
    self.isLocal = isLocal
    needsEscaping = parts.contains { part in
      let byte = part.literal
      return part.field == .literal && (byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F)
    }
  }

  /// Formats `second` (since 1970) with zeros as fractions; tells where the fractions stand.
  func write(second: Int64, to sink: inout ByteSink, fraction: (Int, UInt8) -> Void) {
    let time = CivilTime(second: second, isLocal: isLocal)
    for i in 0..<count {
      let part = parts[i]
      switch part.field {
      case .literal: sink.write(part.literal)
      case .year: sink.write(decimal: UInt64(max(time.year, 0)))
      case .year2: sink.write(padded: time.year % 100)
      case .month: sink.write(padded: time.month)
      case .day: sink.write(padded: time.day)
      case .daySpace:
        if time.day < 10 { sink.write(32) }
        sink.write(decimal: UInt64(time.day))
      case .hour: sink.write(padded: time.hour)
      case .hour12: sink.write(padded: (time.hour + 11) % 12 + 1)
      case .minute: sink.write(padded: time.minute)
      case .second: sink.write(padded: time.second)
      case .dayOfYear:
        if time.dayOfYear < 100 { sink.write(48) }
        sink.write(padded: time.dayOfYear)
      case .monthName: sink.write(ByteView(CivilTime.monthName(time.month)).prefix(3))
      case .monthNameLong: sink.write(CivilTime.monthName(time.month))
      case .weekday: sink.write(ByteView(CivilTime.weekdayName(time.weekday)).prefix(3))
      case .weekdayLong: sink.write(CivilTime.weekdayName(time.weekday))
      case .weekdayNumber: sink.write(decimal: UInt64(time.weekday == 0 ? 7 : time.weekday))
      case .halfDay: sink.write(time.hour < 12 ? "AM" : "PM")
      case .epoch: sink.write(decimal: UInt64(max(second, 0)))
      case .zone: time.withZoneName { sink.write($0) }
      case .offset, .offsetColon:
        let minutes = time.offsetSeconds.magnitude / 60
        sink.write(time.offsetSeconds < 0 ? 45 : 43)
        sink.write(padded: Int(minutes / 60))
        if part.field == .offsetColon { sink.write(58) }
        sink.write(padded: Int(minutes % 60))
      case .fraction:
        fraction(sink.count, part.digits)
        for _ in 0..<part.digits { sink.write(48) }
      }
    }
  }
}

extension ByteSink {
  /// Two decimal digits.
  mutating func write(padded value: Int) {
    if value < 10 { write(48) }
    write(decimal: UInt64(max(value, 0)))
  }
}
