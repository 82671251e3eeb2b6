import Primitives

/// How long a request waits before it is sent once more. All times are in nanoseconds; random numbers are drawn by the caller.
///
/// Numbers are a configuration's and a host's: arithmetic stops at the largest.
enum RetryWait {
  /// Anything below the bound is as likely.
  static func backoff(_ number: UInt32, _ backoff: RetryBackoff, drawn: UInt64) -> UInt64 {
    drawn % max(1, backoff.bound(number))
  }

  /// What a host demands, and up to half more: so that those who were sent away together do not come back together.
  static func demanded(_ wait: UInt64, drawn: UInt64) -> UInt64 { wait.saturatingAdd(drawn % (wait / 2 + 1)) }

  /// Not at once: the attempt before has to be left first.
  static func due(now: UInt64, _ wait: UInt64) -> UInt64 { now.saturatingAdd(max(1, wait)) }
}
