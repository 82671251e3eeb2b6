import Balancing
import HostHealth

/// Where this proxy is, and how its own cluster (`cluster_manager.local_cluster_name`) is spread over localities: what
/// zone-aware routing of all other clusters is computed from.
public struct OwnZone: Sendable, Equatable {
  /// `node.locality`
  public let locality: HostConfig.Locality
  /// Healthy hosts of the own cluster by locality, counted and weighed. Localities without healthy hosts are in it.
  private let healthy: [HostConfig.Locality: (count: UInt64, weight: UInt64)]
  private let localityHosts: UInt64
  private let hosts: LevelHosts

  /// - Parameter set: Of the own cluster, which has one level.
  public init(_ locality: HostConfig.Locality, _ set: Frozen<HostSet>) {
    self.locality = locality
    let set = set.pointer
    var healthy: [HostConfig.Locality: (count: UInt64, weight: UInt64)] = [:]
    var localityHosts: UInt64 = 0
    for (host, flags) in zip(set.pointee.hosts.buffer, set.pointee.flags.buffer) {
      let config = host.pointer
      let isUp = flags.state == .healthy
      var sums = healthy[config.pointee.locality] ?? (0, 0)
      sums.count += isUp ? 1 : 0
      sums.weight += isUp ? UInt64(max(1, config.pointee.weight)) : 0
      healthy[config.pointee.locality] = sums
      if config.pointee.locality == locality { localityHosts += 1 }
    }
    self.healthy = healthy
    self.localityHosts = localityHosts
    hosts = set.pointee.levels.buffer.first?.hosts ?? LevelHosts()
  }

  public static func == (a: OwnZone, b: OwnZone) -> Bool {
    a.locality == b.locality && a.localityHosts == b.localityHosts && a.hosts == b.hosts
      && a.healthy.count == b.healthy.count
      && a.healthy.allSatisfy { key, value in b.healthy[key].map { $0 == value } ?? false }
  }

  /// Whether so few hosts of the own cluster are up that its shares mean nothing.
  func isPanic(threshold: UInt32) -> Bool {
    Levels.isPanic(
      healthy: hosts.healthy, degraded: hosts.degraded,
      counted: hosts.total > hosts.excluded ? hosts.total - hosts.excluded : 0, threshold: threshold)
  }

  /// - Parameters:
  ///   - names: Localities of the target's first level, the own one first if it is there.
  ///   - target: Its healthy hosts in them.
  func hosts(_ names: [HostConfig.Locality], isOwnFirst: Bool, _ target: [LevelHosts], usesWeights: Bool) -> ZoneHosts {
    func value(_ sums: (count: UInt64, weight: UInt64)) -> UInt64 { usesWeights ? sums.weight : sums.count }
    return ZoneHosts(
      target: target.map { usesWeights ? $0.healthyWeight : UInt64($0.healthy) },
      own: names.map { healthy[$0].map(value) ?? 0 },
      ownTotal: healthy.values.reduce(0) { $0 + value($1) }, ownLocalityCount: healthy.count,
      ownLocalityHosts: localityHosts, isOwnFirst: isOwnFirst, targetCounts: target.map { UInt64($0.healthy) })
  }
}
