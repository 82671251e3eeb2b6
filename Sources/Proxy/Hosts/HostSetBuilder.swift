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
    let draft = HostSetDraft(
      settings, hosts, flags, frozenHosts: known?.pointee.hosts, startingUntil: starts.until,
      readySince: FrozenList(starts.since), names: names, own: own, localityWeights: localityWeights)
    let subsets = settings.subsets.map {
      Subsets($0, draft, after: previous, isSameHosts: known != nil && old?.pointee.settings == settings)
    }
    return draft.set(subsets: subsets, after: old)
  }

  /// Nil where nobody asks for them.
  private func localityNames(
    _ hosts: [Frozen<HostConfig>], _ own: OwnZone?, _ known: UnsafeMutablePointer<HostSet>?
  ) -> HostLocalities? {
    let looksAtZones = own != nil && !settings.policy.hashes && !settings.usesLocalityWeights
    guard looksAtZones || settings.usesLocalityWeights else { return nil }
    if let names = known?.pointee.localityNames, names.own == own?.locality { return names }
    return HostLocalities(hosts, own: own?.locality)
  }

  /// Who starts slowly, and until when. Nobody when all are as new as each other: then none is to have less.
  private func starts(_ readySince: [UInt64], _ now: UInt64) -> (since: [UInt64], until: UInt64) {
    guard let slowStart = settings.slowStart, settings.policy == .roundRobin || settings.policy == .leastRequest,
      let first = readySince.first, readySince.contains(where: { $0 != first })
    else { return ([], 0) }
    let until = readySince.reduce(UInt64(0)) { $1 == 0 ? $0 : max($0, $1 &+ slowStart.window) }
    return until > now ? (readySince, until) : ([], 0)
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
