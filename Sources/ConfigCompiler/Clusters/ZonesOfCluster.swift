import Proxy

/// Statistics of requests from the own zone to zones of one cluster's hosts (`cluster.<name>.zone.<from>.<to>.`).
struct ZonesOfCluster {
  /// Empty: unknown, and nothing is counted.
  private let from: String
  private let owner: StatsScopeOwner
  private var zones: [String: RequestKindStats] = [:]

  /// - Parameter owner: The cluster's statistics.
  init(from: String, _ owner: StatsScopeOwner) {
    self.from = from
    self.owner = owner
  }

  /// - Returns: What such a host counts in, and what must live as long as it does.
  mutating func stats(to zone: String) -> (RequestKindStats, StatsScopeOwner)? {
    guard !from.isEmpty, !zone.isEmpty else { return nil }
    if let known = zones[zone] { return (known, owner) }
    let made = RequestKindStats(owner.scope, "zone.\(from).\(zone).")
    zones[zone] = made
    return (made, owner)
  }

  /// Whether a host of `zone` counts as it is to.
  func hasCounted(_ host: HostConfig, in zone: String) -> Bool {
    guard !from.isEmpty, !zone.isEmpty else { return host.zoneStats == nil }
    return host.zoneStats != nil && host.owners.contains { $0 === owner }
  }
}
