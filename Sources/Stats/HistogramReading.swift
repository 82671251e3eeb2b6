/// What a histogram held when it was read: the buckets of all slabs added up, only the touched range.
public struct HistogramReading: Sendable, Equatable {
  /// Index of the bucket that `bucketCounts` starts with (``HistogramLayout``).
  public private(set) var lowestBucket = 0
  public private(set) var bucketCounts: [UInt64] = []
  /// How many values were recorded.
  public private(set) var count: UInt64 = 0
  /// The sum of the values, as recorded: microseconds unless the unit says otherwise.
  public internal(set) var sum: UInt64 = 0

  public init() {}

  /// Adds `count` values to a bucket.
  public mutating func add(_ added: UInt64, toBucket bucket: Int) {
    guard added > 0, (0..<HistogramLayout.bucketCount).contains(bucket) else { return }
    cover(bucket...bucket)
    bucketCounts[bucket - lowestBucket] &+= added
    count &+= added
  }

  /// Makes room for buckets of a range.
  mutating func cover(_ range: ClosedRange<Int>) {
    guard !bucketCounts.isEmpty else {
      lowestBucket = range.lowerBound
      bucketCounts = Array(repeating: 0, count: range.count)
      return
    }
    if range.lowerBound < lowestBucket {
      bucketCounts.insert(
        contentsOf: repeatElement(0, count: lowestBucket - range.lowerBound), at: 0)
      lowestBucket = range.lowerBound
    }
    let missing = range.upperBound + 1 - lowestBucket - bucketCounts.count
    if missing > 0 { bucketCounts.append(contentsOf: repeatElement(0, count: missing)) }
  }

  /// What was recorded since `earlier`, a reading of the same histogram.
  public func subtracting(_ earlier: HistogramReading) -> HistogramReading {
    var result = HistogramReading()
    for (offset, now) in bucketCounts.enumerated() {
      let bucket = lowestBucket + offset
      let before = earlier.count(inBucket: bucket)
      if now > before { result.add(now - before, toBucket: bucket) }
    }
    result.sum = sum &- earlier.sum
    return result
  }

  public func count(inBucket bucket: Int) -> UInt64 {
    let offset = bucket - lowestBucket
    return bucketCounts.indices.contains(offset) ? bucketCounts[offset] : 0
  }

  /// The value that `perMille` thousandths of the values do not exceed (nearest rank, interpolated inside the
  /// bucket); nil when there are no values.
  public func quantile(perMille: UInt64) -> UInt64? {
    guard count > 0 else { return nil }
    let product = count.multipliedFullWidth(by: min(perMille, 1000))
    let (quotient, remainder) = UInt64(1000).dividingFullWidth(product)
    let rank = max(1, quotient + (remainder > 0 ? 1 : 0))
    var before: UInt64 = 0
    for (offset, inBucket) in bucketCounts.enumerated() where inBucket > 0 {
      if before + inBucket >= rank {
        let bucket = lowestBucket + offset
        let width = HistogramLayout.width(ofBucket: bucket)
        let position = (2 * (rank - before) - 1).multipliedFullWidth(by: width)
        return HistogramLayout.lowerBound(ofBucket: bucket)
          + (2 * inBucket).dividingFullWidth(position).quotient
      }
      before += inBucket
    }
    return nil
  }

  /// How many values lie at or below each of the ascending `bounds`. A value that shares a bucket with a bound
  /// counts as not above it.
  public func cumulativeCounts(upTo bounds: [UInt64]) -> [UInt64] {
    var result: [UInt64] = []
    result.reserveCapacity(bounds.count)
    var offset = 0
    var total: UInt64 = 0
    for bound in bounds {
      while offset < bucketCounts.count,
        HistogramLayout.lowerBound(ofBucket: lowestBucket + offset) <= bound
      {
        total += bucketCounts[offset]
        offset += 1
      }
      result.append(total)
    }
    return result
  }

  /// The buckets that hold something, ascending: smallest value, number of integers, values in it.
  public var occupied: [(lowerBound: UInt64, width: UInt64, count: UInt64)] {
    bucketCounts.indices.filter { bucketCounts[$0] > 0 }.map { offset in
      let bucket = lowestBucket + offset
      return (
        HistogramLayout.lowerBound(ofBucket: bucket), HistogramLayout.width(ofBucket: bucket),
        bucketCounts[offset]
      )
    }
  }
}
