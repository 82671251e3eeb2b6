/// Where a duration is counted: the layout of an HDR histogram from 1 to one hour of nanoseconds with three
/// significant digits. Bucket for bucket the layout of the hdrhistogram package.
///
/// Values below 2048 have a bucket each; above that, each power of two has 1024 of them.
@usableFromInline
enum HDRLayout {
  /// One hour. Longer durations count as this long.
  @inlinable static var longest: UInt64 { 3_600_000_000_000 }

  /// Buckets for 0...longest.
  @inlinable static var bucketCount: Int { 32 * 1024 + 1024 }

  /// The bucket of `value`, which must not be above `longest`.
  @inlinable @inline(__always)
  static func bucket(of value: UInt64) -> Int {
    let shift = 53 &- (value | 2047).leadingZeroBitCount
    return shift &<< 10 &+ Int(truncatingIfNeeded: value &>> UInt64(truncatingIfNeeded: shift))
  }

  /// The smallest value of a bucket.
  static func lowest(ofBucket bucket: Int) -> UInt64 {
    let shift = shift(ofBucket: bucket)
    return UInt64(bucket - shift << 10) << UInt64(shift)
  }

  /// The largest value of a bucket.
  static func highest(ofBucket bucket: Int) -> UInt64 {
    lowest(ofBucket: bucket) + (1 << UInt64(shift(ofBucket: bucket))) - 1
  }

  private static func shift(ofBucket bucket: Int) -> Int { max(0, bucket >> 10 - 1) }
}
