/// The cumulative buckets that histograms are shown with
/// (`config.metrics.v3.StatsConfig.histogram_bucket_settings`).
public struct HistogramBuckets: Sendable {
  /// The bounds of a histogram whose name matches nothing, as displayed: milliseconds for times.
  public static let defaultBounds: [Double] = [
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
    1_800_000, 3_600_000,
  ]

  public struct Setting: Sendable {
    public let match: StatsMatcher.Rule
    /// Upper bounds as displayed, in any order.
    public let bounds: [Double]
    public init(match: StatsMatcher.Rule, bounds: [Double]) {
      self.match = match
      self.bounds = bounds
    }
  }

  private let settings: [Setting]

  /// The first setting that matches a name counts.
  public init(_ settings: [Setting] = []) { self.settings = settings }

  /// Bounds in the unit that values are recorded in.
  func bounds(for name: String, unit: HistogramUnit) -> [UInt64] {
    guard let setting = settings.first(where: { $0.match.matches(name) }) else {
      return unit == .milliseconds ? Self.defaultMilliseconds : Self.defaultNumbers
    }
    return Self.recorded(setting.bounds, unit)
  }

  private static let defaultMilliseconds = recorded(defaultBounds, .milliseconds)
  private static let defaultNumbers = recorded(defaultBounds, .unspecified)

  private static func recorded(_ displayed: [Double], _ unit: HistogramUnit) -> [UInt64] {
    let scale: Double = unit == .milliseconds ? 1000 : 1
    let limit = Double(HistogramLayout.valueLimit)
    let bounds = displayed.map { bound in
      bound.isNaN ? 0 : UInt64(min(max(0, (bound * scale).rounded()), limit))
    }
    return Set(bounds).sorted()
  }
}
