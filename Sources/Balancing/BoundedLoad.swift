/// Consistent hashing with bounded loads: nobody gets much more than its share, a full host's
/// requests go to others in an order that their hash decides.
///
/// Source: Envoy `thread_aware_lb_impl.cc` (`BoundedLoadHashingLoadBalancer`), arXiv 1608.01350 and
/// 1908.08762. The order differs: Envoy shuffles an array with a Mersenne twister for each such
/// request; here it is start + i * step with a step coprime to the number of hosts, also a permutation
/// fixed by the hash, without memory.
@frozen
public struct BoundedLoad: Sendable, Equatable {
  /// `hash_balance_factor`: percent of the average that a host may have, at least 100.
  public let factor: UInt32

  @inlinable
  public init(factor: UInt32) { self.factor = max(100, factor) }

  /// Requests that a host may have before it counts as full: at least 1.
  ///
  /// max(1, ceil(((active + 1) * factor + 99) / 100 * weight)), the division of integers.
  ///
  /// - Parameters:
  ///   - active: Of all hosts together.
  ///   - weight: Normalised.
  @inlinable
  public func slots(active: UInt32, weight: Double) -> Double {
    // (2^32 - 1 + 1) * (2^32 - 1) + 99 is below 2^64.
    let total = ((UInt64(active) &+ 1) &* UInt64(factor) &+ 99) / 100
    return max(1, (Double(total) * weight).rounded(.up))
  }

  /// The first host that is not full, beginning with `preferred`; when all are full the one that is
  /// the least full.
  ///
  /// - Parameters:
  ///   - preferred: What ``HashTable/pick(_:attempt:)`` gave: a position in `weights`.
  ///   - weights: Normalised, of each host; 0: not in the table, never chosen.
  ///   - active: Requests of all hosts together.
  ///   - activeOf: Requests of the host at a position.
  /// - Complexity: O(1) when `preferred` is not full, else O(hosts); no allocation.
  @inlinable
  public func pick(
    preferred: UInt32, hash: UInt64, weights: UnsafeBufferPointer<Double>, active: UInt32,
    activeOf: (UInt32) -> UInt32
  ) -> UInt32 {
    var least = preferred
    var leastFullness = Double(activeOf(preferred)) / slots(
      active: active, weight: weights[Int(preferred)])
    guard leastFullness > 1 else { return preferred }
    let count = UInt64(weights.count)
    let step = Self.step(hash, count)
    var position = hash % count
    for _ in 0..<count {
      let candidate = UInt32(truncatingIfNeeded: position)
      position = (position &+ step) % count
      let weight = weights[Int(candidate)]
      guard candidate != preferred, weight > 0 else { continue }
      let fullness = Double(activeOf(candidate)) / slots(active: active, weight: weight)
      if fullness <= 1 { return candidate }
      if fullness < leastFullness {
        least = candidate
        leastFullness = fullness
      }
    }
    return least
  }

  /// From the hash's high half, coprime to `count`, so that steps visit everybody; each such number
  /// is as likely as the others.
  @inlinable
  static func step(_ hash: UInt64, _ count: UInt64) -> UInt64 {
    guard count > 2 else { return 1 }
    var state = hash >> 32
    // More than one number in seven is coprime to a count of 32 bits: 64 tries are enough.
    for _ in 0..<64 {
      state = (state &+ 1) &* 0x9E37_79B9_7F4A_7C15
      state ^= state >> 29
      let step = (state >> 16) % (count &- 1) &+ 1
      if greatestCommonDivisor(step, count) == 1 { return step }
    }
    return 1
  }

  @inlinable
  static func greatestCommonDivisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
