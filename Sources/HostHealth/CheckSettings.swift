/// How often a host is checked, and how many results it takes to believe them.
///
/// Times are in milliseconds.
public struct CheckSettings: Hashable, Sendable {
  public var healthyThreshold: UInt32
  public var unhealthyThreshold: UInt32
  public var interval: UInt64
  public var unhealthyInterval: UInt64
  public var unhealthyEdgeInterval: UInt64
  public var healthyEdgeInterval: UInt64
  public var noTrafficInterval: UInt64
  public var noTrafficHealthyInterval: UInt64
  public var initialJitter: UInt64
  public var intervalJitter: UInt64
  public var intervalJitterPercent: UInt32
  /// `health_check.min_interval` and `max_interval` of the runtime; the smallest one wins over the largest.
  public var intervalMin: UInt64
  public var intervalMax: UInt64
  public var alwaysLogsFailures: Bool
  public var alwaysLogsSuccess: Bool

  /// - Parameters that are nil take the value that stands for them: `unhealthyInterval` and
  ///   `healthyEdgeInterval` are `interval`, `unhealthyEdgeInterval` is `unhealthyInterval`,
  ///   `noTrafficHealthyInterval` is `noTrafficInterval`.
  public init(
    healthyThreshold: UInt32, unhealthyThreshold: UInt32, interval: UInt64,
    unhealthyInterval: UInt64? = nil, unhealthyEdgeInterval: UInt64? = nil,
    healthyEdgeInterval: UInt64? = nil, noTrafficInterval: UInt64 = 60_000,
    noTrafficHealthyInterval: UInt64? = nil, initialJitter: UInt64 = 0, intervalJitter: UInt64 = 0,
    intervalJitterPercent: UInt32 = 0, intervalMin: UInt64 = 0, intervalMax: UInt64 = .max,
    alwaysLogsFailures: Bool = false, alwaysLogsSuccess: Bool = false
  ) {
    self.healthyThreshold = healthyThreshold
    self.unhealthyThreshold = unhealthyThreshold
    self.interval = interval
    self.unhealthyInterval = unhealthyInterval ?? interval
    self.unhealthyEdgeInterval = unhealthyEdgeInterval ?? unhealthyInterval ?? interval
    self.healthyEdgeInterval = healthyEdgeInterval ?? interval
    self.noTrafficInterval = noTrafficInterval
    self.noTrafficHealthyInterval = noTrafficHealthyInterval ?? noTrafficInterval
    self.initialJitter = initialJitter
    self.intervalJitter = intervalJitter
    self.intervalJitterPercent = intervalJitterPercent
    self.intervalMin = intervalMin
    self.intervalMax = intervalMax
    self.alwaysLogsFailures = alwaysLogsFailures
    self.alwaysLogsSuccess = alwaysLogsSuccess
  }
}
