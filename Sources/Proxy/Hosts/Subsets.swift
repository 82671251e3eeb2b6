import Balancing
import HostHealth

/// The subsets of a cluster's hosts: each a host set of its own, over the same indices of hosts.
public final class Subsets: Sendable {
  private let index: SubsetIndex
  private let table: SubsetTableStorage
  /// By number in the index; the default subset is the last.
  package let sets: [Frozen<HostSet>]
  private let pointers: FrozenList<UnsafeMutablePointer<HostSet>>
  /// By set: what is known of its hosts. A subset of whose hosts nothing else is known keeps its set.
  private let flags: [[HostFlags]]

  /// - Parameter isSameHosts: Hosts and settings are those of `previous`.
  init(_ settings: SubsetSettings, _ draft: HostSetDraft, after previous: Frozen<HostSet>?, isSameHosts: Bool) {
    let before = previous?.pointer.pointee.subsets
    if isSameHosts, let before {
      (index, table) = (before.index, before.table)
    } else {
      // What cannot be indexed was refused when it was read.
      index =
        (try? SubsetIndex(settings, hosts: draft.hosts.map { $0.pointer.pointee.subsetMetadata })) ?? SubsetIndex()
      table = SubsetTableStorage(index)
    }
    var within = draft.settings
    within.subsets = nil
    within.usesLocalityWeights = draft.settings.usesLocalityWeights && settings.usesLocalityWeights
    // Only then a set can be what it was.
    let isSteady =
      isSameHosts && draft.startingUntil == 0 && previous?.pointer.pointee.startingUntil == 0
      && previous?.pointer.pointee.own == draft.own
      && previous?.pointer.pointee.localityWeights == draft.localityWeights
    var sets: [Frozen<HostSet>] = []
    var flags: [[HostFlags]] = []
    let byDefault = settings.asksForDefaultSubset ? index.defaultHosts : []
    for (number, members) in (index.subsets.map(\.hosts) + [byDefault]).enumerated() {
      let known = members.map { draft.flags[Int($0)] }
      flags.append(known)
      // Numbers are those of hosts' order: with the same hosts they stay.
      let old = isSameHosts ? before?.sets[number] : nil
      if isSteady, let old, before?.flags[number] == known {
        sets.append(old)
        continue
      }
      let weights = settings.scalesLocalityWeights ? Self.scaled(members, draft) : draft.localityWeights
      sets.append(draft.set(of: members, within, weights, after: old?.pointer))
    }
    self.sets = sets
    self.flags = flags
    pointers = FrozenList(sets.map(\.pointer))
  }

  /// Weights of localities in proportion to the hosts that a subset has of each.
  private static func scaled(_ members: [UInt32], _ draft: HostSetDraft) -> [LevelLocality: UInt32] {
    func counts(_ indices: some Sequence<Int>) -> [LevelLocality: UInt32] {
      var counts: [LevelLocality: UInt32] = [:]
      for index in indices {
        let config = draft.hosts[index].pointer
        counts[LevelLocality(priority: config.pointee.priority, locality: config.pointee.locality), default: 0] += 1
      }
      return counts
    }
    let all = counts(draft.hosts.indices)
    let here = counts(members.lazy.map(Int.init))
    return Dictionary(
      uniqueKeysWithValues: draft.localityWeights.map { key, weight in
        (key, LocalityWeights.scaled(weight: weight, subsetHosts: here[key] ?? 0, totalHosts: all[key] ?? 0))
      })
  }

  /// Lives as long as this object. There is a set always: the default subset's.
  var view: SubsetView {
    SubsetView(
      table: table.table, sets: pointers.buffer.baseAddress.unsafelyUnwrapped, count: UInt32(index.subsets.count))
  }

  // MARK: For people

  public var count: Int { index.subsets.count }

  /// `lb_subsets_single_host_per_subset_duplicate`
  public var singleHostDuplicates: Int { index.singleHostDuplicates }

  /// Whether both have the same subsets, however their hosts are.
  public func hasSameSubsets(as other: Subsets) -> Bool { table === other.table }

  /// Of all subsets.
  public var digests: Set<UInt64> { Set(index.subsets.map(\.digest)) }

  /// One of the sets that a match tries.
  public struct Way {
    public let text: String
    public let set: UnsafeMutablePointer<HostSet>
    /// Nothing comes after it, whether it has hosts or not.
    public let isLast: Bool
  }

  /// What a match tries in turn, as workers do.
  public func ways(for match: SubsetMatch?, in whole: UnsafeMutablePointer<HostSet>) -> [Way] {
    guard let settings = whole.pointee.settings.subsets else { return [] }
    let plan = match?.plan(settings) ?? SubsetPlan(settings, match: [])
    var ways: [Way] = []
    plan.steps.withUnsafeBufferPointer { steps in
      var walk = SubsetWalk()
      while let target = walk.next(steps, table.table) {
        let isWhole = [.anyEndpoint, .fallbackAny, .panicAny].contains(target.kind)
        let set = isWhole ? whole : sets[target.kind == .subset ? Int(target.subset) : index.subsets.count].pointer
        var rest = walk
        let isLast = rest.next(steps, table.table) == nil
        ways.append(Way(text: Self.text(target.kind), set: set, isLast: isLast))
      }
    }
    return ways
  }

  private static func text(_ kind: SubsetStep.Kind) -> String {
    switch kind {
    case .subset: "the one that is wanted"
    case .anyEndpoint: "all hosts, by the selector's fallback_policy"
    case .defaultSubset: "default_subset, by the selector's fallback_policy"
    case .fallbackAny: "all hosts, by fallback_policy"
    case .fallbackDefault: "default_subset, by fallback_policy"
    case .panicAny: "all hosts, by panic_mode_any"
    }
  }

  /// Of the subset with that number: what finds it among others' numbers.
  func digest(_ number: Int) -> UInt64 { index.subsets[number].digest }
}

/// ``Subsets`` as workers read them.
struct SubsetView {
  let table: SubsetTable
  /// By number; behind the last is the default subset's.
  let sets: UnsafeMutablePointer<UnsafeMutablePointer<HostSet>>
  let count: UInt32
}
