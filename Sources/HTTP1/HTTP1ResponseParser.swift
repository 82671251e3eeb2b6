import HTTPCore
import Primitives

/// Parses a whole response head (RFC 9112 section 4), strict where framing is concerned.
public enum HTTP1ResponseParser {
  /// - Parameters:
  ///   - method: Of the request that this answers: it decides whether content follows.
  ///   - table: Filled with the fields when the outcome is `complete`; undefined otherwise.
  ///   - head: Filled when the outcome is `complete`; undefined otherwise.
  /// - Returns: As ``HTTP1RequestParser/parse(_:limits:options:table:into:)``.
  @inline(never)
  public static func parse(
    _ bytes: ByteView, method: RequestMethod, limits: HTTP1Limits,
    table: inout FieldTable, into head: inout ResponseHead
  ) -> HeadOutcome {
    let base = bytes.base
    let isFull = bytes.count >= Int(limits.headBytesMax)
    let end = isFull ? Int(limits.headBytesMax) : bytes.count

    var step = StatusLine.status(base, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    step = StatusLine.reason(base, step.raw, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    step = StatusLine.lineFeed(base, step.raw, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    step = FieldSectionParser.parse(
      base, step.raw, end, fieldCountMax: limits.fieldCountMax, &table)
    if !step.isNext { return step.outcome(isFull: isFull) }

    head.length = UInt32(truncatingIfNeeded: step.raw)
    head.isHTTP10 = base[7] == 48
    head.status =
      UInt16(base[9] &- 48) &* 100 &+ UInt16(base[10] &- 48) &* 10 &+ UInt16(base[11] &- 48)
    if let error = ResponseFields.apply(base, method, &head, &table) { return .failed(error) }
    return .complete(length: step.raw)
  }

  /// Fills `map` from a head just parsed: `:status`, then the fields in order without those of the
  /// connection alone.
  /// - Parameters: As ``HTTP1RequestParser/build(_:copied:table:keepUpgrade:into:)``.
  @inline(never)
  public static func build(
    _ head: borrowing ResponseHead, copied: UnsafeMutablePointer<UInt8>,
    table: borrowing FieldTable, keepUpgrade: Bool, into map: inout HeaderMap
  ) {
    map.append(.status, ByteView(copied + 9, 3))
    FieldBuilder.append(table, copied, keepUpgrade: keepUpgrade, &map)
  }
}
