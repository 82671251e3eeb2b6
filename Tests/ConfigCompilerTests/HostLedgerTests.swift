import Balancing
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats
import Testing

@testable import ConfigCompiler

/// What becomes of hosts when discovery and checks say this and that.
struct HostLedgerTests {
  private let registry: StatsRegistry

  init() throws { registry = try StatsRegistry(slabCount: 1) }

  private func config(_ number: UInt64) throws -> Frozen<HostConfig> {
    let address = SocketAddress.ip(IPAddress(v4: 0x0A00_0000 + UInt32(number)), port: 80)
    return Frozen(
      HostConfig(
        identity: number, address: address, kernelAddress: try #require(KernelAddress(address)), hostname: "", weight: 1,
        priority: 0, locality: HostConfig.Locality(), stats: HostStats(registry.makeScope(prefix: "h\(number)."))))
  }

  private static let checked = MembershipRules(hasActiveChecks: true)
  private static let unchecked = MembershipRules(hasActiveChecks: false)

  private func replace(
    _ ledger: HostLedger, _ hosts: [(Frozen<HostConfig>, HostFlags)], _ rules: MembershipRules = checked,
    ignoresNew: Bool = false
  ) {
    ledger.replace(
      hosts.map { HostLedger.Discovered(config: $0.0, flags: $0.1, isCheckDisabled: false) }, BalanceSettings(), rules,
      ignoresNew: ignoresNew)
    ledger.build()
  }

  private func flags(_ ledger: HostLedger) -> [String] { ledger.set.pointer.pointee.flags.buffer.map(\.text) }
  private func numbers(_ ledger: HostLedger) -> [UInt32] { ledger.hosts.map(\.pointer.pointee.number) }

  @Test func aNewHostIsUnhealthyUntilItsFirstResult() throws {
    let ledger = HostLedger()
    replace(ledger, [(try config(1), [])])
    #expect(flags(ledger) == ["/failed_active_hc"])
    #expect(ledger.set(.activeCheck, to: [], ofHost: 1) == .comes)
    ledger.build()
    #expect(flags(ledger) == ["healthy"])
  }

  @Test func newHostsMayBeLeftOutOfTheReckoning() throws {
    let ledger = HostLedger()
    replace(ledger, [(try config(1), [])], ignoresNew: true)
    #expect(flags(ledger) == ["/failed_active_hc/pending_active_hc"])
    #expect(ledger.set.pointer.pointee.counts.excluded == 1)
  }

  @Test func whatChecksSaySurvivesDiscovery() throws {
    let ledger = HostLedger()
    let (one, two) = (try config(1), try config(2))
    replace(ledger, [(one, []), (two, [])])
    _ = ledger.set(.activeCheck, to: [], ofHost: 1)
    _ = ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 1)
    replace(ledger, [(two, []), (one, .degradedDiscovery)])
    #expect(flags(ledger) == ["/failed_active_hc", "/failed_outlier_check/degraded_eds_health"])
    // Discovery's own word is always the last one.
    replace(ledger, [(one, [])])
    #expect(flags(ledger) == ["/failed_outlier_check"])
  }

  @Test func checksThatAreTakenAwaySayNothing() throws {
    let ledger = HostLedger()
    let one = try config(1)
    replace(ledger, [(one, [])])
    replace(ledger, [(one, [])], Self.unchecked)
    #expect(flags(ledger) == ["healthy"])
    replace(ledger, [(one, [])])
    #expect(flags(ledger) == ["/failed_active_hc"], "checks that are new have said nothing yet")
  }

  /// Two by two: present or absent, healthy or not.
  @Test func anAbsentHostStaysWhileItsChecksPass() throws {
    let ledger = HostLedger()
    let (one, two, three) = (try config(1), try config(2), try config(3))
    replace(ledger, [(one, []), (two, []), (three, [])])
    _ = ledger.set(.activeCheck, to: [], ofHost: 1)
    _ = ledger.set(.activeCheck, to: [], ofHost: 3)
    replace(ledger, [(three, [])])
    #expect(numbers(ledger) == [3, 1], "2 failed its checks, and goes")
    #expect(flags(ledger) == ["healthy", "/pending_dynamic_removal"])
    // It goes with its first failure.
    #expect(ledger.set(.activeCheck, to: .failedActiveCheck, ofHost: 1) == .leaves)
    ledger.build()
    #expect(numbers(ledger) == [3])
    #expect(ledger.set(.activeCheck, to: [], ofHost: 1) == .none, "a late result is nobody's")
  }

  @Test func anAbsentHostMayComeBack() throws {
    let ledger = HostLedger()
    let one = try config(1)
    replace(ledger, [(one, [])])
    _ = ledger.set(.activeCheck, to: [], ofHost: 1)
    replace(ledger, [])
    #expect(flags(ledger) == ["/pending_dynamic_removal"])
    replace(ledger, [(one, [])])
    #expect(flags(ledger) == ["healthy"])
  }

  @Test(arguments: [unchecked, MembershipRules(hasActiveChecks: true, ignoresHealthOnRemoval: true)])
  func anAbsentHostGoesAtOnceWhereNobodyAsks(rules: MembershipRules) throws {
    let ledger = HostLedger()
    replace(ledger, [(try config(1), [])], rules)
    _ = ledger.set(.activeCheck, to: [], ofHost: 1)
    replace(ledger, [], rules)
    #expect(numbers(ledger) == [])
  }

  @Test func changesSayHowUrgentTheyAre() throws {
    let ledger = HostLedger()
    replace(ledger, [(try config(1), [])], Self.unchecked)
    #expect(ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 1) == .leaves)
    #expect(ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 1) == .none)
    #expect(ledger.set(.activeCheck, to: .activeCheckTimeout, ofHost: 1) == .none, "only shown")
    #expect(ledger.set(.failedOutlierCheck, to: [], ofHost: 1) == .comes)
    #expect(ledger.set(.activeCheck, to: .degradedActiveCheck, ofHost: 1) == .leaves)
    #expect(ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 9) == .none)
  }

  @Test func aSetSharesWhatDidNotChange() throws {
    let ledger = HostLedger()
    replace(ledger, try (1...1000).map { (try config($0), []) }, Self.unchecked)
    let before = ledger.set
    #expect(!ledger.build())
    #expect(ledger.set.pointer == before.pointer)
    _ = ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 7)
    #expect(ledger.build())
    #expect(ledger.set.pointer != before.pointer)
    #expect(ledger.set.pointer.pointee.hosts.buffer.baseAddress == before.pointer.pointee.hosts.buffer.baseAddress)
    // There and back is nothing.
    _ = ledger.set(.failedOutlierCheck, to: [], ofHost: 7)
    _ = ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 7)
    #expect(!ledger.build())
  }

  /// Slow start is for hosts that come to others, and for those that come back.
  @Test func whoBecomesHealthyIsNew() throws {
    let clock = Clock()
    let ledger = HostLedger(now: { clock.now })
    var settings = BalanceSettings()
    settings.slowStart = SlowStart(window: 100)
    func replace(_ hosts: [Frozen<HostConfig>]) {
      ledger.replace(
        hosts.map { HostLedger.Discovered(config: $0, flags: [], isCheckDisabled: false) }, settings, Self.unchecked,
        ignoresNew: false)
      ledger.build()
    }
    func times() -> [UInt64] { Array(ledger.set.pointer.pointee.readySince.buffer) }
    let (one, two, three) = (try config(1), try config(2), try config(3))
    replace([one, two])
    #expect(times() == [])
    clock.now = 5000
    replace([one, two, three])
    #expect(times() == [1000, 1000, 5000])
    #expect(ledger.set.pointer.pointee.startingUntil == 5100)
    // A window that is over needs no set, and none is made for it.
    clock.now = 6000
    #expect(!ledger.build())
    _ = ledger.set(.failedOutlierCheck, to: .failedOutlierCheck, ofHost: 2)
    ledger.build()
    #expect(times() == [])
    clock.now = 7000
    _ = ledger.set(.failedOutlierCheck, to: [], ofHost: 2)
    ledger.build()
    #expect(times() == [1000, 7000, 5000])
    #expect(ledger.set.pointer.pointee.startingUntil == 7100)
  }

  private final class Clock: @unchecked Sendable {
    // Sendable: one thread sets and reads it.
    var now: UInt64 = 1000
  }
}
