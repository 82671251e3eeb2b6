import Glibc

/// Milliseconds that only grow.
enum MonotonicClock {
  static func nowMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// What is left until `deadline`, for a poll.
  static func remainingMilliseconds(until deadline: Int64) -> Int32 {
    Int32(clamping: max(0, deadline - nowMilliseconds()))
  }
}
