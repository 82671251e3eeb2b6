import HostHealth
import Testing

@Suite struct HostFlagsTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let flag: HostFlags
    let bit: UInt16
    let word: String
    let state: HostState
    var isExcluded = false
    var testDescription: String { word }
  }

  static let rows = [
    Row(flag: .failedActiveCheck, bit: 0x1, word: "failed_active_hc", state: .unhealthy),
    Row(flag: .failedOutlierCheck, bit: 0x2, word: "failed_outlier_check", state: .unhealthy),
    Row(flag: .failedDiscovery, bit: 0x4, word: "failed_eds_health", state: .unhealthy),
    Row(flag: .degradedActiveCheck, bit: 0x8, word: "degraded_active_hc", state: .degraded),
    Row(flag: .degradedDiscovery, bit: 0x10, word: "degraded_eds_health", state: .degraded),
    Row(flag: .pendingDynamicRemoval, bit: 0x20, word: "pending_dynamic_removal", state: .healthy),
    Row(
      flag: .pendingActiveCheck, bit: 0x40, word: "pending_active_hc", state: .healthy, isExcluded: true),
    Row(
      flag: .excludedImmediately, bit: 0x80, word: "excluded_via_immediate_hc_fail", state: .healthy,
      isExcluded: true),
    Row(flag: .activeCheckTimeout, bit: 0x100, word: "active_hc_timeout", state: .healthy),
    Row(
      flag: .drainingDiscovery, bit: 0x200, word: "eds_status_draining", state: .unhealthy,
      isExcluded: true),
  ]

  @Test(arguments: rows)
  func flag(_ row: Row) {
    #expect(row.flag.rawValue == row.bit)
    #expect(row.flag.text == "/\(row.word)")
    #expect(row.flag.state == row.state)
    #expect(row.flag.isExcluded == row.isExcluded)
  }

  /// The worst flag decides, whatever others are set.
  @Test func everyCombination() {
    for bits in 0..<UInt16(1024) {
      let flags = HostFlags(rawValue: bits)
      let set = Self.rows.filter { bits & $0.bit != 0 }
      let worst = set.map(\.state.rawValue).max() ?? 0
      #expect(flags.state.rawValue == worst)
      #expect(flags.isExcluded == set.contains { $0.isExcluded })
      let text = set.isEmpty ? "healthy" : set.map { "/" + $0.word }.joined()
      #expect(flags.text == text)
    }
  }

  @Test func groups() {
    #expect(
      HostFlags.activeCheck.text
        == "/failed_active_hc/degraded_active_hc/pending_active_hc/excluded_via_immediate_hc_fail"
        + "/active_hc_timeout")
    #expect(HostFlags.discovery.text == "/failed_eds_health/degraded_eds_health/eds_status_draining")
    #expect(HostFlags.activeCheck.isDisjoint(with: .discovery))
  }

  @Test func replacingTouchesOnlyTheMask() {
    let flags: HostFlags = [.failedActiveCheck, .failedOutlierCheck, .degradedDiscovery]
    let other: HostFlags = [.activeCheckTimeout, .failedDiscovery]
    #expect(
      flags.replacing(.activeCheck, from: other)
        == [.activeCheckTimeout, .failedOutlierCheck, .degradedDiscovery])
    #expect(
      flags.replacing(.discovery, from: other)
        == [.failedActiveCheck, .failedOutlierCheck, .failedDiscovery])
  }

  @Test func countsEachHostOnce() {
    var counts = HostCounts()
    counts.add([])
    counts.add(.pendingDynamicRemoval)
    counts.add([.degradedActiveCheck])
    counts.add([.degradedActiveCheck, .failedOutlierCheck])
    counts.add([.failedActiveCheck, .pendingActiveCheck])
    counts.add(.drainingDiscovery)
    counts.add(.excludedImmediately)
    #expect(counts.healthy == 3)
    #expect(counts.degraded == 1)
    #expect(counts.unhealthy == 3)
    #expect(counts.excluded == 3)
    #expect(counts.total == 7)
    var sum = HostCounts()
    sum.add(.degradedDiscovery)
    sum += counts
    #expect([sum.healthy, sum.degraded, sum.unhealthy, sum.excluded, sum.total] == [3, 2, 3, 3, 8])
  }
}
