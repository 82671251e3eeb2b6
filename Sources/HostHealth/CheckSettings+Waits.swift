import Primitives

extension CheckSettings {
  /// Milliseconds until a new host is checked; 0 is now.
  public func firstWait(using random: inout some RandomNumberGenerator) -> UInt64 {
    initialJitter == 0 ? 0 : jittered(0, by: initialJitter, using: &random)
  }

  /// Milliseconds from a result of a check to the next check. A passive failure is none: the check
  /// under way or planned stays.
  ///
  /// - Parameter hasTraffic: The cluster ever had an upstream connection.
  public func wait(
    after outcome: CheckOutcome, hasTraffic: Bool, using random: inout some RandomNumberGenerator
  ) -> UInt64 {
    jittered(base(after: outcome, hasTraffic: hasTraffic), by: intervalJitter, using: &random)
  }

  private func base(after outcome: CheckOutcome, hasTraffic: Bool) -> UInt64 {
    let isPending = outcome.change == .pending
    switch (hasTraffic, outcome.didPass) {
    case (true, true): return isPending ? healthyEdgeInterval : interval
    case (true, false): return isPending ? unhealthyEdgeInterval : unhealthyInterval
    case (false, let didPass): return didPass && !isPending ? noTrafficHealthyInterval : noTrafficInterval
    }
  }

  private func jittered(
    _ base: UInt64, by jitter: UInt64, using random: inout some RandomNumberGenerator
  ) -> UInt64 {
    var wait = base
    let share = base.saturatingMultiply(UInt64(intervalJitterPercent)) / 100
    if share > 0 { wait = wait.saturatingAdd(random.next() % share) }
    if jitter > 0 { wait = wait.saturatingAdd(random.next() % jitter) }
    // A wait of 0 would check the host for ever within one turn.
    return max(1, intervalMin, min(wait, intervalMax))
  }
}
