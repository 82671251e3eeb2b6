/// What the hosts of a cluster did since the last sweep, for one origin: external results, or local
/// ones when they are told apart.
///
/// Hosts are added in any number of pieces, `finish` looks at them together, and `verdict` judges each.
/// Envoy's order, which decides who gets the last places of the budget: all success rates, then all
/// failure percentages.
public struct Sweep: Sendable {
  /// Mean of the rates, in percent; nil when too few hosts had enough results.
  public private(set) var average: Double?
  /// A rate below is an outlier's; nil as `average`.
  public private(set) var threshold: Double?

  private let settings: OutlierSettings
  private var isWorthwhile = false
  private var rates: [Double] = []
  private var sum = 0.0
  private var countWithVolume = 0

  public init(_ settings: OutlierSettings) {
    self.settings = settings
  }

  /// Forgets the last sweep, but not its memory.
  public mutating func begin(hostCount: Int) {
    average = nil
    threshold = nil
    rates.removeAll(keepingCapacity: true)
    sum = 0
    countWithVolume = 0
    isWorthwhile =
      hostCount >= Int(settings.successRateMinimumHosts)
      || hostCount >= Int(settings.failurePercentageMinimumHosts)
    if isWorthwhile { rates.reserveCapacity(max(0, hostCount)) }
  }

  /// Adds a host that is not ejected.
  ///
  /// - Returns: Its success rate in percent, if it is worth showing: it has the volume for one of the
  ///   two tests.
  public mutating func add(_ counts: ResultCounts) -> Double? {
    guard isWorthwhile, let rate = counts.successRate else { return nil }
    let hasRateVolume = counts.results >= UInt64(settings.successRateRequestVolume)
    let hasPercentageVolume = counts.results >= UInt64(settings.failurePercentageRequestVolume)
    if hasRateVolume {
      rates.append(rate)
      sum += rate
    }
    if hasPercentageVolume { countWithVolume += 1 }
    return hasRateVolume || hasPercentageVolume ? rate : nil
  }

  /// All hosts were added.
  public mutating func finish() {
    guard !rates.isEmpty, rates.count >= Int(settings.successRateMinimumHosts) else { return }
    let mean = sum / Double(rates.count)
    var variance = 0.0
    for rate in rates { variance += (rate - mean) * (rate - mean) }
    variance /= Double(rates.count)
    average = mean
    threshold = mean - Double(settings.successRateStdevFactor) / 1000.0 * variance.squareRoot()
  }

  /// What a host that was added is guilty of.
  public func verdict(_ counts: ResultCounts) -> SweepVerdict {
    guard isWorthwhile, let rate = counts.successRate else { return [] }
    var verdict: SweepVerdict = []
    if let threshold, counts.results >= UInt64(settings.successRateRequestVolume), rate < threshold {
      verdict.insert(.successRate)
    }
    if countWithVolume >= Int(settings.failurePercentageMinimumHosts),
      counts.results >= UInt64(settings.failurePercentageRequestVolume),
      100.0 - rate >= Double(settings.failurePercentageThreshold)
    {
      verdict.insert(.failurePercentage)
    }
    return verdict
  }
}

@frozen
public struct SweepVerdict: OptionSet, BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let successRate = SweepVerdict(rawValue: 1 << 0)
  public static let failurePercentage = SweepVerdict(rawValue: 1 << 1)
}
