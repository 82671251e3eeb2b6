import Primitives

/// Draws indices in proportion to weights.
struct WeightedChoice: Sendable {
  /// Sums of the weights up to and including each index.
  private let sums: [Double]

  /// - Parameter weights: Not negative, at least one above 0.
  init(_ weights: [Double]) {
    var total = 0.0
    sums = weights.map { weight in
      total += weight
      return total
    }
  }

  func draw(_ random: inout FastRandom) -> Int {
    guard sums.count > 1 else { return 0 }
    let point = Double(random.next() >> 11) * 0x1p-53 * sums[sums.count - 1]
    var low = 0
    var high = sums.count - 1
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > point { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
