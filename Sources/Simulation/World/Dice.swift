import Primitives

/// Chance of one part of a simulation: seeded, so that a run repeats. Parts have dice of their own, so
/// that one more throw in one part does not change what happens in another.
final class Dice {
  private var random: FastRandom

  /// - Parameter stream: Tells the dice of one seed apart.
  init(seed: UInt64, stream: UInt64) {
    random = FastRandom(seed: seed &* 0x9E37_79B9 &+ stream)
  }

  func next() -> UInt64 { random.next() }

  /// True with this probability.
  func chance(_ probability: Double) -> Bool {
    probability > 0 && Double(random.next() >> 11) < probability * 9_007_199_254_740_992
  }

  /// Uniform; the range is not empty.
  func within(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(random.below(UInt32(clamping: range.upperBound - range.lowerBound + 1)))
  }

  /// Small values often, large ones sometimes: uniform in the exponent.
  func skewed(_ range: ClosedRange<Int>) -> Int {
    let span = range.upperBound - range.lowerBound
    guard span > 0 else { return range.lowerBound }
    let bits = Int.bitWidth - span.leadingZeroBitCount
    let limit = min(span, (1 << within(0...bits)) - 1)
    return range.lowerBound + (limit > 0 ? within(0...limit) : 0)
  }

  func pick<Element>(_ choices: [Element]) -> Element { choices[within(0...choices.count - 1)] }
}
