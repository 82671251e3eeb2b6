import Proxy
import Stats

/// The cluster that this proxy is a member of (`cluster_manager.local_cluster_name`), and where it is itself.
struct LocalCluster {
  /// Empty: unknown, and zones do not count.
  var name = ""
  /// `node.locality`
  var locality = HostConfig.Locality()
  /// The set that `zone` was made from.
  private var set: Frozen<HostSet>?
  private var zone: OwnZone?

  /// - Parameter set: The cluster's newest.
  fileprivate mutating func zone(_ set: Frozen<HostSet>?) -> OwnZone? {
    if set !== self.set || zone?.locality != locality {
      self.set = set
      zone = set.map { OwnZone(locality, $0) }
    }
    return zone
  }
}

extension CompilerState {
  /// Builds the sets of clusters of whose hosts something else is known: the own one first, because zones of all
  /// others are computed from it.
  ///
  /// - Returns: Names of clusters that have another set.
  mutating func buildHostSets() -> [String] {
    var changed: [String] = []
    let own = clusters[localCluster.name]?.ledger
    own?.own = nil
    if own?.build() == true { changed.append(localCluster.name) }
    let zone = localCluster.zone(own?.set)
    for (name, record) in clusters where name != localCluster.name {
      record.ledger.own = zone
      if record.ledger.build() { changed.append(name) }
    }
    return changed
  }
}
