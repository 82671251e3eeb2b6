import HostHealth
import Testing

@Suite struct MembershipTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let flags: HostFlags
    /// While discovery has it not, with checks and nothing else set.
    let absent: Membership

    init(_ name: String, _ flags: HostFlags, absent: Membership) {
      testDescription = name
      self.flags = flags
      self.absent = absent
    }
  }

  static let rows = [
    Row("passing", [], absent: .member(.pendingDynamicRemoval)),
    Row("passing, absent before", .pendingDynamicRemoval, absent: .member(.pendingDynamicRemoval)),
    Row(
      "passing but degraded", .degradedActiveCheck,
      absent: .member([.degradedActiveCheck, .pendingDynamicRemoval])),
    Row(
      "passing but ejected", .failedOutlierCheck,
      absent: .member([.failedOutlierCheck, .pendingDynamicRemoval])),
    Row(
      "passing but draining", .drainingDiscovery,
      absent: .member([.drainingDiscovery, .pendingDynamicRemoval])),
    Row(
      "passing but excluded", .excludedImmediately,
      absent: .member([.excludedImmediately, .pendingDynamicRemoval])),
    Row("failing", .failedActiveCheck, absent: .removed),
    Row("failing, absent before", [.failedActiveCheck, .pendingDynamicRemoval], absent: .removed),
    Row("timing out", [.failedActiveCheck, .activeCheckTimeout], absent: .removed),
    Row("new", [.failedActiveCheck, .pendingActiveCheck], absent: .removed),
    Row("pending", .pendingActiveCheck, absent: .removed),
    Row("unhealthy by discovery", .failedDiscovery, absent: .removed),
  ]

  static let rules = MembershipRules(hasActiveChecks: true)

  /// Whatever its flags and rules say, and it no longer waits to be removed.
  @Test(arguments: rows)
  func present(_ row: Row) {
    for bits in 0..<8 {
      let rules = MembershipRules(hasActiveChecks: bits & 1 != 0, ignoresHealthOnRemoval: bits & 2 != 0)
      let decision = Membership.decide(
        flags: row.flags, isPresent: true, isCheckDisabled: bits & 4 != 0, rules: rules)
      #expect(decision == .member(row.flags.subtracting(.pendingDynamicRemoval)))
    }
  }

  @Test(arguments: rows)
  func absent(_ row: Row) {
    let decision = Membership.decide(
      flags: row.flags, isPresent: false, isCheckDisabled: false, rules: Self.rules)
    #expect(decision == row.absent)
  }

  /// No health is known or none is asked for: discovery alone decides.
  @Test(arguments: rows)
  func absentWithoutHealth(_ row: Row) {
    for bits in 0..<8 where bits != 0b001 {
      let rules = MembershipRules(hasActiveChecks: bits & 1 != 0, ignoresHealthOnRemoval: bits & 2 != 0)
      let decision = Membership.decide(
        flags: row.flags, isPresent: false, isCheckDisabled: bits & 4 != 0, rules: rules)
      #expect(decision == .removed, "\(bits)")
    }
  }
}
