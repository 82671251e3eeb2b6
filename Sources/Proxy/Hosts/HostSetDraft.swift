import Balancing
import HostHealth

/// What the sets of a cluster are made of: the one of all its hosts, and those of its subsets.
final class HostSetDraft {
  let settings: BalanceSettings
  let hosts: [Frozen<HostConfig>]
  let flags: [HostFlags]
  let names: HostLocalities?
  let localityWeights: [LevelLocality: UInt32]
  /// By host, at least 1.
  let weights: [UInt32]
  let own: OwnZone?
  let startingUntil: UInt64
  private let frozenHosts: FrozenList<Frozen<HostConfig>>
  private let readySince: FrozenList<UInt64>
  private lazy var frozenWeights = FrozenList(weights)

  /// - Parameter frozenHosts: `hosts` as the set before has them, when they are the same.
  init(
    _ settings: BalanceSettings, _ hosts: [Frozen<HostConfig>], _ flags: [HostFlags],
    frozenHosts: FrozenList<Frozen<HostConfig>>?, startingUntil: UInt64, readySince: FrozenList<UInt64>,
    names: HostLocalities?, own: OwnZone?, localityWeights: [LevelLocality: UInt32]
  ) {
    self.settings = settings
    self.hosts = hosts
    self.flags = flags
    self.frozenHosts = frozenHosts ?? FrozenList(hosts)
    self.startingUntil = startingUntil
    self.readySince = readySince
    self.names = names
    self.own = own
    self.localityWeights = localityWeights
    weights = hosts.map { max(1, $0.pointer.pointee.weight) }
  }

  /// The set of all hosts.
  func set(subsets: Subsets?, after old: UnsafeMutablePointer<HostSet>?) -> Frozen<HostSet> {
    make(settings, Array(hosts.indices), FrozenList(flags), localityWeights, subsets, after: old)
  }

  /// The set of some of them: its indices are those of all hosts. What is known of each host is in the set of all.
  func set(
    of members: [UInt32], _ settings: BalanceSettings, _ localityWeights: [LevelLocality: UInt32],
    after old: UnsafeMutablePointer<HostSet>?
  ) -> Frozen<HostSet> {
    make(settings, members.map(Int.init), FrozenList([]), localityWeights, nil, after: old)
  }

  private func make(
    _ settings: BalanceSettings, _ members: [Int], _ flags: FrozenList<HostFlags>,
    _ localityWeights: [LevelLocality: UInt32], _ subsets: Subsets?, after old: UnsafeMutablePointer<HostSet>?
  ) -> Frozen<HostSet> {
    let levels = levels(members)
    let plan = Levels(levels.map(\.counts), settings.levels)
    let zone = zone(levels, settings)
    var draft = ListDraft(
      settings, hosts, weights: weights, hasStarts: startingUntil > 0, tables: KnownTables(old, settings))
    var localities: [LocalityEntry] = []
    let entries = levels.enumerated().map { number, level in
      let weights = levelWeights(number, settings, localityWeights)
      let lists = draft.add(
        level, number: UInt8(truncatingIfNeeded: number), plan.shares[number], localityWeights: weights)
      var entry = PriorityLevel(
        all: lists.all, healthy: lists.healthy, degraded: lists.degraded, hosts: level.counts,
        share: plan.shares[number])
      guard weights != nil && !settings.policy.hashes || number == 0 && zone != nil else { return entry }
      entry.firstLocality = UInt32(localities.count)
      let added = draft.add(
        level.localities, number: UInt8(truncatingIfNeeded: number), weights: weights,
        factor: settings.levels.overprovisioningFactor)
      (entry.healthyTurns, entry.degradedTurns) = (added.healthyTurns, added.degradedTurns)
      localities += added.entries
      entry.localityCount = UInt32(added.entries.count)
      return entry
    }
    var counts = HostCounts()
    for member in members { counts.add(self.flags[member]) }
    let words = FrozenList(draft.words)
    let doubles = FrozenList(draft.doubles)
    let lists = draft.lists(words, doubles)
    let readsLoads = settings.readsLoads || startingUntil > 0
    return Frozen(
      HostSet(
        hosts: frozenHosts, flags: flags, weights: draft.hasSchedules ? frozenWeights : FrozenList([]),
        members: FrozenList(draft.members), lists: FrozenList(lists), levels: FrozenList(entries),
        steps: FrozenList(plan.steps), counts: counts, readySince: readySince, startingUntil: startingUntil,
        readsLoads: readsLoads, isSpecial: readsLoads || subsets != nil, hashed: FrozenList(draft.tables),
        settings: settings, localityNames: names, localities: FrozenList(localities), zone: zone, zoneView: zone?.view, subsets: subsets,
        subsetView: subsets?.view, own: own, localityWeights: localityWeights,
        only: only(plan, entries, lists, hasZone: zone != nil), words: words, doubles: doubles))
  }

  // MARK: Localities

  /// By locality; nil when they have no weights at this level.
  private func levelWeights(
    _ level: Int, _ settings: BalanceSettings, _ weights: [LevelLocality: UInt32]
  ) -> [UInt32]? {
    guard settings.usesLocalityWeights, let names else { return nil }
    let found = names.names.map { weights[LevelLocality(priority: UInt32(level), locality: $0)] ?? 0 }
    return found.contains { $0 > 0 } ? found : nil
  }

  private func zone(_ levels: [LevelDraft], _ settings: BalanceSettings) -> ZoneShares? {
    guard let own, let names, !settings.policy.hashes, !settings.usesLocalityWeights, let first = levels.first
    else { return nil }
    // Localities of other levels are not among those of this one.
    let here = first.localities.indices.filter { first.localities[$0].counts.total > 0 }
    let hosts = own.hosts(
      here.map { names.names[$0] }, isOwnFirst: names.isOwnFirst && here.first == 0,
      here.map { first.localities[$0].counts }, usesWeights: settings.zones.usesWeights)
    return ZoneShares(
      ZonePlan(hosts, settings.zones), settings, isOwnPanic: own.isPanic(threshold: settings.levels.panicThreshold))
  }

  // MARK: Levels

  /// The list that takes everything, if there is one, with hosts, and nothing is to be counted on the way to it.
  private func only(_ plan: Levels, _ levels: [PriorityLevel], _ lists: [PickList], hasZone: Bool) -> Int32 {
    guard plan.steps.count == 1, let step = plan.steps.first else { return -1 }
    let level = levels[Int(step.level)]
    guard !level.share.isPanic, !(hasZone && step.level == 0), level.healthyTurns < 0, level.degradedTurns < 0
    else { return -1 }
    let list = step.isDegraded ? level.degraded : level.healthy
    return lists[Int(list)].count > 0 ? Int32(list) : -1
  }

  /// Hosts by priority: every priority up to the highest has a level, with hosts or without.
  private func levels(_ members: [Int]) -> [LevelDraft] {
    let highest = members.reduce(UInt32(0)) { max($0, hosts[$1].pointer.pointee.priority) }
    let count = min(Int(highest) + 1, Levels.countMax)
    let empty = LevelDraft(localities: names.map { Array(repeating: HostsDraft(), count: $0.names.count) } ?? [])
    var levels = [LevelDraft](repeating: empty, count: count)
    for index in members {
      let priority = Int(hosts[index].pointer.pointee.priority)
      guard priority < count else { continue }
      let number = UInt32(truncatingIfNeeded: index)
      levels[priority].hosts.add(number, weight: weights[index], flags[index])
      if let names {
        levels[priority].localities[Int(names.ofHost[index])].add(number, weight: weights[index], flags[index])
      }
    }
    return levels
  }
}
