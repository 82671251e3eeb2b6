/// Hosts of a level or a cluster, each counted once under the worst that is said of it.
@frozen
public struct HostCounts: BitwiseCopyable, Hashable, Sendable {
  public private(set) var healthy = 0
  public private(set) var degraded = 0
  public private(set) var unhealthy = 0
  /// Of all of them, whatever their state.
  public private(set) var excluded = 0

  public var total: Int { healthy &+ degraded &+ unhealthy }

  public init() {}

  public mutating func add(_ flags: HostFlags) {
    switch flags.state {
    case .healthy: healthy &+= 1
    case .degraded: degraded &+= 1
    case .unhealthy: unhealthy &+= 1
    }
    if flags.isExcluded { excluded &+= 1 }
  }

  public static func += (counts: inout HostCounts, other: HostCounts) {
    counts.healthy &+= other.healthy
    counts.degraded &+= other.degraded
    counts.unhealthy &+= other.unhealthy
    counts.excluded &+= other.excluded
  }
}
