import HTTPCore
import Primitives

/// The three parts of a request line (RFC 9112 section 3) as steps over `base[0..<end]`.
///
/// The parser and the ``HeadScanner`` share them, so that a message fails in the same way however
/// it arrives.
enum RequestLine {
  /// The offset of the method: a single empty line before it is skipped (RFC 9112 section 2.2).
  @inline(__always)
  static func start(_ base: UnsafePointer<UInt8>, _ end: Int) -> Step {
    if end > 0, base[0] != 13 { return .next(0) }
    if end < 2 { return .needMore }
    return base[1] == 10 ? .next(2) : .failed(.bareCarriageReturn)
  }

  /// The offset of the space after the method that starts at `start`.
  @inline(__always)
  static func method(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Step {
    // The most frequent method by far; a short head is looked at byte by byte anyway.
    if start &+ 4 <= end,
      UnsafeRawPointer(base + start).loadUnaligned(as: UInt32.self) == 0x2054_4547  // "GET "
    {
      return .next(start &+ 3)
    }
    let stop = NameByte.scan(base, start, end)
    if stop < end, base[stop] == 32, stop > start, stop &- start <= MessageRules.methodBytesMax {
      return .next(stop)
    }
    return unusualMethod(base, start, end)
  }

  @inline(never)
  private static func unusualMethod(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Step
  {
    var at = start
    while at < end, ASCII.isToken(base[at]) { at &+= 1 }
    if at &- start > MessageRules.methodBytesMax { return .failed(.badMethod) }
    if at == end { return .needMore }
    return at > start && base[at] == 32 ? .next(at) : .failed(.badMethod)
  }

  /// The offset of the space after the target that starts at `start`.
  ///
  /// - Parameter from: Where to resume; bytes before it are known to be good.
  @inline(__always)
  static func target(_ base: UnsafePointer<UInt8>, start: Int, from: Int, _ end: Int) -> Step {
    let stop = TargetByte.scan(base, from, end)
    if stop == end { return .needMore }
    if base[stop] == 32, stop > start { return .next(stop) }
    return badTarget(base[stop])
  }

  @inline(never)
  private static func badTarget(_ stop: UInt8) -> Step {
    switch stop {
    case 35: .failed(.fragmentInTarget)
    case 10, 13: .failed(.badVersion)  // HTTP/0.9 has no version
    default: .failed(.badTarget)
    }
  }

  /// The offset after the line's CRLF; the version starts at `start`. Major version 1 only.
  @inline(__always)
  static func version(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Step {
    if start &+ 10 <= end {
      let raw = UnsafeRawPointer(base + start)
      let word = raw.loadUnaligned(as: UInt64.self)
      let lineEnd = raw.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
      if word == 0x312E_312F_5054_5448, lineEnd == 0x0A0D { return .next(start &+ 10) }
    }
    return unusualVersion(base, start, end)
  }

  @inline(never)
  private static func unusualVersion(
    _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int
  ) -> Step {
    let pattern: StaticString = "HTTP/d.d\r\n"
    var i = 0
    while i < 10 {
      if start &+ i >= end { return .needMore }
      let byte = base[start &+ i]
      let expected = pattern.utf8Start[i]
      let fits = expected == 100 ? ASCII.isDigit(byte) : byte == expected
      if !fits { return .failed(i < 8 ? .badVersion : lineEndError(byte)) }
      i &+= 1
    }
    if base[start &+ 5] != 49 {
      // "PRI * HTTP/2.0": RFC 9113 section 3.4
      let isPreface =
        start >= 6 && ByteView(base + (start &- 6), 6) == ByteView("PRI * ")
        && base[start &+ 5] == 50 && base[start &+ 7] == 48
      return .failed(isPreface ? .http2Preface : .unsupportedVersion)
    }
    return .next(start &+ 10)
  }

  private static func lineEndError(_ byte: UInt8) -> HTTP1Error {
    byte == 10 ? .bareLineFeed : .badVersion
  }
}
