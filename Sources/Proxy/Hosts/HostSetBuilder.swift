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
  ///   - previous: The cluster's set before: what did not change is shared with it.
  /// - Returns: `previous` itself when nothing changed.
  public func build(
    _ hosts: [Frozen<HostConfig>], flags: [HostFlags], readySince: [UInt64] = [], now: UInt64 = 0,
    after previous: Frozen<HostSet>? = nil
  ) -> Frozen<HostSet> {
    let starts = starts(readySince, now)
    let old = previous?.pointer
    let known = old.flatMap { $0.pointee.hosts.holds(hosts) ? $0 : nil }
    if let known, let previous, known.pointee.settings == settings,
      known.pointee.flags.buffer.elementsEqual(flags), known.pointee.startingUntil == starts.until,
      known.pointee.readySince.buffer.elementsEqual(starts.since)
    {
      return previous
    }
    let levels = levels(hosts, flags)
    let plan = Levels(levels.map(\.counts), settings.levels)
    var draft = ListDraft(
      settings, hosts, hasStarts: starts.until > 0, tables: KnownTables(old, settings))
    let entries = levels.enumerated().map { number, level in
      let lists = draft.add(level, number: UInt8(truncatingIfNeeded: number), plan.shares[number])
      return PriorityLevel(
        all: lists.all, healthy: lists.healthy, degraded: lists.degraded, hosts: level.counts,
        share: plan.shares[number])
    }
    var counts = HostCounts()
    for flags in flags { counts.add(flags) }
    let words = FrozenList(draft.words)
    let lists = draft.lists(words)
    let weights = draft.words.isEmpty ? [] : draft.weights
    let knownWeights = known.flatMap { $0.pointee.weights.buffer.count == weights.count ? $0.pointee.weights : nil }
    return Frozen(
      HostSet(
        hosts: known?.pointee.hosts ?? FrozenList(hosts), flags: FrozenList(flags),
        weights: knownWeights ?? FrozenList(weights), members: FrozenList(draft.members),
        lists: FrozenList(lists), levels: FrozenList(entries),
        steps: FrozenList(plan.steps), counts: counts, readySince: FrozenList(starts.since),
        startingUntil: starts.until, readsLoads: settings.readsLoads || starts.until > 0,
        hashed: FrozenList(draft.tables), settings: settings, only: only(plan, entries, lists), words: words))
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
  private func only(_ plan: Levels, _ levels: [PriorityLevel], _ lists: [PickList]) -> Int32 {
    guard plan.steps.count == 1, let step = plan.steps.first else { return -1 }
    let level = levels[Int(step.level)]
    guard !level.share.isPanic else { return -1 }
    let list = step.isDegraded ? level.degraded : level.healthy
    return lists[Int(list)].count > 0 ? Int32(list) : -1
  }

  /// Hosts by priority: every priority up to the highest has a level, with hosts or without.
  private func levels(_ hosts: [Frozen<HostConfig>], _ flags: [HostFlags]) -> [LevelDraft] {
    let highest = hosts.reduce(UInt32(0)) { max($0, $1.pointer.pointee.priority) }
    let count = min(Int(highest) + 1, Levels.countMax)
    var levels = [LevelDraft](repeating: LevelDraft(), count: count)
    for (index, (host, flags)) in zip(hosts, flags).enumerated() {
      let priority = Int(host.pointer.pointee.priority)
      guard priority < count else { continue }
      levels[priority].add(
        UInt32(truncatingIfNeeded: index), weight: max(1, host.pointer.pointee.weight), flags)
    }
    return levels
  }
}

/// A level's hosts while a set is made.
struct LevelDraft {
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
