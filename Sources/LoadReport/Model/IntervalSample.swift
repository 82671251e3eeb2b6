/// What one thread counted since its last sample. Samples of the same interval are merged, then summed up.
public struct IntervalSample: Sendable, Equatable {
  public var requests: UInt64 = 0
  public var errors: UInt64 = 0
  /// As ``RunResult/latency``.
  public var latency = LatencyHistogram()

  public init() {}

  @inlinable @inline(__always)
  public mutating func recordAnswer(latencyNanoseconds: UInt64) {
    requests &+= 1
    latency.record(nanoseconds: latencyNanoseconds)
  }

  public mutating func merge(_ other: IntervalSample) {
    requests &+= other.requests
    errors &+= other.errors
    latency.merge(other.latency)
  }

  public mutating func reset() {
    requests = 0
    errors = 0
    latency.reset()
  }

  public func interval(
    startNanoseconds: UInt64, durationNanoseconds: UInt64, intendedRate: Double? = nil
  ) -> Interval {
    Interval(
      startNanoseconds: startNanoseconds, durationNanoseconds: durationNanoseconds,
      requests: requests, errors: errors, latency: LatencySummary(latency),
      intendedRate: intendedRate)
  }
}
