/// The percentiles that reports show.
enum Percentiles {
  static let shown: [Double] = [50, 75, 90, 99, 99.9, 99.99, 99.999]

  /// "p99.9"
  static func name(_ percent: Double) -> String { "p" + digits(percent) }

  /// "99.9": as few digits as say it.
  static func digits(_ percent: Double) -> String {
    percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
  }

  /// A percentile with fewer requests above it than this is decided by a handful of them: its count alone is off
  /// by 10 % and more from run to run.
  static let fewestAbove = 100.0

  /// How many of `count` requests lie above a percentile.
  static func above(_ percent: Double, of count: UInt64) -> Double {
    // Tolerates what 100 - 99.9 loses.
    (Double(count) * (100 - percent) / 100 * 1e6).rounded() / 1e6
  }

  static func isFirm(_ percent: Double, of count: UInt64) -> Bool {
    above(percent, of: count) >= fewestAbove
  }
}
