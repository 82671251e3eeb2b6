import Format
import HTTP1
import HTTP2
import Primitives
import Reactor

/// What HTTP on one worker reuses for every message.
final class HTTPScratch {
  var table: FieldTable
  var requestHead = RequestHead()
  var responseHead = ResponseHead()
  var streams = Pool<HTTPStream>()
  var timers = Pool<FilterTimerNode>()
  var http2Connections = Pool<HTTP2Connection>()
  /// What all sessions share; nil until there is one.
  private(set) var http2Memory: HTTP2Memory?
  /// Requests without a client.
  var internalRequests = 0
  /// Streams that ended in this turn: freed when it is over.
  var graveyard: [HTTPStreamRef] = []
  /// Streams whose terminal goes on in the next turn.
  var resumed: [HTTPStreamRef] = []
  /// Formatted second for `date`, and formats' own times.
  var date = DateCache()
  let timeCache: UnsafeMutablePointer<TimeFormatCache>
  /// Room for one access log line.
  let line: UnsafeMutablePointer<UInt8>
  static let lineBytesMax = 64 * 1024

  /// Fields of a head that any listener may allow.
  static let fieldCountMax = 8192

  init() {
    table = FieldTable(capacity: Self.fieldCountMax)
    timeCache = .allocate(capacity: 1)
    timeCache.initialize(to: TimeFormatCache())
    line = .allocate(capacity: Self.lineBytesMax)
  }

  func sessionMemory(_ arenas: ArenaPool) -> HTTP2Memory {
    if let http2Memory { return http2Memory }
    let made = HTTP2Memory(arenas: arenas)
    http2Memory = made
    return made
  }

  deinit {
    table.deallocate()
    timeCache.pointee.deallocate()
    timeCache.deallocate()
    line.deallocate()
  }
}

/// `date` in the form of RFC 9110 section 5.6.7, made once a second.
struct DateCache {
  private var second: Int64 = .min
  private var text = InlineArray<32, UInt8>(repeating: 0)
  private static let length = 29

  /// A copy in `arena`.
  mutating func view(wallNanoseconds: Int64, arena: inout Arena) -> ByteView {
    let current = wallNanoseconds / 1_000_000_000
    if current != second {
      second = current
      write(current)
    }
    let target = arena.allocate(Self.length)
    for i in 0..<Self.length { target[i] = text[i] }
    return ByteView(target, Self.length)
  }

  private mutating func write(_ seconds: Int64) {
    let days = seconds / 86_400
    let rest = seconds % 86_400
    // Civil date from days (proleptic Gregorian): shift the year to begin in March.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let weekday = Int((days + 4) % 7)
    put(0, ByteView("SunMonTueWedThuFriSat").slice(from: weekday * 3, to: weekday * 3 + 3))
    put(3, ", ")
    digits(5, day, 2)
    put(7, " ")
    let name = Int(month - 1) * 3
    put(8, ByteView("JanFebMarAprMayJunJulAugSepOctNovDec").slice(from: name, to: name + 3))
    put(11, " ")
    digits(12, year, 4)
    put(16, " ")
    digits(17, rest / 3600, 2)
    put(19, ":")
    digits(20, rest / 60 % 60, 2)
    put(22, ":")
    digits(23, rest % 60, 2)
    put(25, " GMT")
  }

  private mutating func put(_ at: Int, _ text: StaticString) { put(at, ByteView(text)) }

  private mutating func put(_ at: Int, _ view: ByteView) {
    for i in 0..<view.count { text[at + i] = view[i] }
  }

  private mutating func digits(_ at: Int, _ value: Int64, _ count: Int) {
    var rest = value
    for i in stride(from: count - 1, through: 0, by: -1) {
      text[at + i] = 48 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}
