import Primitives

/// Waits between attempts, in nanoseconds: the first one is below the base, each further one below the double, none above
/// the longest.
public struct RetryBackoff: BitwiseCopyable, Hashable, Sendable {
  public var base: UInt64
  public var longest: UInt64

  /// - Parameter longest: Nil: ten times the base.
  public init(base: UInt64, longest: UInt64? = nil) {
    self.base = base
    self.longest = longest ?? base.saturatingMultiply(10)
  }

  public static var standard: RetryBackoff { RetryBackoff(base: 25_000_000) }

  /// What the wait before the repeat with this number, from 1, stays below.
  /// (Envoy's `JitteredExponentialBackOffStrategy`, source/common/common/backoff_strategy.cc.)
  func bound(_ number: UInt32) -> UInt64 {
    let doublings = number > 0 ? number - 1 : 0
    // Doubled so often it would not fit.
    guard doublings <= base.leadingZeroBitCount else { return longest }
    return min(base << UInt64(doublings), longest)
  }
}
