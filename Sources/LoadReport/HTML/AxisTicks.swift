/// Round values for an axis.
enum AxisTicks {
  /// From 0 to the first step at or above `largest`, in steps of 1, 2, 2.5 or 5 times a power of ten.
  static func linear(upTo largest: Double, about count: Int = 5) -> [Double] {
    guard largest.isFinite, largest > 0 else { return [0, 1] }
    let step = roundStep(largest / Double(count))
    let steps = Int((largest / step - 1e-9).rounded(.up))
    return (0...max(1, steps)).map { Double($0) * step }
  }

  /// Covers `range` on a logarithmic axis: powers of ten, with numbers between when there are few.
  static func logarithmic(_ range: ClosedRange<Double>, atMost most: Int = 8) -> [Double] {
    // The densest that is not crowded: it begins and ends closest to the values.
    let densities: [[Double]] = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3]]
    let low = max(range.lowerBound, 1e-9)
    let high = min(max(range.upperBound, low), 1e30)
    for factors in densities {
      let ticks = ticks(covering: low...high, factors: factors)
      if ticks.count <= most { return ticks }
    }
    return ticks(covering: low...high, factors: [1])
  }

  /// Seconds from 0 up to `largest`, in steps that divide minutes and hours.
  static func time(upTo largest: Double, about count: Int = 6) -> [Double] {
    guard largest.isFinite, largest > 0 else { return [0, 1] }
    guard largest > 10 else { return linear(upTo: largest, about: count).filter { $0 <= largest } }
    let steps: [Double] = [2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200]
    let step = steps.first { largest / $0 <= Double(count) } ?? 86_400 * (largest / 86_400 / 6).rounded(.up)
    return Array(stride(from: 0, through: largest, by: step))
  }

  private static func roundStep(_ rough: Double) -> Double {
    var power = 1.0
    while power > rough { power /= 10 }
    while power * 10 <= rough { power *= 10 }
    return ([1, 2, 2.5, 5].first { $0 * power >= rough * (1 - 1e-9) } ?? 10) * power
  }

  private static func ticks(covering range: ClosedRange<Double>, factors: [Double]) -> [Double] {
    var power = 1.0
    while power > range.lowerBound { power /= 10 }
    while power * 10 <= range.lowerBound { power *= 10 }
    var all: [Double] = []
    while true {
      for factor in factors {
        all.append(power * factor)
        if power * factor >= range.upperBound * (1 - 1e-9) {
          let first = all.lastIndex { $0 <= range.lowerBound * (1 + 1e-9) } ?? 0
          return Array(all[first...])
        }
      }
      power *= 10
    }
  }
}
