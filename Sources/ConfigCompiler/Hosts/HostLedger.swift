import HostHealth
import Proxy

/// All that main knows of the hosts of one cluster, and the set of them that workers get: a function of what is known.
///
/// Discovery says who there is, checks and outlier detection how they are; they meet here.
final class HostLedger {
  private var records: [HostRecord] = []
  private var places: [UInt32: Int] = [:]
  private var settings = BalanceSettings()
  private var rules = MembershipRules(hasActiveChecks: false)
  private var localityWeights: [LevelLocality: UInt32] = [:]
  /// What zone-aware routing is computed from; nil: there is none.
  var own: OwnZone? { didSet { if own != oldValue { isStale = true } } }
  /// Hosts under active checks.
  private var checked: Set<UInt32> = []
  private(set) var set: Frozen<HostSet>
  /// The greatest `load_balancing_weight` of a host; 0 without hosts.
  private(set) var maxHostWeight: UInt32 = 0
  /// The set is older than what is known.
  private var isStale = false
  /// Nanoseconds of the workers' clock.
  private let now: @Sendable () -> UInt64

  init(now: @escaping @Sendable () -> UInt64 = { 0 }) {
    self.now = now
    set = HostSetBuilder(BalanceSettings()).build([], flags: [])
  }

  /// A host as discovery says.
  struct Discovered {
    let config: Frozen<HostConfig>
    /// Within ``HostFlags/discovery``.
    let flags: HostFlags
    let isCheckDisabled: Bool
  }

  // MARK: Discovery

  /// A good answer of discovery, or a configuration: what checks and outlier detection say of hosts that stay, stays.
  ///
  /// - Parameters:
  ///   - localityWeights: `load_balancing_weight` of localities that have one.
  ///   - ignoresNew: Hosts that were never checked count neither way.
  func replace(
    _ hosts: [Discovered], _ settings: BalanceSettings, _ rules: MembershipRules,
    localityWeights: [LevelLocality: UInt32] = [:], ignoresNew: Bool
  ) {
    self.settings = settings
    self.localityWeights = localityWeights
    self.rules = rules
    var fresh: [HostRecord] = []
    var seen: Set<UInt32> = []
    // Hosts that come together are as new as each other.
    let time = now()
    for host in hosts {
      let old = record(host.config.pointer.pointee.number)
      seen.insert(host.config.pointer.pointee.number)
      let isChecked = rules.hasActiveChecks && !host.isCheckDisabled
      var flags = old?.flags ?? []
      if !isChecked {
        flags.subtract(.activeCheck)
      } else if !checked.contains(host.config.pointer.pointee.number) {
        // Unhealthy until its first result.
        flags.formUnion(ignoresNew ? [.failedActiveCheck, .pendingActiveCheck] : .failedActiveCheck)
      }
      flags = flags.replacing(.discovery, from: host.flags).subtracting(.pendingDynamicRemoval)
      fresh.append(
        HostRecord(
          config: host.config, flags: flags, isCheckDisabled: host.isCheckDisabled,
          readySince: Self.readySince(old, flags, time)))
    }
    for old in records where !seen.contains(old.number) {
      var absent = old
      absent.isPresent = false
      guard case .member(let flags) = membership(absent) else { continue }
      absent.flags = flags
      fresh.append(absent)
    }
    checked = rules.hasActiveChecks ? Set(fresh.filter { !$0.isCheckDisabled }.map(\.number)) : []
    records = fresh
    membersChanged()
  }

  /// Hosts came or went.
  private func membersChanged() {
    places = Dictionary(uniqueKeysWithValues: records.enumerated().map { ($1.number, $0) })
    maxHostWeight = records.lazy.map { $0.config.pointer.pointee.weight }.max() ?? 0
    isStale = true
  }

  private func membership(_ record: HostRecord) -> Membership {
    Membership.decide(
      flags: record.flags, isPresent: record.isPresent, isCheckDisabled: record.isCheckDisabled, rules: rules)
  }

  // MARK: Health

  /// A host is new when it comes, and when it becomes healthy.
  private static func readySince(_ old: HostRecord?, _ flags: HostFlags, _ now: UInt64) -> UInt64 {
    guard let old, old.flags.state != .unhealthy || flags.state == .unhealthy else { return now }
    return old.readySince
  }

  /// Sets what `mask` covers of a host's flags.
  func set(_ mask: HostFlags, to flags: HostFlags, ofHost number: UInt32) -> HostChange {
    guard let place = places[number] else { return .none }
    let before = records[place].flags
    let after = before.replacing(mask, from: flags)
    records[place].readySince = Self.readySince(records[place], after, now())
    records[place].flags = after
    if case .removed = membership(records[place]) {
      records.remove(at: place)
      membersChanged()
      return .leaves
    }
    let changed = before.symmetricDifference(after)
    if changed.isEmpty { return .none }
    isStale = true
    if changed.isSubset(of: .shown) { return .none }
    return after.state.rawValue > before.state.rawValue ? .leaves : .comes
  }

  // MARK: Questions

  private func record(_ number: UInt32) -> HostRecord? { places[number].map { records[$0] } }

  /// Hosts in the order of the set.
  var hosts: [Frozen<HostConfig>] { records.map(\.config) }

  var numbers: Set<UInt32> { Set(places.keys) }

  /// The set of what is known now; the same object while nothing has changed.
  ///
  /// - Returns: Whether it is another one than before.
  @discardableResult
  func build() -> Bool {
    guard isStale else { return false }
    isStale = false
    let fresh = HostSetBuilder(settings).build(
      records.map(\.config), flags: records.map(\.flags),
      readySince: settings.slowStart == nil ? [] : records.map(\.readySince), now: now(),
      localityWeights: localityWeights, own: own, after: set)
    defer { set = fresh }
    guard fresh.pointer != set.pointer else { return false }
    countSubsets(set.pointer.pointee.subsets, fresh.pointer.pointee.subsets)
    return true
  }

  // MARK: Subsets

  /// How many subsets came and went since somebody asked.
  private var subsetChanges: (created: UInt64, removed: UInt64) = (0, 0)

  private func countSubsets(_ old: Subsets?, _ new: Subsets?) {
    if old == nil && new == nil { return }
    if let old, let new, new.hasSameSubsets(as: old) { return }
    let (before, after) = (old?.digests ?? [], new?.digests ?? [])
    subsetChanges.created += UInt64(after.subtracting(before).count)
    subsetChanges.removed += UInt64(before.subtracting(after).count)
  }

  func takeSubsetChanges() -> (created: UInt64, removed: UInt64) {
    defer { subsetChanges = (0, 0) }
    return subsetChanges
  }
}
