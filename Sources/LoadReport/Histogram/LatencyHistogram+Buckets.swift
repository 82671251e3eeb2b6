import Histogram

extension LatencyHistogram {
  /// Durations that the histogram does not tell apart, and how many there were. Never empty.
  public struct Bucket: Sendable, Equatable {
    /// Shortest and longest duration of the bucket, in nanoseconds.
    public let lowest: UInt64
    public let highest: UInt64
    public let count: UInt64

    public init(lowest: UInt64, highest: UInt64, count: UInt64) {
      self.lowest = lowest
      self.highest = highest
      self.count = count
    }

    var middle: Double { Double(lowest) + Double(highest - lowest) / 2 }
  }

  /// The buckets that hold something, shortest first.
  ///
  /// The package's own iterators add up values as integers and would trap on sums above 2^64.
  public var buckets: [Bucket] {
    var result: [Bucket] = []
    var lowest: UInt64 = 0
    var left = count
    while left > 0 {
      let next = histogram.nextNonEquivalentForValue(lowest)
      let inBucket = histogram.countForValue(lowest)
      if inBucket > 0 {
        result.append(Bucket(lowest: lowest, highest: next - 1, count: inBucket))
        left -= inBucket
      }
      lowest = next
    }
    return result
  }

  /// The mean in nanoseconds, off by at most 0.1 %; 0 when empty.
  public var mean: Double {
    guard !isEmpty else { return 0 }
    return buckets.reduce(0) { $0 + $1.middle * Double($1.count) } / Double(count)
  }

  /// The standard deviation in nanoseconds; 0 when empty.
  public var standardDeviation: Double {
    guard !isEmpty else { return 0 }
    let mean = mean
    let squares = buckets.reduce(0) { sum, bucket in
      let deviation = bucket.middle - mean
      return sum + deviation * deviation * Double(bucket.count)
    }
    return (squares / Double(count)).squareRoot()
  }
}
