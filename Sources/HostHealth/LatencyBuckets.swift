/// The 32 cells in which a worker counts how long a host took to answer: two a power of two, from 64 us
/// to 4.2 s. The first takes everything faster, the last everything slower.
public enum LatencyBuckets {
  public static let count = 32

  /// The cell of a time.
  @inlinable
  public static func index(microseconds: UInt64) -> Int {
    if microseconds < 64 { return 0 }
    let exponent = 63 &- microseconds.leadingZeroBitCount
    let isUpperHalf = microseconds >> UInt64(truncatingIfNeeded: exponent &- 1) & 1
    let index = (exponent &- 6) &* 2 &+ Int(truncatingIfNeeded: isUpperHalf)
    return min(index, 31)
  }

  /// Microseconds at which a cell begins: 0, 96, 128, 192, ... Cell 32 is the end of the last one.
  public static func lowerBound(_ index: Int) -> UInt64 {
    if index <= 0 { return 0 }
    let cell = min(index, count)
    let power = UInt64(64) << UInt64(cell / 2)
    return cell % 2 == 0 ? power : power + power / 2
  }

  /// The quantile in milliseconds, as if times were spread evenly within a cell; nil when the cells are
  /// empty.
  public static func quantileMilliseconds(_ quantile: Double, of counts: LatencyCounts) -> Double? {
    let total = counts.total
    guard total > 0 else { return nil }
    let rank = quantile * Double(total)
    var below = 0.0
    for index in 0..<count {
      let inside = Double(counts[index])
      if inside > 0, below + inside >= rank {
        let lower = Double(lowerBound(index))
        let upper = Double(lowerBound(index + 1))
        return (lower + (upper - lower) * (rank - below) / inside) / 1000.0
      }
      below += inside
    }
    return Double(lowerBound(count)) / 1000.0
  }
}
