/// What a run read from a file may say, so that arithmetic on it is safe.
enum RunLimits {
  /// JSON numbers are exact up to here; as nanoseconds it is 104 days.
  static let largestInteger: UInt64 = 1 << 53
  static let fileBytes = 256 << 20

  static func check(_ value: UInt64, at place: String) throws(RunFileError) {
    guard value <= largestInteger else {
      throw RunFileError(place: place, problem: "must be at most 2^53")
    }
  }

  static func check(_ run: RunResult) throws(RunFileError) {
    for (place, value) in numbers(of: run) { try check(value, at: place) }
    guard run.connections >= 0, run.threads >= 0, run.pipelining >= 0, run.streams >= 0 else {
      throw RunFileError(
        place: "connections, threads, pipelining, streams", problem: "must not be negative")
    }
    for (index, interval) in run.intervals.enumerated() {
      let place = "intervals[\(index)]"
      try check(interval.startNanoseconds, interval.durationNanoseconds, at: place)
      try check(interval.requests, interval.errors, at: place)
      try check(interval.latency, at: place)
    }
    for (index, step) in run.steps.enumerated() {
      let place = "steps[\(index)]"
      try check(step.startNanoseconds, step.durationNanoseconds, at: place)
      try check(step.requests, step.errors, at: place)
      try check(step.latency, at: place)
      guard step.intendedRate >= 0 else {
        throw RunFileError(place: place, problem: "intended_rate must not be negative")
      }
    }
  }

  private static func numbers(of run: RunResult) -> [(String, UInt64)] {
    let tally = run.tally
    return [
      ("start_unix_s", run.startUnixSeconds), ("duration_ns", run.durationNanoseconds),
      ("warm_up_ns", run.warmUpNanoseconds), ("cpu", run.cpuNanoseconds),
      ("cpu", run.busiestThreadNanoseconds), ("totals.requests_sent", tally.requestsSent),
      ("totals.requests_unsent", tally.requestsUnsent),
      ("totals.responses", tally.responses), ("totals.successes", tally.successes),
      ("totals.bytes_read", tally.bytesRead), ("totals.bytes_written", tally.bytesWritten),
      ("totals.connections_opened", tally.connectionsOpened),
      ("totals.waited_for_connection", tally.waitedForConnection),
    ]
  }

  private static func check(_ first: UInt64, _ second: UInt64, at place: String)
    throws(RunFileError)
  {
    try check(max(first, second), at: place)
  }

  private static func check(_ latency: LatencySummary, at place: String) throws(RunFileError) {
    let values = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
    try check(values.max() ?? 0, at: place)
  }
}
