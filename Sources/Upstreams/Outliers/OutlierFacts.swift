import HostHealth

/// What outlier detection says of a host.
public struct OutlierFacts: Sendable {
  public struct Ejection: Sendable {
    public let kind: EjectionKind
    /// What the host did, for people.
    public let reason: String
    /// How often it was ejected, this time included.
    public let count: UInt32
    public let begunMillisecondsAgo: UInt64
    /// Nil while the host is out.
    public let endedMillisecondsAgo: UInt64?
    /// 0: the next sweep ends it, or it has ended.
    public let millisecondsLeft: UInt64
  }

  /// In percent, of the last sweep; nil with too few requests.
  public var successRate: Double?
  public var localSuccessRate: Double?
  /// The quantile that is looked at; nil with too few answers, and where slow hosts are not looked for.
  public var latencyMilliseconds: Double?
  /// Nil: it never was.
  public var latestEjection: Ejection?

  /// Nil: the host is not out.
  public var ejection: Ejection? { latestEjection?.endedMillisecondsAgo == nil ? latestEjection : nil }
}
