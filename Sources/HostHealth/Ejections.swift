/// The hosts of a cluster that are ejected, and how many more may be.
///
/// Whoever ejects keeps ``HostFlags/failedOutlierCheck`` of the host, and clears the host's
/// ``ConsecutiveFailures`` when it comes back: a count close to its threshold would eject it at once.
public struct Ejections: BitwiseCopyable, Hashable, Sendable {
  public private(set) var active = 0

  public init() {}

  /// Whether one more of `hostCount` hosts may be ejected.
  public func allowOneMore(hostCount: Int, _ settings: OutlierSettings) -> Bool {
    if active == 0, settings.alwaysEjectsOneHost { return true }
    guard hostCount > 0 else { return false }
    let percent = 100.0 * Double(active + 1) / Double(hostCount)
    return percent <= Double(settings.maxEjectionPercent)
  }

  /// A host was found guilty of `kind`; `ejections_detected_<kind>` counts that, whatever comes of it.
  /// A row of failures of a host that is ejected already is none.
  public mutating func detected(
    _ kind: EjectionKind, of host: inout OutlierState, hostCount: Int, now: UInt64,
    _ settings: OutlierSettings, using random: inout some RandomNumberGenerator
  ) -> EjectionDecision {
    guard allowOneMore(hostCount: hostCount, settings) else { return .overflow }
    guard chance(ofPercent: settings.enforcingPercent(kind), using: &random) else { return .notEnforced }
    // One sweep may find it guilty twice. (Envoy ejects it twice, and the second place is lost.)
    if host.isEjected { return .alreadyEjected }
    active += 1
    host.eject(kind, now: now, settings, using: &random)
    return .ejected
  }

  /// Ends the host's ejection if its time is over. Returns whether it did.
  public mutating func unejectIfOver(
    _ host: inout OutlierState, now: UInt64, _ settings: OutlierSettings
  ) -> Bool {
    guard host.isOver(now: now, settings) else { return false }
    uneject(&host, now: now)
    return true
  }

  /// A host's active check passed, after which its flags are `flags`. Returns whether that ended an
  /// ejection.
  public mutating func checkPassed(
    _ host: inout OutlierState, flags: HostFlags, now: UInt64, _ settings: OutlierSettings
  ) -> Bool {
    guard settings.unejectsOnPassedCheck, host.isEjected, !flags.contains(.failedActiveCheck) else {
      return false
    }
    uneject(&host, now: now)
    return true
  }

  /// A host left the cluster; its place is free again.
  public mutating func removed(_ host: OutlierState) {
    if host.isEjected { active = max(0, active - 1) }
  }

  private mutating func uneject(_ host: inout OutlierState, now: UInt64) {
    active = max(0, active - 1)
    host.uneject(now: now)
  }
}

@frozen
public enum EjectionDecision: UInt8, BitwiseCopyable, Hashable, Sendable {
  case ejected
  /// The roll was against it: logged with `enforced: false`.
  case notEnforced
  /// Too many are: `ejections_overflow`, not logged.
  case overflow
  /// Nothing is to be done or logged.
  case alreadyEjected
}
