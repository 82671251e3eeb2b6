/// A small, fast, seedable generator (xoshiro256** by its published constants): one a worker,
/// so that a simulated run repeats and no lock is shared.
@frozen
public struct FastRandom: RandomNumberGenerator {
  @usableFromInline var s0: UInt64
  @usableFromInline var s1: UInt64
  @usableFromInline var s2: UInt64
  @usableFromInline var s3: UInt64

  @inlinable
  public init(seed: UInt64) {
    // splitmix64 spreads a poor seed over the state
    var x = seed
    func next() -> UInt64 {
      x &+= 0x9E37_79B9_7F4A_7C15
      var z = x
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    s0 = next()
    s1 = next()
    s2 = next()
    s3 = next()
  }

  @inlinable @inline(__always)
  public mutating func next() -> UInt64 {
    @inline(__always) func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x << n | x >> (64 &- n) }
    let result = rotate(s1 &* 5, 7) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = rotate(s3, 45)
    return result
  }

  /// Uniform in `0..<bound`; `bound` is at least 1. The bias is below 2^-32 for bounds of 32 bits.
  @inlinable @inline(__always)
  public mutating func below(_ bound: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: (next() >> 32 &* UInt64(bound)) >> 32)
  }
}
