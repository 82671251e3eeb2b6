import HTTPCore
import Primitives

/// Checks the syntax of field lines that arrive in pieces, without keeping them: it accepts what
/// ``FieldSectionParser`` accepts and fails with the same error at the same byte.
struct FieldSectionScanner {
  private enum State: UInt8 {
    case lineStart, name, value, lineFeed, lastLineFeed
  }

  private var state = State.lineStart
  private var fieldCount: UInt32 = 0

  /// Whether only complete lines have been seen.
  var isAtLineStart: Bool { state == .lineStart }

  /// Looks at `base[from..<end]`, which follows what was seen before.
  ///
  /// - Returns: The offset after the empty line; `needMore` when all bytes were taken.
  mutating func scan(
    _ base: UnsafePointer<UInt8>, _ from: Int, _ end: Int, fieldCountMax: UInt32
  ) -> Step {
    var at = from
    while at < end {
      let byte = base[at]
      switch state {
      case .lineStart:
        if byte == 13 {
          state = .lastLineFeed
        } else {
          if fieldCount >= fieldCountMax { return .failed(.tooManyFields) }
          if !ASCII.isToken(byte) { return .failed(FieldLine.errorAtStart(byte)) }
          fieldCount &+= 1
          state = .name
        }
        at &+= 1
      case .name:
        if ASCII.isToken(byte) {
          at = NameByte.scan(base, at &+ 1, end)
        } else if byte == 58 {
          state = .value
          at &+= 1
        } else {
          return .failed(FieldLine.errorInName(byte))
        }
      case .value:
        at = ValueByte.scan(base, at, end)
        if at < end {
          let stop = base[at]
          if stop == 13 {
            state = .lineFeed
          } else if stop != 9 {
            return .failed(FieldLine.errorInValue(stop))
          }
          at &+= 1
        }
      case .lineFeed:
        if byte != 10 { return .failed(.bareCarriageReturn) }
        state = .lineStart
        at &+= 1
      case .lastLineFeed:
        return byte == 10 ? .next(at &+ 1) : .failed(.bareCarriageReturn)
      }
    }
    return .needMore
  }
}
