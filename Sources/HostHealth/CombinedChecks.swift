/// What several active checks say of one host together: the worst of each.
///
/// Nothing is said before every check has a result, so that a host does not come into service on the
/// word of the fastest check alone.
public struct CombinedChecks: BitwiseCopyable, Hashable, Sendable {
  /// Checks of a cluster; the compiler refuses more.
  public static let countMax = 32

  /// What was said last, within ``HostFlags/activeCheck``.
  public private(set) var flags: HostFlags
  // A bit a check.
  private var failed: UInt32 = 0
  private var degraded: UInt32 = 0
  private var pending: UInt32 = 0
  private var timedOut: UInt32 = 0
  private var excluded: UInt32 = 0
  private var unheard: UInt32

  /// - Parameter flags: What holds until all have spoken: that of a new check, or what was said before.
  public init(count: Int, flags: HostFlags) {
    self.flags = flags.intersection(.activeCheck)
    unheard = UInt32.max >> UInt32(Self.countMax - min(max(count, 1), Self.countMax))
  }

  /// Check number `index` has a result, after which its flags are `flags`.
  public mutating func heard(_ index: Int, flags check: HostFlags) -> CombinedOutcome {
    let bit = UInt32(1) << UInt32(min(max(index, 0), Self.countMax - 1))
    func put(_ flag: HostFlags, in bits: inout UInt32) {
      if check.contains(flag) { bits |= bit } else { bits &= ~bit }
    }
    put(.failedActiveCheck, in: &failed)
    put(.degradedActiveCheck, in: &degraded)
    put(.pendingActiveCheck, in: &pending)
    put(.activeCheckTimeout, in: &timedOut)
    put(.excludedImmediately, in: &excluded)
    unheard &= ~bit
    guard unheard == 0 else { return CombinedOutcome(isSaid: false, mustPublish: false, passes: false) }

    let before = flags
    flags = []
    if failed != 0 { flags.insert(.failedActiveCheck) }
    if degraded != 0 { flags.insert(.degradedActiveCheck) }
    if pending != 0 { flags.insert(.pendingActiveCheck) }
    if timedOut != 0 { flags.insert(.activeCheckTimeout) }
    if excluded != 0 { flags.insert(.excludedImmediately) }
    return CombinedOutcome(
      isSaid: true, mustPublish: !before.symmetricDifference(flags).isSubset(of: .shown),
      passes: failed == 0)
  }
}

public struct CombinedOutcome: Hashable, Sendable {
  /// False until every check has a result: the host's flags stay.
  public var isSaid: Bool
  /// Flags changed that decide who is chosen.
  public var mustPublish: Bool
  /// No check fails.
  public var passes: Bool

  public init(isSaid: Bool, mustPublish: Bool, passes: Bool) {
    self.isSaid = isSaid
    self.mustPublish = mustPublish
    self.passes = passes
  }
}
