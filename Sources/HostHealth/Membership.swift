/// Whether a host belongs to its cluster, from what discovery and active checks say: discovery may be
/// late or wrong for a while, so a host that it lost stays for as long as its checks pass.
///
/// | discovery | passes | fails, or was never checked |
/// |---|---|---|
/// | present | member | member |
/// | absent | member, `pending_dynamic_removal` | removed |
public enum Membership: Hashable, Sendable {
  /// It stays, with these flags.
  case member(HostFlags)
  case removed

  /// To be asked whenever discovery or a check has spoken.
  ///
  /// Outlier detection removes nobody: an ejected host that discovery lost stays. Nor does draining.
  ///
  /// - Parameters:
  ///   - isPresent: The last good answer of discovery has the host.
  ///   - isCheckDisabled: Its endpoint has `disable_active_health_check`.
  public static func decide(
    flags: HostFlags, isPresent: Bool, isCheckDisabled: Bool, rules: MembershipRules
  ) -> Membership {
    if isPresent { return .member(flags.subtracting(.pendingDynamicRemoval)) }
    guard rules.hasActiveChecks, !rules.ignoresHealthOnRemoval, !isCheckDisabled else { return .removed }
    // Pending comes with failed while there is one check; of several, it stays until all have spoken.
    guard flags.isDisjoint(with: [.failedActiveCheck, .pendingActiveCheck, .failedDiscovery]) else {
      return .removed
    }
    return .member(flags.union(.pendingDynamicRemoval))
  }
}

/// What a cluster says about hosts that discovery lost.
public struct MembershipRules: Hashable, Sendable {
  public var hasActiveChecks: Bool
  /// `ignore_health_on_host_removal`
  public var ignoresHealthOnRemoval: Bool

  public init(hasActiveChecks: Bool, ignoresHealthOnRemoval: Bool = false) {
    self.hasActiveChecks = hasActiveChecks
    self.ignoresHealthOnRemoval = ignoresHealthOnRemoval
  }
}
