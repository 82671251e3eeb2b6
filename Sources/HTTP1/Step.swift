/// Where a scan got to: the next offset, or that it needs more bytes, or why it failed.
///
/// One integer, so that it travels in a register.
struct Step {
  let raw: Int

  @inline(__always)
  init(raw: Int) { self.raw = raw }

  @inline(__always)
  static func next(_ offset: Int) -> Step { Step(raw: offset) }

  @inline(__always)
  static var needMore: Step { Step(raw: -1) }

  @inline(__always)
  static func failed(_ error: HTTP1Error) -> Step { Step(raw: -1 &- Int(error.rawValue)) }

  @inline(__always)
  var isNext: Bool { raw >= 0 }

  /// Why it failed; nil when it needs more or went on.
  var error: HTTP1Error? {
    raw < -1 ? HTTP1Error(rawValue: UInt8(truncatingIfNeeded: -1 &- raw)) : nil
  }

  /// What the caller of a parser is told when the head is not complete.
  ///
  /// - Parameter isFull: The bytes looked at reach the limit, so that waiting is pointless.
  @inline(never)
  func outcome(isFull: Bool) -> HeadOutcome {
    if let error { return .failed(error) }
    return isFull ? .failed(.headTooLarge) : .needMore
  }
}

/// What came of parsing a head.
public enum HeadOutcome: Equatable, Sendable {
  /// The bytes are a valid beginning so far.
  case needMore
  /// The head takes this many bytes, the empty line and a skipped leading empty line included.
  case complete(length: Int)
  case failed(HTTP1Error)
}
