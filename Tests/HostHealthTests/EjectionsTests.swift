import HostHealth
import Primitives
import Testing

@Suite struct EjectionsTests {
  /// Ejects hosts of a cluster until the cap stops it; returns how many are out.
  static func ejectAll(_ hostCount: Int, _ settings: OutlierSettings) -> Int {
    var random = FastRandom(seed: 1)
    var ejections = Ejections()
    var ejected = 0
    for _ in 0..<hostCount {
      var host = OutlierState()
      switch ejections.detected(
        .consecutive5xx, of: &host, hostCount: hostCount, now: 0, settings, using: &random)
      {
      case .ejected:
        ejected += 1
        #expect(host.isEjected)
      case .overflow:
        #expect(!host.isEjected)
      case .notEnforced, .alreadyEjected: Issue.record("neither rolled nor ejected before")
      }
      #expect(ejections.active == ejected)
    }
    return ejected
  }

  /// k hosts of n may be out when 100 k / n is at most the percentage.
  @Test(arguments: [0, 1, 10, 25, 33, 34, 50, 99, 100, 101, .max] as [UInt32])
  func cap(percent: UInt32) {
    var settings = OutlierSettings()
    settings.maxEjectionPercent = percent
    for hostCount in 1...100 {
      let allowed = (1...hostCount).last { 100 * $0 <= Int(min(percent, 100)) * hostCount } ?? 0
      settings.alwaysEjectsOneHost = false
      #expect(Self.ejectAll(hostCount, settings) == allowed)
      settings.alwaysEjectsOneHost = true
      #expect(Self.ejectAll(hostCount, settings) == max(1, allowed))
    }
  }

  /// The default cap, host by host.
  @Test func defaultCap() {
    #expect(Self.ejectAll(9, OutlierSettings()) == 0)
    #expect(Self.ejectAll(10, OutlierSettings()) == 1)
    #expect(Self.ejectAll(19, OutlierSettings()) == 1)
    #expect(Self.ejectAll(20, OutlierSettings()) == 2)
    #expect(Self.ejectAll(100, OutlierSettings()) == 10)
  }

  @Test func noHosts() {
    #expect(!Ejections().allowOneMore(hostCount: 0, OutlierSettings()))
    #expect(!Ejections().allowOneMore(hostCount: -1, OutlierSettings()))
  }

  @Test func aRemovedHostGivesItsPlaceBack() {
    var random = FastRandom(seed: 1)
    var ejections = Ejections()
    var first = OutlierState()
    var second = OutlierState()
    let settings = OutlierSettings()
    func eject(_ host: inout OutlierState) -> EjectionDecision {
      ejections.detected(.successRate, of: &host, hostCount: 10, now: 0, settings, using: &random)
    }
    #expect(eject(&first) == .ejected)
    #expect(eject(&second) == .overflow)
    ejections.removed(second)
    #expect(ejections.active == 1, "it had none")
    ejections.removed(first)
    #expect(ejections.active == 0)
    #expect(eject(&second) == .ejected)
  }

  @Test func aHostIsEjectedOnce() {
    var random = FastRandom(seed: 1)
    var ejections = Ejections()
    var host = OutlierState()
    var settings = OutlierSettings()
    settings.maxEjectionPercent = 100
    for (enforcing, hostCount, kind, decision) in [
      (100, 2, .successRate, .ejected), (100, 2, .failurePercentage, .alreadyEjected),
      (0, 2, .failurePercentage, .notEnforced), (100, 1, .failurePercentage, .overflow),
    ] as [(UInt32, Int, EjectionKind, EjectionDecision)] {
      settings.enforcingFailurePercentage = enforcing
      #expect(
        ejections.detected(kind, of: &host, hostCount: hostCount, now: 5, settings, using: &random)
          == decision)
    }
    #expect(ejections.active == 1)
    #expect(host.ejections == 1)
    #expect(host.backoff == 1)
    #expect(host.kind == .successRate)
  }

  /// The cap comes first and takes no roll; a certain answer takes none either.
  @Test func enforcing() {
    var settings = OutlierSettings()
    settings.alwaysEjectsOneHost = true
    for (percent, roll, decision) in [
      (0, nil, .notEnforced), (30, 29, .ejected), (30, 30, .notEnforced), (30, 129, .ejected),
      (30, 100, .ejected),
      (1, 0, .ejected), (99, 99, .notEnforced), (100, nil, .ejected), (250, nil, .ejected),
    ] as [(UInt32, UInt64?, EjectionDecision)] {
      settings.enforcingFailurePercentage = percent
      var ejections = Ejections()
      var host = OutlierState()
      // The last roll is the jitter's.
      var rolls: Rolls
      switch (roll, decision) {
      case (let roll?, .ejected): rolls = Rolls(roll, 0)
      case (let roll?, _): rolls = Rolls(roll)
      case (nil, .ejected): rolls = Rolls(0)
      case (nil, _): rolls = Rolls()
      }
      #expect(
        ejections.detected(.failurePercentage, of: &host, hostCount: 3, now: 0, settings, using: &rolls)
          == decision)
      #expect(rolls.isUsedUp)
      #expect(host.isEjected == (decision == .ejected))
      #expect(ejections.active == (decision == .ejected ? 1 : 0))
    }
    settings.alwaysEjectsOneHost = false
    settings.enforcingFailurePercentage = 50
    var none = Rolls()
    var host = OutlierState()
    var ejections = Ejections()
    #expect(
      ejections.detected(.failurePercentage, of: &host, hostCount: 3, now: 0, settings, using: &none)
        == .overflow)
  }

  @Test func aPassedCheckUnejects() {
    var random = FastRandom(seed: 1)
    var settings = OutlierSettings()
    settings.alwaysEjectsOneHost = true
    for (isOn, flags, unejects) in [
      (true, [], true), (true, .degradedActiveCheck, true), (true, .failedActiveCheck, false),
      (false, [], false),
    ] as [(Bool, HostFlags, Bool)] {
      settings.unejectsOnPassedCheck = isOn
      var ejections = Ejections()
      var host = OutlierState()
      let isDone = ejections.checkPassed(&host, flags: flags, now: 50, settings)
      #expect(!isDone, "is not ejected")
      #expect(host.unejectedAt == nil)
      _ = ejections.detected(.latency, of: &host, hostCount: 3, now: 100, settings, using: &random)
      #expect(!host.isEjected, "latency is not configured")
      _ = ejections.detected(.consecutive5xx, of: &host, hostCount: 3, now: 100, settings, using: &random)
      #expect(ejections.checkPassed(&host, flags: flags, now: 200, settings) == unejects)
      #expect(host.isEjected == !unejects)
      #expect(ejections.active == (unejects ? 0 : 1))
      #expect(host.unejectedAt == (unejects ? 200 : nil))
    }
  }
}
