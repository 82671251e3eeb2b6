/// How well a chain fits a connection, as one number: each step takes digits behind those of the
/// steps before it, and what does not match at a step ends there.
///
/// Keeping the candidates that are best at the first step, of those the best at the second and so on
/// leaves the one with the greatest number. When that one ended at a step, nothing matches, though
/// others got further: there is no way back.
struct FilterChainRank {
  /// The outcome of a step in the order of precedence.
  struct Step {
    fileprivate let digits: UInt64

    static let mismatch = Step(digits: 0)
    /// The chain does not ask.
    static let any = Step(digits: 1)

    /// - Parameter specificity: Up to ``specificityMax``.
    static func match(specificity: Int = 0) -> Step {
      Step(digits: 2 + UInt64(min(max(specificity, 0), specificityMax)))
    }
  }

  private static let digitBits: UInt64 = 10
  private static let stepsMax: UInt64 = 6
  static let specificityMax = (1 << 10) - 3
  static let none = FilterChainRank()

  private(set) var order: UInt64 = 0
  private(set) var isMatch = true
  private var shift = Self.digitBits * Self.stepsMax

  mutating func add(_ step: Step) {
    guard isMatch else { return }
    shift -= Self.digitBits
    order |= step.digits << shift
    isMatch = step.digits > 0
  }
}
