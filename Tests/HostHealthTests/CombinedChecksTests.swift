import HostHealth
import Primitives
import Testing

@Suite struct CombinedChecksTests {
  static let new: HostFlags = [.failedActiveCheck, .pendingActiveCheck]

  @Test func nothingIsSaidBeforeAllHaveAResult() {
    var checks = CombinedChecks(count: 3, flags: Self.new)
    for (index, flags) in [(0, []), (2, .degradedActiveCheck), (0, [])] as [(Int, HostFlags)] {
      let outcome = checks.heard(index, flags: flags)
      #expect(outcome == CombinedOutcome(isSaid: false, mustPublish: false, passes: false))
      #expect(checks.flags == Self.new)
    }
    let outcome = checks.heard(1, flags: [])
    #expect(outcome == CombinedOutcome(isSaid: true, mustPublish: true, passes: true))
    #expect(checks.flags == .degradedActiveCheck)
  }

  @Test(
    arguments: [
      .failedActiveCheck, .degradedActiveCheck, .activeCheckTimeout, .excludedImmediately,
      .pendingActiveCheck,
    ] as [HostFlags])
  func theWorstOfEach(_ flag: HostFlags) {
    var checks = CombinedChecks(count: 2, flags: .failedActiveCheck)
    _ = checks.heard(0, flags: [])
    _ = checks.heard(1, flags: [])
    #expect(checks.flags == [])
    let isShown = flag == .activeCheckTimeout
    let fails = flag == .failedActiveCheck
    #expect(
      checks.heard(1, flags: flag) == CombinedOutcome(isSaid: true, mustPublish: !isShown, passes: !fails))
    #expect(checks.flags == flag)
    #expect(
      checks.heard(0, flags: flag) == CombinedOutcome(isSaid: true, mustPublish: false, passes: !fails))
    #expect(
      checks.heard(1, flags: []) == CombinedOutcome(isSaid: true, mustPublish: false, passes: !fails))
    #expect(checks.flags == flag, "the other one still says so")
    #expect(
      checks.heard(0, flags: []) == CombinedOutcome(isSaid: true, mustPublish: !isShown, passes: true))
    #expect(checks.flags == [])
  }

  @Test func oneCheckSpeaksForItself() {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 2)
    var state = CheckState(isPending: true)
    var checks = CombinedChecks(count: 1, flags: state.flags)
    var random = FastRandom(seed: 1)
    for _ in 0..<1000 {
      let outcome =
        random.below(2) == 0
        ? state.passed(isDegraded: random.below(4) == 0, settings)
        : state.failed(
          CheckFailure.allCases[Int(random.below(4))], excludes: random.below(4) == 0, settings)
      let combined = checks.heard(0, flags: state.flags)
      #expect(checks.flags == state.flags)
      #expect(combined.isSaid)
      #expect(combined.mustPublish == outcome.mustPublish)
      #expect(combined.passes == !state.flags.contains(.failedActiveCheck))
    }
  }

  @Test func thirtyTwoChecks() {
    var checks = CombinedChecks(count: 32, flags: .failedActiveCheck)
    for index in 0..<31 { #expect(!checks.heard(index, flags: []).isSaid) }
    #expect(checks.heard(31, flags: []).isSaid)
    #expect(checks.flags == [])
    _ = checks.heard(31, flags: .failedActiveCheck)
    _ = checks.heard(0, flags: .degradedActiveCheck)
    #expect(checks.flags == [.failedActiveCheck, .degradedActiveCheck])
  }

  /// The compiler refuses them; if they came, nothing would trap.
  @Test func countsThatCannotBe() {
    for count in [-1, 0, 33, .max] {
      var checks = CombinedChecks(count: count, flags: .failedActiveCheck)
      for index in [-1, 0, 31, 32, .max] { _ = checks.heard(index, flags: []) }
    }
  }

  @Test func flagsOfOthersStayOut() {
    let checks = CombinedChecks(count: 2, flags: [.failedActiveCheck, .failedOutlierCheck])
    #expect(checks.flags == .failedActiveCheck)
  }
}
