import HTTPCore
import Primitives

/// Reads field lines up to the empty line (RFC 9112 section 5) into a ``FieldTable``: syntax only.
enum FieldSectionParser {
  /// - Parameters:
  ///   - base: The head; offsets in the table count from here.
  ///   - start: The first field line.
  ///   - end: Bytes that may be looked at.
  /// - Returns: The offset after the empty line.
  @inline(never)
  static func parse(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, fieldCountMax: UInt32,
    _ table: inout FieldTable
  ) -> Step {
    let fields = table.fields
    let knownHeaders = table.knownHeaders
    let countMax = min(Int(fieldCountMax), table.capacity)
    var count = 0
    var specialCount = 0
    var lineStart = start
    table.hasUnderscores = false
    table.count = 0
    while true {
      if lineStart >= end { return .needMore }
      if count == countMax, base[lineStart] != 13 { return .failed(.tooManyFields) }

      // Name
      if base[lineStart] == 13 {
        if lineStart &+ 1 == end { return .needMore }
        if base[lineStart &+ 1] != 10 { return .failed(.bareCarriageReturn) }
        table.count = count
        table.specialCount = specialCount
        return .next(lineStart &+ 2)
      }
      var nameEnd = NameByte.scan(base, lineStart, end)
      if nameEnd == end { return .needMore }
      var flags: FieldFlags = []
      if base[nameEnd] != 58 || nameEnd == lineStart {
        let step = unusualName(base, lineStart, nameEnd, end, &flags)
        if !step.isNext { return step }
        nameEnd = step.raw
        if !flags.isEmpty { table.hasUnderscores = true }
      }

      // Value: usually one space before and none after.
      var valueStart = nameEnd &+ 1
      if valueStart &+ 1 < end, base[valueStart] == 32, base[valueStart &+ 1] > 32 {
        valueStart &+= 1
      } else {
        while valueStart < end, ASCII.isOptionalWhitespace(base[valueStart]) { valueStart &+= 1 }
      }
      var valueEnd = ValueByte.scan(base, valueStart, end)
      if valueEnd &+ 1 >= end || lineEnd(base, valueEnd) != 0x0A0D {
        let step = unusualValueEnd(base, valueEnd, end)
        if !step.isNext { return step }
        valueEnd = step.raw
      }
      let nextLine = valueEnd &+ 2
      while valueEnd > valueStart, ASCII.isOptionalWhitespace(base[valueEnd &- 1]) {
        valueEnd &-= 1
      }

      let known = knownHeaders.find(ByteView(base + lineStart, nameEnd &- lineStart))
      (fields + count).initialize(
        to: FieldRange(
          nameStart: lineStart, nameLength: nameEnd &- lineStart, valueStart: valueStart,
          valueLength: valueEnd &- valueStart, known: known, flags: flags))
      if FieldTable.isSpecial(known) {
        table.specials[specialCount] = UInt32(truncatingIfNeeded: count)
        specialCount &+= 1
      }
      count &+= 1
      lineStart = nextLine
    }
  }

  @inline(__always)
  private static func lineEnd(_ base: UnsafePointer<UInt8>, _ at: Int) -> UInt16 {
    UnsafeRawPointer(base).loadUnaligned(fromByteOffset: at, as: UInt16.self)
  }

  /// A value with tabs, or with a fault, or that is not all there.
  /// - Returns: The offset of its CRLF.
  @inline(never)
  private static func unusualValueEnd(
    _ base: UnsafePointer<UInt8>, _ from: Int, _ end: Int
  ) -> Step {
    var at = from
    while at < end, base[at] == 9 { at = ValueByte.scan(base, at &+ 1, end) }
    if at == end { return .needMore }
    if base[at] != 13 { return .failed(FieldLine.errorInValue(base[at])) }
    if at &+ 1 == end { return .needMore }
    return base[at &+ 1] == 10 ? .next(at) : .failed(.bareCarriageReturn)
  }

  /// A name with token characters beyond letters, digits and `-`, or no name at all.
  @inline(never)
  private static func unusualName(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ from: Int, _ end: Int, _ flags: inout FieldFlags
  ) -> Step {
    if from == start, !ASCII.isToken(base[start]) {
      return .failed(FieldLine.errorAtStart(base[start]))
    }
    var at = from
    while at < end, ASCII.isToken(base[at]) {
      if base[at] == 95 { flags = .underscore }
      at &+= 1
    }
    if at == end { return .needMore }
    return base[at] == 58 ? .next(at) : .failed(FieldLine.errorInName(base[at]))
  }
}
