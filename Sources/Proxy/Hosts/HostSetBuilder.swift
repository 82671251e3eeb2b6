import Balancing
import HostHealth

/// Makes host sets: a function of settings, hosts and what is known of them.
public struct HostSetBuilder: Sendable {
  public let settings: BalanceSettings

  public init(_ settings: BalanceSettings) { self.settings = settings }

  /// - Parameters:
  ///   - flags: By host.
  ///   - readySince: By host: when it became ready, in nanoseconds of the workers' clock; 0 = long ago. Empty: all of
  ///     them.
  ///   - now: By the same clock.
  ///   - localityWeights: `load_balancing_weight` of localities; those that have none are 0.
  ///   - own: Of zone-aware routing; nil: there is none.
  ///   - previous: The cluster's set before: what did not change is shared with it.
  /// - Returns: `previous` itself when nothing changed.
  public func build(
    _ hosts: [Frozen<HostConfig>], flags: [HostFlags], readySince: [UInt64] = [], now: UInt64 = 0,
    localityWeights: [LevelLocality: UInt32] = [:], own: OwnZone? = nil, after previous: Frozen<HostSet>? = nil
  ) -> Frozen<HostSet> {
    let starts = starts(readySince, now)
    let old = previous?.pointer
    let known = old.flatMap { $0.pointee.hosts.holds(hosts) ? $0 : nil }
    if let known, let previous, known.pointee.settings == settings,
      known.pointee.flags.buffer.elementsEqual(flags), known.pointee.startingUntil == starts.until,
      known.pointee.readySince.buffer.elementsEqual(starts.since), known.pointee.own == own,
      known.pointee.localityWeights == localityWeights
    {
      return previous
    }
    let names = localityNames(hosts, own, known)
    let levels = levels(hosts, flags, names)
    let plan = Levels(levels.map(\.counts), settings.levels)
    let zone = zone(levels, own, names)
    var draft = ListDraft(
      settings, hosts, hasStarts: starts.until > 0, tables: KnownTables(old, settings))
    var localities: [LocalityEntry] = []
    let entries = levels.enumerated().map { number, level in
      let weights = levelWeights(number, names, localityWeights)
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
    for flags in flags { counts.add(flags) }
    let words = FrozenList(draft.words)
    let doubles = FrozenList(draft.doubles)
    let lists = draft.lists(words, doubles)
    let weights = draft.hasSchedules ? draft.weights : []
    let knownWeights = known.flatMap { $0.pointee.weights.buffer.count == weights.count ? $0.pointee.weights : nil }
    return Frozen(
      HostSet(
        hosts: known?.pointee.hosts ?? FrozenList(hosts), flags: FrozenList(flags),
        weights: knownWeights ?? FrozenList(weights), members: FrozenList(draft.members),
        lists: FrozenList(lists), levels: FrozenList(entries),
        steps: FrozenList(plan.steps), counts: counts, readySince: FrozenList(starts.since),
        startingUntil: starts.until, readsLoads: settings.readsLoads || starts.until > 0,
        hashed: FrozenList(draft.tables), settings: settings, localityNames: names,
        localities: FrozenList(localities), zone: zone, own: own, localityWeights: localityWeights,
        only: only(plan, entries, lists, hasZone: zone != nil), words: words, doubles: doubles))
  }

  // MARK: Localities

  /// Nil where nobody asks for them.
  private func localityNames(
    _ hosts: [Frozen<HostConfig>], _ own: OwnZone?, _ known: UnsafeMutablePointer<HostSet>?
  ) -> HostLocalities? {
    let looksAtZones = own != nil && !settings.policy.hashes && !settings.usesLocalityWeights
    guard looksAtZones || settings.usesLocalityWeights else { return nil }
    if let names = known?.pointee.localityNames, names.own == own?.locality { return names }
    return HostLocalities(hosts, own: own?.locality)
  }

  /// By locality; nil when they have no weights at this level.
  private func levelWeights(
    _ level: Int, _ names: HostLocalities?, _ weights: [LevelLocality: UInt32]
  ) -> [UInt32]? {
    guard settings.usesLocalityWeights, let names else { return nil }
    let found = names.names.map { weights[LevelLocality(priority: UInt32(level), locality: $0)] ?? 0 }
    return found.contains { $0 > 0 } ? found : nil
  }

  private func zone(_ levels: [LevelDraft], _ own: OwnZone?, _ names: HostLocalities?) -> ZoneShares? {
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

  /// Who starts slowly, and until when. Nobody when all are as new as each other: then none is to have less.
  private func starts(_ readySince: [UInt64], _ now: UInt64) -> (since: [UInt64], until: UInt64) {
    guard let slowStart = settings.slowStart, settings.policy == .roundRobin || settings.policy == .leastRequest,
      let first = readySince.first, readySince.contains(where: { $0 != first })
    else { return ([], 0) }
    let until = readySince.reduce(UInt64(0)) { $1 == 0 ? $0 : max($0, $1 &+ slowStart.window) }
    return until > now ? (readySince, until) : ([], 0)
  }

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
  private func levels(
    _ hosts: [Frozen<HostConfig>], _ flags: [HostFlags], _ names: HostLocalities?
  ) -> [LevelDraft] {
    let highest = hosts.reduce(UInt32(0)) { max($0, $1.pointer.pointee.priority) }
    let count = min(Int(highest) + 1, Levels.countMax)
    let empty = LevelDraft(localities: names.map { Array(repeating: HostsDraft(), count: $0.names.count) } ?? [])
    var levels = [LevelDraft](repeating: empty, count: count)
    for (index, (host, flags)) in zip(hosts, flags).enumerated() {
      let priority = Int(host.pointer.pointee.priority)
      guard priority < count else { continue }
      let number = UInt32(truncatingIfNeeded: index)
      let weight = max(1, host.pointer.pointee.weight)
      levels[priority].hosts.add(number, weight: weight, flags)
      if let names { levels[priority].localities[Int(names.ofHost[index])].add(number, weight: weight, flags) }
    }
    return levels
  }
}

/// A level's hosts while a set is made.
struct LevelDraft {
  var hosts = HostsDraft()
  /// The same by locality; empty where nobody asks.
  var localities: [HostsDraft]

  var counts: LevelHosts { hosts.counts }
}

/// Hosts of a level, or of one locality of it.
struct HostsDraft {
  private(set) var all: [UInt32] = []
  private(set) var healthy: [UInt32] = []
  private(set) var degraded: [UInt32] = []
  private(set) var counts = LevelHosts()

  mutating func add(_ index: UInt32, weight: UInt32, _ flags: HostFlags) {
    all.append(index)
    counts.total += 1
    counts.totalWeight += UInt64(weight)
    if flags.isExcluded {
      counts.excluded += 1
      counts.excludedWeight += UInt64(weight)
    }
    switch flags.state {
    case .healthy:
      healthy.append(index)
      counts.healthy += 1
      counts.healthyWeight += UInt64(weight)
    case .degraded:
      degraded.append(index)
      counts.degraded += 1
      counts.degradedWeight += UInt64(weight)
    case .unhealthy: break
    }
  }
}
