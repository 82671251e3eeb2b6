import ConfigSchema
import HostHealth
import Proxy
import Stats
import SwiftProtobuf

/// What is known of hosts, for those who check and judge them. Main's own.
extension SnapshotCompiler {
  // MARK: Changes

  /// Sets what `mask` covers of a host's flags. The cluster, or the host, may be gone.
  public func setFlags(
    _ mask: HostFlags, to flags: HostFlags, ofHost number: UInt32, in cluster: String
  ) -> HostChange {
    state.clusters[cluster]?.ledger.set(mask, to: flags, ofHost: number) ?? .none
  }

  /// How long a change that is no hurry may wait for others, in milliseconds (`common_lb_config.update_merge_window`).
  public func mergeWindow(ofCluster name: String) -> UInt64 { state.clusters[name]?.mergeWindow ?? 0 }

  /// Builds the sets of clusters whose hosts have changed.
  ///
  /// - Returns: A table for the newest snapshot's workers; nil when no set is another one.
  public func changedHosts() -> HostTable? {
    let changed = state.buildHostSets()
    for name in changed { state.clusters[name]?.showMembership(registry) }
    return changed.isEmpty ? nil : hostTable()
  }

  /// A table of what is known now.
  public func hostTable() -> HostTable {
    var sets = [Frozen<HostSet>?](repeating: nil, count: state.clusterSlots.count)
    for record in state.clusters.values { sets[Int(record.frozen.pointer.pointee.slot)] = record.ledger.set }
    return HostTable(generation: state.generation, sets: sets, workerCount: options.workerNames.count)
  }

  /// A table of what is known now for workers that have an earlier snapshot.
  ///
  /// Clusters that are as they were there have their newest sets; what became of others says nothing about them.
  public func hostTable(of snapshot: Snapshot) -> HostTable {
    var sets = snapshot.hosts.sets.buffer.map { $0 }
    for record in state.clusters.values {
      let slot = Int(record.frozen.pointer.pointee.slot)
      guard slot < sets.count, snapshot.clusters.buffer[slot] === record.frozen else { continue }
      sets[slot] = record.ledger.set
    }
    return HostTable(generation: snapshot.generation, sets: sets, workerCount: options.workerNames.count)
  }

  /// - Parameter count: Clusters whose hosts have not been heard of yet.
  public func showWarming(clusters count: Int) { stats.showWarming(clusters: count, registry) }

  // MARK: Questions

  /// Clusters and what is known of their hosts now, by name.
  public var hostSets: [(config: Frozen<ClusterConfig>, hosts: Frozen<HostSet>)] {
    state.clusters.sorted { $0.key < $1.key }.map { ($0.value.frozen, $0.value.ledger.set) }
  }

  /// What is known of a cluster's hosts now.
  public func hostSet(ofCluster name: String) -> Frozen<HostSet>? { state.clusters[name]?.ledger.set }

  /// Clusters with outlier detection.
  public var watchedClusters: [WatchedCluster] {
    state.clusters.sorted { $0.key < $1.key }.compactMap { name, record in
      record.outliers.map {
        WatchedCluster(name: name, settings: $0.settings, stats: $0.stats, hosts: record.ledger.hosts)
      }
    }
  }

  /// Where ejections are logged; nil for nowhere.
  public var outlierEventLog: UInt16? { state.outlierEventLog }

  /// Clusters with active checks.
  public var checkedClusters: [CheckedCluster] {
    state.clusters.sorted { $0.key < $1.key }.compactMap { name, record in
      guard let stats = record.healthStats else { return nil }
      return CheckedCluster(
        name: name, checks: record.checks.map(\.check), version: record.checksVersion, slots: record.checks.map(\.slot),
        stats: stats, connectionsTotal: record.frozen.pointer.pointee.stats.cxTotal,
        ignoresNewHosts: record.proto.commonLbConfig.ignoreNewHostsUntilFirstHc,
        waitsForWarm: record.proto.hasWaitForWarmOnInit ? record.proto.waitForWarmOnInit.value : true,
        hosts: record.checkedHosts)
    }
  }

  /// Main's own snapshot: the clusters of all checks, and listeners that it has beside them.
  public func checkSnapshot(listeners: [Frozen<ListenerConfig>]) -> Snapshot {
    var clusters = [Frozen<ClusterConfig>?](repeating: nil, count: state.checkSlots.count)
    var sets = [Frozen<HostSet>?](repeating: nil, count: clusters.count)
    for check in state.clusters.values.flatMap(\.checks) {
      clusters[Int(check.slot)] = check.config
      sets[Int(check.slot)] = check.set
    }
    return Snapshot(
      generation: state.generation, clusters: clusters, hosts: sets, routeTables: [], listeners: listeners, workerCount: 1)
  }
}

extension ClusterRecord {
  /// `membership_*` and the like of what workers have now.
  func showMembership(_ registry: StatsRegistry) {
    let stats = frozen.pointer.pointee.stats
    let counts = ledger.set.pointer.pointee.counts
    let slab = registry.mainSlab
    slab.set(stats.membershipTotal, to: UInt64(counts.total))
    slab.set(stats.membershipHealthy, to: UInt64(counts.healthy))
    slab.set(stats.membershipDegraded, to: UInt64(counts.degraded))
    slab.set(stats.membershipExcluded, to: UInt64(counts.excluded))
    slab.set(stats.maxHostWeight, to: UInt64(ledger.maxHostWeight))
    showSubsets(ledger.set.pointer.pointee.subsets, stats.subsets, slab)
    if let zone = ledger.set.pointer.pointee.zone { stats.zones.count(zone, slab) }
    if let counts = ledger.set.pointer.pointee.hashCounts {
      showHashCounts(counts, ledger.set.pointer.pointee.settings.policy, slab)
    }
  }

  private func showSubsets(_ subsets: Subsets?, _ stats: SubsetStats, _ slab: StatsSlab) {
    let changes = ledger.takeSubsetChanges()
    slab.add(stats.created, changes.created)
    slab.add(stats.removed, changes.removed)
    slab.set(stats.active, to: UInt64(subsets?.count ?? 0))
    slab.set(stats.singleHostDuplicates, to: UInt64(subsets?.singleHostDuplicates ?? 0))
  }

  private func showHashCounts(_ counts: HashCounts, _ policy: BalanceSettings.Policy, _ slab: StatsSlab) {
    let scope = statsOwner.scope
    if policy == .ringHash {
      slab.set(scope.gauge("ring_hash_lb.size"), to: counts.size)
      slab.set(scope.gauge("ring_hash_lb.min_hashes_per_host"), to: counts.minimum)
      slab.set(scope.gauge("ring_hash_lb.max_hashes_per_host"), to: counts.maximum)
    } else {
      slab.set(scope.gauge("maglev_lb.min_entries_per_host"), to: counts.minimum)
      slab.set(scope.gauge("maglev_lb.max_entries_per_host"), to: counts.maximum)
    }
  }
}
