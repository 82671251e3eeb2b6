/// How long a request waits before it is sent once more. All times are in nanoseconds; random numbers are drawn by the caller.
///
/// Numbers are a configuration's and a host's: arithmetic stops at the largest.
public enum RetryWait {
  /// What no wait passes when `retry_back_off` has no `max_interval`.
  public static func most(ofBase base: UInt64) -> UInt64 {
    let (most, isOver) = base.multipliedReportingOverflow(by: 10)
    return isOver ? .max : most
  }

  /// What the wait before the repeat with this number, from 1, stays below: the base, doubled for each repeat before.
  /// (Envoy's `JitteredExponentialBackOffStrategy`, source/common/common/backoff_strategy.cc.)
  static func bound(_ number: UInt32, base: UInt64, most: UInt64) -> UInt64 {
    let doublings = number > 0 ? number - 1 : 0
    // Doubled so often it would not fit.
    guard doublings <= base.leadingZeroBitCount else { return most }
    return min(base << UInt64(doublings), most)
  }

  /// Anything below the bound is as likely.
  static func backoff(_ number: UInt32, base: UInt64, most: UInt64, drawn: UInt64) -> UInt64 {
    drawn % max(1, bound(number, base: base, most: most))
  }

  /// What a host demands, and up to half more: so that those who were sent away together do not come back together.
  static func demanded(_ wait: UInt64, drawn: UInt64) -> UInt64 { sum(wait, drawn % (wait / 2 + 1)) }

  /// Not at once: the attempt before has to be left first.
  static func due(now: UInt64, _ wait: UInt64) -> UInt64 { sum(now, max(1, wait)) }

  private static func sum(_ first: UInt64, _ second: UInt64) -> UInt64 {
    let (sum, isOver) = first.addingReportingOverflow(second)
    return isOver ? .max : sum
  }
}
