extension LatencyHistogram {
  /// Durations that the histogram does not tell apart, and how many there were. Never empty.
  public struct Bucket: Sendable, Equatable {
    /// Shortest and longest duration of the bucket, in nanoseconds.
    public let lowest: UInt64
    public let highest: UInt64
    public let count: UInt64

    var middle: Double { Double(lowest) + Double(highest - lowest) / 2 }
  }

  /// The buckets that hold something, shortest first.
  public var buckets: [Bucket] {
    touched.filter { counts[$0] > 0 }.map {
      Bucket(
        lowest: HDRLayout.lowest(ofBucket: $0), highest: HDRLayout.highest(ofBucket: $0),
        count: counts[$0])
    }
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
