import Balancing

/// How hosts of a cluster are chosen: what its host sets are built by.
public struct BalanceSettings: Sendable, Equatable {
  public enum Policy: UInt8, Sendable { case roundRobin, random }

  public var policy = Policy.roundRobin
  public var levels = LevelSettings()

  public init() {}
}
