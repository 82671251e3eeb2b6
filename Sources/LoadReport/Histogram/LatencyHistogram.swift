/// How often each duration occurred: an HDR histogram of nanoseconds with three significant digits.
///
/// A value read back is off by at most 0.1 %, from 1 ns to one hour; longer ones count as one hour. All memory
/// (264 KiB) is taken when the histogram is made, so `record` never allocates.
///
/// Counts are kept here and not in the hdrhistogram package's `Histogram`, because clearing one and reading a
/// percentile from it cost most of a millisecond, which a generator that keeps a schedule cannot lose every second.
/// The buckets are the package's, so that one turns into the other without loss (``HDRReport``).
public struct LatencyHistogram: Sendable, Equatable {
  @usableFromInline var counts: [UInt64]
  @usableFromInline var total: UInt64 = 0
  @usableFromInline var shortest = UInt64.max
  @usableFromInline var longest: UInt64 = 0

  public init() { counts = Array(repeating: 0, count: HDRLayout.bucketCount) }

  /// Counts one duration.
  @inlinable @inline(__always)
  public mutating func record(nanoseconds: UInt64) {
    record(nanoseconds: nanoseconds, count: 1)
  }

  /// Counts one duration `added` times.
  @inlinable @inline(__always)
  public mutating func record(nanoseconds: UInt64, count added: UInt64) {
    guard added > 0 else { return }
    let value = Swift.min(nanoseconds, HDRLayout.longest)
    counts[HDRLayout.bucket(of: value)] &+= added
    total &+= added
    shortest = Swift.min(shortest, value)
    longest = Swift.max(longest, value)
  }

  /// Adds everything that `other` counted.
  public mutating func merge(_ other: LatencyHistogram) {
    for bucket in other.touched { counts[bucket] &+= other.counts[bucket] }
    total &+= other.total
    shortest = Swift.min(shortest, other.shortest)
    longest = Swift.max(longest, other.longest)
  }

  /// Forgets everything, keeps the memory. Costs what the span of recorded values costs, about a microsecond.
  public mutating func reset() {
    for bucket in touched { counts[bucket] = 0 }
    total = 0
    shortest = .max
    longest = 0
  }

  /// How many durations were counted.
  @inlinable public var count: UInt64 { total }
  @inlinable public var isEmpty: Bool { count == 0 }

  /// The shortest duration, exact; 0 when empty.
  public var min: UInt64 { isEmpty ? 0 : shortest }

  /// The longest duration, exact; 0 when empty.
  public var max: UInt64 { longest }

  /// The duration that `percent` per cent of all do not exceed, in nanoseconds; 0 when empty.
  /// - Parameter percent: 0 (the shortest) to 100 (the longest); what lies outside counts as the nearer end.
  public func percentile(_ percent: Double) -> UInt64 {
    guard !isEmpty, percent > 0 else { return min }
    guard percent < 100 else { return max }
    // One unit in the last place less: a product that should be whole must not be rounded up to the next rank.
    let rank = (percent.nextDown / 100 * Double(count)).rounded(.up)
    var below: UInt64 = 0
    for bucket in touched {
      below &+= counts[bucket]
      if Double(below) >= rank {
        // No percentile lies outside of what was recorded, even if its bucket does.
        return Swift.max(Swift.min(HDRLayout.highest(ofBucket: bucket), max), min)
      }
    }
    return max
  }

  /// Restores the exact shortest and longest duration of counts that were recorded by bucket.
  /// - Returns: false when they are not in the first and last bucket that holds something.
  mutating func setExtremes(shortest low: UInt64, longest high: UInt64) -> Bool {
    guard !isEmpty, low <= high, high <= HDRLayout.longest,
      HDRLayout.bucket(of: low) == touched.lowerBound,
      HDRLayout.bucket(of: high) == touched.upperBound - 1
    else { return false }
    shortest = low
    longest = high
    return true
  }

  /// The buckets between the shortest and the longest duration.
  var touched: Range<Int> {
    isEmpty ? 0..<0 : HDRLayout.bucket(of: shortest)..<HDRLayout.bucket(of: longest) + 1
  }
}
