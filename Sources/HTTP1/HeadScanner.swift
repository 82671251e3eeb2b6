import Primitives

/// A few bytes of state for a head that arrives in pieces.
///
/// Parse the first bytes of a connection directly; when the parser needs more, keep the bytes and
/// ask the scanner about each addition. It looks at every byte once, refuses what can no longer
/// become a head (binary on a plaintext port, a line that is too long) and says when a parse is
/// worth while: the cost is linear in the bytes however small the pieces.
public struct HeadScanner {
  /// What is known of the head.
  public enum Verdict: Equatable, Sendable {
    case needMore
    /// The empty line has come and the syntax is good: parse.
    case mayBeComplete
    case failed(HTTP1Error)
  }

  private enum Stage: UInt8 {
    case start, method, target, version, statusLine, reason, reasonLineFeed, fields
  }

  private var stage: Stage
  private var at: UInt32  // bytes taken
  private var mark: UInt32  // start of the current part
  private var fields: FieldSectionScanner

  private init(stage: Stage) {
    self.stage = stage
    at = 0
    mark = 0
    fields = FieldSectionScanner()
  }

  public static func request() -> HeadScanner { HeadScanner(stage: .start) }
  public static func response() -> HeadScanner { HeadScanner(stage: .statusLine) }

  /// - Parameter accumulated: All bytes of the message so far, from its first; what was given
  ///   before must be unchanged.
  public mutating func scan(_ accumulated: ByteView, limits: HTTP1Limits) -> Verdict {
    let end = min(accumulated.count, Int(limits.headBytesMax))
    let base = accumulated.base
    while true {
      let step = advance(base, end, limits)
      if step.isNext {
        at = UInt32(truncatingIfNeeded: step.raw)
        if stage == .fields { return .mayBeComplete }
        mark = at
        stage = following(stage)
        continue
      }
      if let error = step.error { return .failed(error) }
      return accumulated.count >= Int(limits.headBytesMax) ? .failed(.headTooLarge) : .needMore
    }
  }

  private func following(_ stage: Stage) -> Stage {
    switch stage {
    case .start: .method
    case .method: .target
    case .target: .version
    case .statusLine: .reason
    case .reason: .reasonLineFeed
    case .version, .reasonLineFeed, .fields: .fields
    }
  }

  /// Runs the current stage to its end, or as far as the bytes go.
  private mutating func advance(
    _ base: UnsafePointer<UInt8>, _ end: Int, _ limits: HTTP1Limits
  ) -> Step {
    let from = Int(at)
    let start = Int(mark)
    switch stage {
    case .start: return RequestLine.start(base, end)
    case .method: return afterSpace(RequestLine.method(base, start, end))
    case .target:
      let step = RequestLine.target(base, start: start, from: from, end)
      if step.raw == Step.needMore.raw { at = UInt32(truncatingIfNeeded: end) }
      return afterSpace(step)
    case .version: return RequestLine.version(base, start, end)
    case .statusLine: return StatusLine.status(base, end)
    case .reason:
      let step = StatusLine.reason(base, from, end)
      if step.raw == Step.needMore.raw { at = UInt32(truncatingIfNeeded: end) }
      return step
    case .reasonLineFeed: return StatusLine.lineFeed(base, start, end)
    case .fields:
      let step = fields.scan(base, from, end, fieldCountMax: limits.fieldCountMax)
      if step.raw == Step.needMore.raw { at = UInt32(truncatingIfNeeded: end) }
      return step
    }
  }

  private func afterSpace(_ step: Step) -> Step {
    step.isNext ? .next(step.raw &+ 1) : step
  }
}
