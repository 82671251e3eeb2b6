/// Hosts that are much slower than the median of their peers.
///
/// A host is an outlier when its quantile lies more than `deviationFactor` robust standard deviations
/// above the median, and is at least `minimumRatio` times the median, and `minimumLatency`. The
/// deviation comes from the median of the distances (MAD), which a few slow hosts do not move; when two
/// halves of a cluster differ it is large, and nobody is ejected.
public struct LatencyOutliers: Sendable {
  /// The standard deviation of a normal distribution in units of its MAD.
  static let scaleOfMAD = 1.4826
  /// Peers that are all alike have no deviation: the least one is this part of the median.
  static let leastDeviation = 0.05

  /// Median of the hosts' quantiles in milliseconds; nil when too few hosts had enough answers.
  public private(set) var medianMilliseconds: Double?
  /// What an outlier has passed or reached, for the event log; nil as the median.
  public private(set) var thresholdMilliseconds: Double?

  private let settings: LatencySettings
  private var quantiles: [Double] = []
  /// Means nothing without a median.
  private var deviationLimit = 0.0

  public init(_ settings: LatencySettings) {
    self.settings = settings
  }

  /// Forgets the last sweep, but not its memory.
  public mutating func begin(hostCount: Int) {
    medianMilliseconds = nil
    thresholdMilliseconds = nil
    quantiles.removeAll(keepingCapacity: true)
    quantiles.reserveCapacity(max(0, hostCount))
  }

  /// Adds a host that is not ejected.
  ///
  /// - Returns: Its quantile in milliseconds, to be judged after `finish`; nil without enough answers.
  public mutating func add(_ counts: LatencyCounts) -> Double? {
    guard counts.total >= UInt64(settings.requestVolume),
      let quantile = LatencyBuckets.quantileMilliseconds(
        Double(settings.quantile.rawValue) / 100.0, of: counts)
    else { return nil }
    quantiles.append(quantile)
    return quantile
  }

  /// All hosts were added.
  public mutating func finish() {
    guard !quantiles.isEmpty, quantiles.count >= Int(settings.minimumHosts) else { return }
    let median = Self.median(&quantiles)
    for index in quantiles.indices { quantiles[index] = abs(quantiles[index] - median) }
    let deviation = Self.scaleOfMAD * max(Self.median(&quantiles), Self.leastDeviation * median)
    deviationLimit = median + settings.deviationFactor * deviation
    medianMilliseconds = median
    thresholdMilliseconds = max(
      deviationLimit, settings.minimumRatio * median, settings.minimumLatencyMilliseconds)
  }

  public func isOutlier(quantileMilliseconds quantile: Double) -> Bool {
    guard let medianMilliseconds else { return false }
    return quantile > deviationLimit && quantile >= settings.minimumRatio * medianMilliseconds
      && quantile >= settings.minimumLatencyMilliseconds
  }

  /// Sorts. Of an even number it is the mean of the two in the middle.
  static func median(_ values: inout [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    values.sort()
    let middle = values.count / 2
    return values.count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2
  }
}
