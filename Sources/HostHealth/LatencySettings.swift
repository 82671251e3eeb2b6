/// Hosts that are ejected because they answer more slowly than their peers
/// (`metadata.filter_metadata.apus.latency_outlier`).
public struct LatencySettings: Hashable, Sendable {
  public enum Quantile: UInt8, Hashable, Sendable {
    case p50 = 50
    case p95 = 95
  }

  public var quantile = Quantile.p95
  public var deviationFactor = 5.0
  public var minimumRatio = 2.0
  public var minimumLatencyMilliseconds = 10.0
  public var requestVolume: UInt32 = 100
  public var minimumHosts: UInt32 = 5
  public var enforcing: UInt32 = 100

  public init() {}
}
