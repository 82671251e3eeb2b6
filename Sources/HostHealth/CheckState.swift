import Primitives

/// One host under one active check: results in, flags and what changed out.
public struct CheckState: BitwiseCopyable, Hashable, Sendable {
  /// Those of ``HostFlags/activeCheck``.
  public private(set) var flags: HostFlags
  /// There was no result yet.
  public private(set) var isNew = true
  private var passes: UInt32 = 0
  private var failures: UInt32 = 0

  /// A host is unhealthy until its first result.
  ///
  /// - Parameter isPending: `ignore_new_hosts_until_first_hc`: until then it does not count either.
  public init(isPending: Bool) {
    flags = isPending ? [.failedActiveCheck, .pendingActiveCheck] : .failedActiveCheck
  }

  /// The check passed.
  ///
  /// - Parameter isDegraded: The answer had `x-envoy-degraded`.
  public mutating func passed(isDegraded: Bool = false, _ settings: CheckSettings) -> CheckOutcome {
    let before = flags
    let isFirst = isNew
    isNew = false
    failures = 0
    var change = CheckChange.unchanged
    var events: CheckEvents = []
    if flags.contains(.failedActiveCheck) {
      // The first result is believed at once: a start need not wait for thresholds.
      passes = passes.saturatingAdd(1)
      if isFirst || passes == settings.healthyThreshold {
        flags.subtract([.failedActiveCheck, .activeCheckTimeout, .excludedImmediately])
        change = .changed
        events.insert(.addHealthy)
      } else {
        change = .pending
      }
    }
    if change != .changed, settings.alwaysLogsSuccess { events.insert(.success) }
    if flags.remove(.pendingActiveCheck) != nil { change = .changed }
    if isDegraded != flags.contains(.degradedActiveCheck) {
      flags.formSymmetricDifference(.degradedActiveCheck)
      events.insert(isDegraded ? .degraded : .noLongerDegraded)
      if change == .unchanged { change = .changed }
    }
    return outcome(didPass: true, change, isFirst, before, events)
  }

  /// The check failed, or something that stands for a failed check happened (`passive`).
  ///
  /// - Parameters:
  ///   - isRetriable: The status is one of `retriable_statuses`: believed only when it repeats.
  ///   - excludes: The answer had `x-envoy-immediate-health-check-fail`.
  public mutating func failed(
    _ failure: CheckFailure, isRetriable: Bool = false, excludes: Bool = false, _ settings: CheckSettings
  ) -> CheckOutcome {
    let before = flags
    let isFirst = isNew
    isNew = false
    passes = 0
    var change = CheckChange.unchanged
    var events: CheckEvents = []
    if excludes { flags.insert(.excludedImmediately) }
    if !flags.contains(.failedActiveCheck) {
      let isCertain = !failure.isNetwork && !isRetriable
      failures = failures.saturatingAdd(1)
      if isCertain || failures == settings.unhealthyThreshold {
        flags.insert(.failedActiveCheck)
        change = .changed
        events.insert(.ejectUnhealthy)
      } else {
        change = .pending
      }
    }
    // Says why it is out, so it follows the latest failure.
    if failure == .networkTimeout, flags.contains(.failedActiveCheck) {
      flags.insert(.activeCheckTimeout)
    } else {
      flags.remove(.activeCheckTimeout)
    }
    if flags.remove(.pendingActiveCheck) != nil { change = .changed }
    if isFirst || settings.alwaysLogsFailures { events.insert(.failure) }
    return outcome(didPass: false, change, isFirst, before, events)
  }

  private func outcome(
    didPass: Bool, _ change: CheckChange, _ isFirst: Bool, _ before: HostFlags, _ events: CheckEvents
  ) -> CheckOutcome {
    CheckOutcome(
      didPass: didPass, change: change, isFirst: isFirst,
      mustPublish: !before.symmetricDifference(flags).isSubset(of: .shown), events: events)
  }
}
