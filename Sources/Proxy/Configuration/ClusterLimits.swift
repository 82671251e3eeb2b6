/// Limits of one routing priority of a cluster (`circuit_breakers`, envoy/config/cluster/v3/circuit_breaker.proto).
public struct ClusterLimits: Sendable, Equatable {
  /// Which limits the configuration sets.
  public struct Settings: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let connections = Settings(rawValue: 1 << 0)
    public static let pendingRequests = Settings(rawValue: 1 << 1)
    public static let requests = Settings(rawValue: 1 << 2)
    public static let retries = Settings(rawValue: 1 << 3)
  }

  /// `retry_budget`: takes the place of `max_retries`.
  public struct RetryBudget: Sendable, Equatable {
    /// Of the requests that are active or wait.
    public var percent = 20.0
    /// Repeats that there may always be.
    public var concurrencyMin: UInt32 = 3
    /// Not 0: of the requests that began in this time, if these are more.
    public var intervalMilliseconds: UInt64 = 0
    public init() {}
  }

  public var connections: UInt32 = 1024
  public var pendingRequests: UInt32 = 1024
  public var requests: UInt32 = 1024
  public var retries: UInt32 = 3
  public var retryBudget: RetryBudget?
  /// `max_connection_pools`
  public var pools = UInt32.max
  /// `per_host_thresholds.max_connections`, over all priorities of a host.
  public var hostConnections = UInt32.max
  /// `track_remaining`
  public var tracksRemaining = false
  public var settings: Settings = []

  public init() {}

  /// How many requests may be repeated or wait for that now.
  public func retries(_ shared: borrowing ClusterShared.Priority, recentRequests: UInt64) -> UInt64 {
    guard let budget = retryBudget else { return UInt64(retries) }
    var base = shared.requests.current() &+ shared.pending.current()
    if budget.intervalMilliseconds > 0 { base = max(base, recentRequests) }
    // Of at most 100 percent, and never as many as would not fit.
    let share = min(budget.percent / 100 * Double(base), Double(UInt32.max))
    return max(UInt64(share), UInt64(budget.concurrencyMin))
  }
}
