import HostHealth
import Primitives
import Testing

@Suite struct CheckStateTests {
  /// A host that passed its first check.
  static func healthy(_ settings: CheckSettings) -> CheckState {
    var state = CheckState(isPending: false)
    _ = state.passed(settings)
    return state
  }

  /// A host that failed its first check.
  static func failed(_ settings: CheckSettings) -> CheckState {
    var state = CheckState(isPending: false)
    _ = state.failed(.network, settings)
    return state
  }

  @Test func beginsUnhealthy() {
    let state = CheckState(isPending: false)
    #expect(state.flags == .failedActiveCheck)
    #expect(state.isNew)
    #expect(CheckState(isPending: true).flags == [.failedActiveCheck, .pendingActiveCheck])
  }

  @Test(arguments: [0, 1, 2, 100] as [UInt32])
  func firstPassIsBelievedAtOnce(threshold: UInt32) {
    let settings = CheckSettings.thresholds(healthy: threshold, unhealthy: 3)
    for isPending in [false, true] {
      var state = CheckState(isPending: isPending)
      let outcome = state.passed(settings)
      #expect(
        outcome
          == CheckOutcome(
            didPass: true, change: .changed, isFirst: true, mustPublish: true, events: .addHealthy))
      #expect(state.flags == [])
      #expect(!state.isNew)
    }
  }

  @Test(arguments: CheckFailure.allCases)
  func firstFailure(_ failure: CheckFailure) {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 3)
    let timeout: HostFlags = failure == .networkTimeout ? .activeCheckTimeout : []
    var state = CheckState(isPending: false)
    #expect(
      state.failed(failure, settings)
        == CheckOutcome(
          didPass: false, change: .unchanged, isFirst: true, mustPublish: false, events: .failure))
    #expect(state.flags == timeout.union(.failedActiveCheck))
    // The host is not new any more: nothing is believed at once.
    #expect(state.passed(settings).change == .pending)

    var pending = CheckState(isPending: true)
    #expect(
      pending.failed(failure, settings)
        == CheckOutcome(
          didPass: false, change: .changed, isFirst: true, mustPublish: true, events: .failure))
    #expect(pending.flags == timeout.union(.failedActiveCheck))
  }

  @Test(arguments: [1, 2, 5] as [UInt32])
  func passesInARowHeal(threshold: UInt32) {
    let settings = CheckSettings.thresholds(healthy: threshold, unhealthy: 3)
    var state = Self.failed(settings)
    for _ in 1..<threshold {
      #expect(
        state.passed(settings)
          == CheckOutcome(
            didPass: true, change: .pending, isFirst: false, mustPublish: false, events: []))
      #expect(state.flags == .failedActiveCheck)
    }
    #expect(
      state.passed(settings)
        == CheckOutcome(
          didPass: true, change: .changed, isFirst: false, mustPublish: true, events: .addHealthy))
    #expect(state.flags == [])
    #expect(
      state.passed(settings)
        == CheckOutcome(
          didPass: true, change: .unchanged, isFirst: false, mustPublish: false, events: []))
  }

  @Test func aFailureEndsARowOfPasses() {
    let settings = CheckSettings.thresholds(healthy: 3, unhealthy: 3)
    var state = Self.failed(settings)
    #expect(state.passed(settings).change == .pending)
    #expect(state.passed(settings).change == .pending)
    #expect(state.failed(.network, settings).change == .unchanged)
    #expect(state.passed(settings).change == .pending)
    #expect(state.passed(settings).change == .pending)
    #expect(state.passed(settings).change == .changed)
  }

  struct Failure: Sendable, CustomTestStringConvertible {
    let kind: CheckFailure
    let isRetriable: Bool
    let isAtOnce: Bool
    var testDescription: String { "\(kind)\(isRetriable ? ", retriable" : "")" }
  }

  static let failures = [
    Failure(kind: .active, isRetriable: false, isAtOnce: true),
    Failure(kind: .passive, isRetriable: false, isAtOnce: true),
    Failure(kind: .active, isRetriable: true, isAtOnce: false),
    Failure(kind: .network, isRetriable: false, isAtOnce: false),
    Failure(kind: .networkTimeout, isRetriable: false, isAtOnce: false),
  ]

  @Test(arguments: failures)
  func failureOfAHealthyHost(_ failure: Failure) {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 3)
    var state = Self.healthy(settings)
    if !failure.isAtOnce {
      for _ in 0..<2 {
        #expect(
          state.failed(failure.kind, isRetriable: failure.isRetriable, settings)
            == CheckOutcome(
              didPass: false, change: .pending, isFirst: false, mustPublish: false, events: []))
        #expect(state.flags == [])
      }
    }
    #expect(
      state.failed(failure.kind, isRetriable: failure.isRetriable, settings)
        == CheckOutcome(
          didPass: false, change: .changed, isFirst: false, mustPublish: true, events: .ejectUnhealthy))
    #expect(state.flags.contains(.failedActiveCheck))
    #expect(state.failed(failure.kind, isRetriable: failure.isRetriable, settings).change == .unchanged)
  }

  @Test func aPassEndsARowOfFailures() {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 3)
    var state = Self.healthy(settings)
    #expect(state.failed(.network, settings).change == .pending)
    #expect(state.failed(.networkTimeout, settings).change == .pending)
    #expect(state.passed(settings).change == .unchanged)
    #expect(state.failed(.network, settings).change == .pending)
    #expect(state.failed(.active, isRetriable: true, settings).change == .pending)
    #expect(state.failed(.network, settings).change == .changed)
  }

  /// As in Envoy: a threshold of 0 is never met.
  @Test func thresholdsOfZero() {
    let settings = CheckSettings.thresholds(healthy: 0, unhealthy: 0)
    var state = Self.healthy(settings)
    for _ in 0..<10 { #expect(state.failed(.network, settings).change == .pending) }
    #expect(state.failed(.active, settings).change == .changed)
    for _ in 0..<10 { #expect(state.passed(settings).change == .pending) }
  }

  @Test func timeoutFollowsTheLatestFailure() {
    let settings = CheckSettings.thresholds(healthy: 1, unhealthy: 2)
    var state = Self.healthy(settings)
    _ = state.failed(.networkTimeout, settings)
    #expect(state.flags == [], "not failed yet")
    _ = state.failed(.networkTimeout, settings)
    #expect(state.flags == [.failedActiveCheck, .activeCheckTimeout])
    let outcome = state.failed(.network, settings)
    #expect(state.flags == .failedActiveCheck)
    #expect(!outcome.mustPublish, "only shown")
    _ = state.failed(.networkTimeout, settings)
    #expect(state.flags == [.failedActiveCheck, .activeCheckTimeout])
    _ = state.passed(settings)
    #expect(state.flags == [])
  }

  @Test func timeoutStaysWhilePassesAreFew() {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 1)
    var state = Self.healthy(settings)
    _ = state.failed(.networkTimeout, settings)
    _ = state.passed(settings)
    #expect(state.flags == [.failedActiveCheck, .activeCheckTimeout])
  }

  @Test func degradedFollowsThePasses() {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 2)
    var state = Self.healthy(settings)
    #expect(
      state.passed(isDegraded: true, settings)
        == CheckOutcome(
          didPass: true, change: .changed, isFirst: false, mustPublish: true, events: .degraded))
    #expect(state.flags == .degradedActiveCheck)
    #expect(state.passed(isDegraded: true, settings).events == [])
    _ = state.failed(.active, settings)
    #expect(state.flags == [.degradedActiveCheck, .failedActiveCheck], "a failure says nothing of it")
    let outcome = state.passed(settings)
    #expect(outcome.change == .pending, "still on its way to healthy")
    #expect(outcome.events == .noLongerDegraded)
    #expect(outcome.mustPublish)
    #expect(state.flags == .failedActiveCheck)
    #expect(state.passed(isDegraded: true, settings).events == [.addHealthy, .degraded])
    #expect(state.flags == .degradedActiveCheck)
  }

  @Test func exclusion() {
    let settings = CheckSettings.thresholds(healthy: 2, unhealthy: 2)
    var state = Self.healthy(settings)
    _ = state.failed(.passive, excludes: true, settings)
    #expect(state.flags == [.failedActiveCheck, .excludedImmediately])
    _ = state.passed(settings)
    #expect(state.flags == [.failedActiveCheck, .excludedImmediately])
    _ = state.passed(settings)
    #expect(state.flags == [], "until it is healthy again")

    var down = Self.failed(settings)
    #expect(down.failed(.active, excludes: true, settings).mustPublish, "excluded only now")
    #expect(!down.failed(.active, excludes: true, settings).mustPublish)
    #expect(!down.failed(.active, settings).mustPublish)
    #expect(down.flags == [.failedActiveCheck, .excludedImmediately])
  }

  @Test func whatIsLogged() {
    var settings = CheckSettings.thresholds(healthy: 2, unhealthy: 2)
    settings.alwaysLogsFailures = true
    settings.alwaysLogsSuccess = true
    var state = CheckState(isPending: false)
    #expect(state.passed(settings).events == .addHealthy)
    #expect(state.passed(settings).events == .success)
    #expect(state.failed(.network, settings).events == .failure)
    #expect(state.failed(.network, settings).events == [.ejectUnhealthy, .failure])
    #expect(state.passed(isDegraded: true, settings).events == [.success, .degraded])
    #expect(
      CheckEvents.words.map { "\($0)" } == [
        "eject_unhealthy_event", "health_check_failure_event", "add_healthy_event",
        "successful_health_check_event", "degraded_healthy_host", "no_longer_degraded_host",
      ])
    #expect(
      CheckFailure.allCases.map { "\($0.word)" } == ["ACTIVE", "PASSIVE", "NETWORK", "NETWORK_TIMEOUT"])
    #expect(CheckFailure.allCases.map(\.isNetwork) == [false, false, true, true])
  }

  /// A pass that only clears `pending_active_hc` has a line of its own too.
  @Test func aFailureOfANewHostWithoutResultEndsItsPrivilege() {
    var settings = CheckSettings.thresholds(healthy: 2, unhealthy: 2)
    settings.alwaysLogsSuccess = true
    var state = CheckState(isPending: true)
    #expect(state.failed(.passive, settings).isFirst)
    let outcome = state.passed(settings)
    #expect(!outcome.isFirst)
    #expect(outcome.events == .success)
    #expect(outcome.change == .pending)
  }

  /// Random results against the rules, written down literally.
  @Test func rules() {
    var random = FastRandom(seed: 43)
    for _ in 0..<2000 {
      let settings = CheckSettings.thresholds(
        healthy: random.below(4), unhealthy: random.below(4))
      let isPending = random.below(2) == 0
      var state = CheckState(isPending: isPending)
      var isFailed = true
      var isDegraded = false
      var isExcluded = false
      var isTimedOut = false
      var results: [Bool] = []  // of those that count in a row
      var isSettled = false
      for _ in 0..<40 {
        if random.below(2) == 0 {
          isDegraded = random.below(3) == 0
          let outcome = state.passed(isDegraded: isDegraded, settings)
          // The first pass of all is not one of a row: it heals by itself.
          if isSettled && isFailed { results.append(true) } else { results = [] }
          let row = UInt32(results.count)
          if isFailed, !isSettled || row == settings.healthyThreshold {
            isFailed = false
            isExcluded = false
            isTimedOut = false
            results = []
            #expect(outcome.events.contains(.addHealthy))
          }
          #expect(outcome.isFirst == !isSettled)
        } else {
          let kind = CheckFailure.allCases[Int(random.below(4))]
          let isRetriable = random.below(4) == 0
          let excludes = random.below(4) == 0
          let outcome = state.failed(kind, isRetriable: isRetriable, excludes: excludes, settings)
          isExcluded = isExcluded || excludes
          let wasFailed = isFailed
          if wasFailed {
            results = []
          } else {
            switch (kind, isRetriable) {
            case (.active, false), (.passive, false): isFailed = true
            default:
              results.append(false)
              if results.count == Int(settings.unhealthyThreshold) { isFailed = true }
            }
            if isFailed { results = [] }
          }
          isTimedOut = kind == .networkTimeout && isFailed
          #expect(outcome.events.contains(.ejectUnhealthy) == (isFailed && !wasFailed))
        }
        isSettled = true
        var flags: HostFlags = []
        if isFailed { flags.insert(.failedActiveCheck) }
        if isDegraded { flags.insert(.degradedActiveCheck) }
        if isExcluded { flags.insert(.excludedImmediately) }
        if isTimedOut { flags.insert(.activeCheckTimeout) }
        #expect(state.flags == flags)
        if state.flags != flags { return }
      }
    }
  }
}
