import Primitives

/// A worker's memory of formatted seconds: one entry for each time format in use (by a hash of
/// its number), so that the calendar is computed once a second and format, not once a request.
///
/// A trivial struct over memory of its own; make one for each worker and ``deallocate()`` it.
public struct TimeFormatCache {
  struct Entry {
    var format: UInt64
    var second: Int64
    var textCount: Int
    var fractionCount: Int
    var fractions: (UInt16, UInt16, UInt16, UInt16)  // offset | digits << 8
  }

  static let entryCount = 16
  private let entries: UnsafeMutablePointer<Entry>
  private let texts: UnsafeMutablePointer<UInt8>

  public init() {
    entries = .allocate(capacity: Self.entryCount)
    entries.initialize(
      repeating: Entry(
        format: 0, second: 0, textCount: 0, fractionCount: 0, fractions: (0, 0, 0, 0)),
      count: Self.entryCount)
    texts = .allocate(capacity: Self.entryCount * TimeFormat.textBytesMax)
  }

  public func deallocate() {
    entries.deallocate()
    texts.deallocate()
  }

  func write(_ format: TimeFormat, nanoseconds: Int64, to sink: inout ByteSink) {
    var second = nanoseconds / 1_000_000_000
    var fraction = nanoseconds % 1_000_000_000
    if fraction < 0 {
      fraction += 1_000_000_000
      second -= 1
    }
    let slot = Int(format.id % UInt64(Self.entryCount))
    let entry = entries + slot
    let text = texts + slot * TimeFormat.textBytesMax
    if entry.pointee.format != format.id || entry.pointee.second != second {
      Self.fill(entry, text, format, second)
    }
    Self.patch(entry.pointee, text, fraction: UInt64(fraction))
    sink.write(ByteView(text, entry.pointee.textCount))
  }

  /// The same without a cache, through room on the stack.
  static func writeUncached(_ format: TimeFormat, nanoseconds: Int64, to sink: inout ByteSink) {
    var second = nanoseconds / 1_000_000_000
    var fraction = nanoseconds % 1_000_000_000
    if fraction < 0 {
      fraction += 1_000_000_000
      second -= 1
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TimeFormat.textBytesMax) { room in
      guard let text = room.baseAddress else { return }
      var entry = Entry(
        format: 0, second: 0, textCount: 0, fractionCount: 0, fractions: (0, 0, 0, 0))
      fill(&entry, text, format, second)
      patch(entry, text, fraction: UInt64(fraction))
      sink.write(ByteView(text, entry.textCount))
    }
  }

  private static func fill(
    _ entry: UnsafeMutablePointer<Entry>, _ text: UnsafeMutablePointer<UInt8>,
    _ format: TimeFormat, _ second: Int64
  ) {
    var sink = ByteSink(text, capacity: TimeFormat.textBytesMax)
    entry.pointee.format = format.id
    entry.pointee.second = second
    entry.pointee.fractionCount = 0
    format.write(second: second, to: &sink) { offset, digits in
      let packed = UInt16(offset & 0xFF) | UInt16(digits) << 8
      switch entry.pointee.fractionCount {
      case 0: entry.pointee.fractions.0 = packed
      case 1: entry.pointee.fractions.1 = packed
      case 2: entry.pointee.fractions.2 = packed
      default: entry.pointee.fractions.3 = packed
      }
      entry.pointee.fractionCount += 1
    }
    entry.pointee.textCount = sink.count
  }

  private static func patch(
    _ entry: Entry, _ text: UnsafeMutablePointer<UInt8>, fraction: UInt64
  ) {
    for i in 0..<entry.fractionCount {
      let packed =
        i == 0 ? entry.fractions.0
        : i == 1 ? entry.fractions.1 : i == 2 ? entry.fractions.2 : entry.fractions.3
      let offset = Int(packed & 0xFF)
      let digits = Int(packed >> 8)
      var rest = fraction
      for _ in digits..<9 { rest /= 10 }
      var at = min(offset + digits, entry.textCount)
      while at > offset {
        at -= 1
        text[at] = 48 &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
    }
  }
}
