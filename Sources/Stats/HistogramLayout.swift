/// Where a value goes in a log-linear histogram: 128 buckets for every power of two.
///
/// Values below 256 have a bucket each; above that a bucket is at most 1/128 of its lower bound wide,
/// so that a value read back from a bucket is off by less than 0.8 %. Integers only.
public enum HistogramLayout {
  /// Values from here on are counted in the last bucket: 2^40 µs, 12.7 days.
  @inlinable public static var valueLimit: UInt64 { 1 << 40 }
  /// Buckets of one histogram.
  @inlinable public static var bucketCount: Int { 4352 }
  /// Cells before the first bucket. One cache line.
  @inlinable static var headerCells: Int { 8 }
  /// Cells between two histograms of a slab: whole pages, so that histograms share none.
  static var strideCells: Int { 4608 }

  // Header cells. All of them start at zero, so that untouched memory is an empty histogram.
  @inlinable static var countCell: Int { 0 }
  @inlinable static var sumCell: Int { 1 }
  /// Highest touched bucket.
  @inlinable static var highestCell: Int { 2 }
  /// `bucketCount - lowest touched bucket`: grows like the highest one does.
  @inlinable static var lowestInvertedCell: Int { 3 }

  /// The bucket of `value`, in `0..<bucketCount`.
  @inlinable @inline(__always)
  public static func bucket(of value: UInt64) -> Int {
    let clamped = min(value, valueLimit &- 1)
    let shift = 56 &- (clamped | 128).leadingZeroBitCount
    return shift &* 128 &+ Int(truncatingIfNeeded: clamped &>> UInt64(truncatingIfNeeded: shift))
  }

  /// The smallest value of a bucket.
  public static func lowerBound(ofBucket bucket: Int) -> UInt64 {
    let shift = max(0, bucket / 128 - 1)
    return UInt64(bucket - shift * 128) << UInt64(shift)
  }

  /// How many integers a bucket holds.
  public static func width(ofBucket bucket: Int) -> UInt64 {
    1 << UInt64(max(0, bucket / 128 - 1))
  }
}
