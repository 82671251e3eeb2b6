import HTTPCore
import Primitives

/// The parts of a status line (RFC 9112 section 4) as steps over `base[0..<end]`, shared by the
/// parser and the ``HeadScanner``.
enum StatusLine {
  /// `HTTP/1.x nnn`; the offset after the code, which is in 100...999.
  @inline(__always)
  static func status(_ base: UnsafePointer<UInt8>, _ end: Int) -> Step {
    if end >= 12 {
      let raw = UnsafeRawPointer(base)
      let version = raw.loadUnaligned(as: UInt64.self)
      if version == 0x312E_312F_5054_5448, base[8] == 32, base[9] &- 49 < 9,
        ASCII.isDigit(base[10]), ASCII.isDigit(base[11])
      {
        return .next(12)
      }
    }
    return unusualStatus(base, end)
  }

  @inline(never)
  private static func unusualStatus(_ base: UnsafePointer<UInt8>, _ end: Int) -> Step {
    let pattern: StaticString = "HTTP/d.d ddd"
    var i = 0
    while i < 12 {
      if i >= end { return .needMore }
      let expected = pattern.utf8Start[i]
      let fits = expected == 100 ? ASCII.isDigit(base[i]) : base[i] == expected
      if !fits || i == 9 && base[i] == 48 { return .failed(.badStatusLine) }
      i &+= 1
    }
    return base[5] == 49 ? .next(12) : .failed(.unsupportedVersion)
  }

  /// From the code's end, or within the reason, to the offset after the line's CR. A missing space
  /// and a missing reason are tolerated.
  @inline(__always)
  static func reason(_ base: UnsafePointer<UInt8>, _ from: Int, _ end: Int) -> Step {
    // Right after the code only a space or the end of the line will do.
    if from == 12, end > 12, base[12] != 32, base[12] != 13, base[12] != 10 {
      return .failed(.badStatusLine)
    }
    var at = ValueByte.scan(base, from, end)
    while at < end, base[at] == 9 { at = ValueByte.scan(base, at &+ 1, end) }
    if at == end { return .needMore }
    if base[at] == 13 { return .next(at &+ 1) }
    return .failed(base[at] == 10 ? .bareLineFeed : .badStatusLine)
  }

  @inline(__always)
  static func lineFeed(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) -> Step {
    if at >= end { return .needMore }
    return base[at] == 10 ? .next(at &+ 1) : .failed(.bareCarriageReturn)
  }
}
