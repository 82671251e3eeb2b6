import Histogram

/// How often each duration occurred: a High Dynamic Range histogram of nanoseconds with three significant digits.
///
/// A value read back is off by at most 0.1 %, from 1 ns to one hour; longer ones count as one hour. All memory
/// (270 KiB) is taken when the histogram is made, so `record` never allocates.
public struct LatencyHistogram: Sendable, Equatable {
  /// One hour. Longer durations count as this long.
  @inlinable public static var longestNanoseconds: UInt64 { 3_600_000_000_000 }

  @usableFromInline var histogram: Histogram<UInt64>

  public init() {
    histogram = Histogram(
      lowestDiscernibleValue: 1, highestTrackableValue: Self.longestNanoseconds,
      numberOfSignificantValueDigits: .three)
  }

  /// Counts one duration.
  @inlinable @inline(__always)
  public mutating func record(nanoseconds: UInt64) {
    histogram.record(Swift.min(nanoseconds, Self.longestNanoseconds))
  }

  /// Counts one duration `count` times.
  @inlinable
  public mutating func record(nanoseconds: UInt64, count: UInt64) {
    guard count > 0 else { return }
    histogram.record(Swift.min(nanoseconds, Self.longestNanoseconds), count: count)
  }

  /// Adds everything that `other` counted.
  public mutating func merge(_ other: LatencyHistogram) {
    histogram.add(other.histogram)
  }

  /// Forgets everything, keeps the memory.
  public mutating func reset() { histogram.reset() }

  /// How many durations were counted.
  @inlinable public var count: UInt64 { histogram.totalCount }
  @inlinable public var isEmpty: Bool { count == 0 }

  /// The shortest duration, exact; 0 when empty.
  public var min: UInt64 { isEmpty ? 0 : histogram.min }

  /// The longest duration, exact; 0 when empty.
  public var max: UInt64 { histogram.maxRecorded }

  /// The duration that `percent` per cent of all do not exceed, in nanoseconds; 0 when empty.
  /// - Parameter percent: 0 (the shortest) to 100 (the longest); what lies outside counts as the nearer end.
  public func percentile(_ percent: Double) -> UInt64 {
    guard !isEmpty, percent > 0 else { return min }
    return histogram.valueAtPercentile(percent)
  }
}
