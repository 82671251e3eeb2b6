import Format
import HTTP1Harness
import Primitives

extension FuzzTarget {
  /// Format strings of access logs and header values. A choice of capacity and options, a line with
  /// the format (form feeds stand for line feeds), then header lines.
  package static let textFormat = FuzzTarget(name: "text-format", bytesMax: 512) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let capacity = Int(input.choice())
    let text = String(
      decoding: (input.line() ?? []).map { $0 == 12 ? 10 : $0 }, as: UTF8.self)
    let fixture = FormatFixture(&input)
    let formatter: Formatter
    do throws(FormatError) {
      formatter = try Formatter(
        text: text, omitEmptyValues: options.bit(0), environment: FormatFixture.environment)
    } catch {
      try checkFormatError(error, text)
      return
    }
    let whole = try checkSinks(formatter, fixture, capacity)
    try require(!text.isEmpty || whole.isEmpty, "an empty format writes something")
    if !text.utf8.contains(UInt8(ascii: "%")) {
      try requireEqual(whole, Array(text.utf8), "a format without operators")
    }
  }

  static func checkFormatError(_ error: FormatError, _ text: String) throws(Violation) {
    try require(!error.message.isEmpty, "no message for \(text)")
    try require(
      (0...text.utf8.count).contains(error.offset), "offset \(error.offset) in \(text)")
    if !error.command.isEmpty {
      let rest = text.utf8.dropFirst(error.offset)
      try require(rest.first == UInt8(ascii: "%"), "offset \(error.offset) in \(text)")
      try require(
        rest.dropFirst().starts(with: error.command.utf8), "\(error.command) not in \(text)")
    }
  }

  /// A sink that is too small holds a beginning of the whole, and how times are cached does not
  /// show.
  /// - Returns: The whole output.
  static func checkSinks(
    _ formatter: Formatter, _ fixture: FormatFixture, _ capacity: Int
  ) throws(Violation) -> [UInt8] {
    let whole = fixture.write(formatter, capacity: 1 << 16)
    try require(!whole.isTruncated, "longer than 64 KiB")
    let uncached = fixture.write(formatter, capacity: 1 << 16, usesCache: false)
    try requireEqual(uncached.bytes, whole.bytes, "without a time cache")
    let exact = fixture.write(formatter, capacity: whole.bytes.count)
    try requireEqual(exact.bytes, whole.bytes, "in a sink that just fits")
    let small = fixture.write(formatter, capacity: capacity)
    try require(small.bytes.count <= capacity, "\(small.bytes.count) bytes in \(capacity)")
    if !small.isTruncated { try requireEqual(small.bytes, whole.bytes, "in \(capacity) bytes") }
    // Writing again into more room draws new identifiers.
    if fixture.drawsRandomValues(formatter) { return whole.bytes }
    let formatted = fixture.withContext(usesCache: true) { context, arena in
      formatter.program.format(context: context, arena: &arena.pointee).array
    }
    try requireEqual(formatted, whole.bytes, "in an arena")
    let cut = fixture.withContext(usesCache: true) { context, arena in
      formatter.program.format(
        context: context, arena: &arena.pointee, byteCountMax: capacity
      ).array
    }
    try require(cut.count <= capacity, "\(cut.count) bytes, the limit is \(capacity)")
    return whole.bytes
  }
}
