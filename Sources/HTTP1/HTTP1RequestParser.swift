import HTTPCore
import Primitives

/// Parses a whole request head (RFC 9112 sections 2 to 7), strictly.
///
/// Syntax comes first, from left to right; what the fields mean is looked at when the head is
/// complete. So a message fails in the same way however it is cut.
public enum HTTP1RequestParser {
  /// - Parameters:
  ///   - bytes: From the head's first byte; may hold more than the head.
  ///   - table: Filled with the fields when the outcome is `complete`; undefined otherwise.
  ///   - head: Filled when the outcome is `complete`; undefined otherwise.
  /// - Returns: `needMore` when the bytes are a valid beginning; pass later calls through a
  ///   ``HeadScanner``, since this one starts from the first byte each time.
  @inline(never)
  public static func parse(
    _ bytes: ByteView, limits: HTTP1Limits, options: HTTP1RequestOptions,
    table: inout FieldTable, into head: inout RequestHead
  ) -> HeadOutcome {
    let base = bytes.base
    let isFull = bytes.count >= Int(limits.headBytesMax)
    let end = isFull ? Int(limits.headBytesMax) : bytes.count

    var step = RequestLine.start(base, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    let methodStart = step.raw
    step = RequestLine.method(base, methodStart, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    let methodEnd = step.raw
    let targetStart = methodEnd &+ 1
    step = RequestLine.target(base, start: targetStart, from: targetStart, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    let targetEnd = step.raw
    step = RequestLine.version(base, targetEnd &+ 1, end)
    if !step.isNext { return step.outcome(isFull: isFull) }
    let fieldsStart = step.raw
    step = FieldSectionParser.parse(
      base, fieldsStart, end, fieldCountMax: limits.fieldCountMax, &table)
    if !step.isNext { return step.outcome(isFull: isFull) }

    head.length = UInt32(truncatingIfNeeded: step.raw)
    head.methodStart = UInt32(truncatingIfNeeded: methodStart)
    head.methodLength = UInt32(truncatingIfNeeded: methodEnd &- methodStart)
    head.targetStart = UInt32(truncatingIfNeeded: targetStart)
    head.targetLength = UInt32(truncatingIfNeeded: targetEnd &- targetStart)
    head.isHTTP10 = base[fieldsStart &- 3] == 48
    head.method = RequestMethod(ByteView(base + methodStart, methodEnd &- methodStart))
    if head.isHTTP10, !options.acceptHTTP10 { return .failed(.http10Refused) }
    if let error = RequestTarget.classify(base, &head, options) { return .failed(error) }
    if let error = RequestFields.apply(base, &head, &table, options) { return .failed(error) }
    return .complete(length: step.raw)
  }
}
