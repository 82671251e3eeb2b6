/// One slice of the measured part of a run, all threads together.
public struct Interval: Sendable, Equatable {
  /// From the start of the measured part.
  public var startNanoseconds: UInt64
  public var durationNanoseconds: UInt64
  /// Whole answers in this slice.
  public var requests: UInt64
  /// Failed requests in this slice, of every kind.
  public var errors: UInt64
  /// Latency of the answers in this slice; zeros when there were none.
  public var latency: LatencySummary
  /// Requests per second that were due; nil in closed loop.
  public var intendedRate: Double?

  public init(
    startNanoseconds: UInt64, durationNanoseconds: UInt64, requests: UInt64, errors: UInt64,
    latency: LatencySummary, intendedRate: Double? = nil
  ) {
    self.startNanoseconds = startNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.requests = requests
    self.errors = errors
    self.latency = latency
    self.intendedRate = intendedRate
  }

  /// Answers per second.
  public var achievedRate: Double { perSecond(requests, over: durationNanoseconds) }
}

/// The few figures of a histogram that are kept for each interval and step, in nanoseconds.
public struct LatencySummary: Sendable, Equatable {
  public var p50: UInt64 = 0
  public var p90: UInt64 = 0
  public var p99: UInt64 = 0
  public var p999: UInt64 = 0
  public var max: UInt64 = 0

  public init() {}

  public init(_ histogram: LatencyHistogram) {
    p50 = histogram.percentile(50)
    p90 = histogram.percentile(90)
    p99 = histogram.percentile(99)
    p999 = histogram.percentile(99.9)
    max = histogram.max
  }
}

/// 0 when no time passed.
func perSecond(_ count: UInt64, over nanoseconds: UInt64) -> Double {
  nanoseconds == 0 ? 0 : Double(count) * 1e9 / Double(nanoseconds)
}
