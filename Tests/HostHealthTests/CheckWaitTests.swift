import HostHealth
import Testing

@Suite struct CheckWaitTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let didPass: Bool
    let change: CheckChange
    let hasTraffic: Bool
    let wait: UInt64
    var testDescription: String {
      "\(didPass ? "pass" : "failure"), \(change)\(hasTraffic ? "" : ", no traffic")"
    }
    init(_ didPass: Bool, _ change: CheckChange, hasTraffic: Bool, _ wait: UInt64) {
      self.didPass = didPass
      self.change = change
      self.hasTraffic = hasTraffic
      self.wait = wait
    }
    var outcome: CheckOutcome {
      CheckOutcome(didPass: didPass, change: change, isFirst: false, mustPublish: false, events: [])
    }
  }

  static let rows = [
    Row(true, .pending, hasTraffic: true, 4000),
    Row(true, .changed, hasTraffic: true, 1000),
    Row(true, .unchanged, hasTraffic: true, 1000),
    Row(false, .pending, hasTraffic: true, 3000),
    Row(false, .changed, hasTraffic: true, 2000),
    Row(false, .unchanged, hasTraffic: true, 2000),
    Row(true, .pending, hasTraffic: false, 5000),
    Row(true, .changed, hasTraffic: false, 6000),
    Row(true, .unchanged, hasTraffic: false, 6000),
    Row(false, .pending, hasTraffic: false, 5000),
    Row(false, .changed, hasTraffic: false, 5000),
    Row(false, .unchanged, hasTraffic: false, 5000),
  ]

  @Test(arguments: rows)
  func base(_ row: Row) {
    var rolls = Rolls()
    #expect(
      CheckSettings.distinct.wait(after: row.outcome, hasTraffic: row.hasTraffic, using: &rolls)
        == row.wait)
  }

  @Test func defaults() {
    let plain = CheckSettings(healthyThreshold: 1, unhealthyThreshold: 1, interval: 7)
    #expect(
      [
        plain.unhealthyInterval, plain.unhealthyEdgeInterval, plain.healthyEdgeInterval,
        plain.noTrafficInterval, plain.noTrafficHealthyInterval,
      ] == [7, 7, 7, 60_000, 60_000])
    let some = CheckSettings(
      healthyThreshold: 1, unhealthyThreshold: 1, interval: 7, unhealthyInterval: 8, noTrafficInterval: 9)
    #expect(
      [
        some.unhealthyInterval, some.unhealthyEdgeInterval, some.healthyEdgeInterval,
        some.noTrafficInterval, some.noTrafficHealthyInterval,
      ] == [8, 8, 7, 9, 9])
  }

  /// The documented example: three passes in a row heal.
  @Test func stepByStep() {
    var settings = CheckSettings.distinct
    settings.healthyThreshold = 3
    var state = CheckState(isPending: false)
    func wait(_ outcome: CheckOutcome) -> UInt64 {
      var rolls = Rolls()
      return settings.wait(after: outcome, hasTraffic: true, using: &rolls)
    }
    #expect(wait(state.failed(.network, settings)) == 2000)
    #expect(wait(state.passed(settings)) == 4000)
    #expect(wait(state.passed(settings)) == 4000)
    #expect(wait(state.passed(settings)) == 1000)
    #expect(wait(state.passed(settings)) == 1000)
    #expect(wait(state.failed(.network, settings)) == 3000)
    #expect(wait(state.failed(.network, settings)) == 3000)
    #expect(wait(state.failed(.network, settings)) == 2000)
  }

  static func settled(_ change: (inout CheckSettings) -> Void) -> CheckSettings {
    var settings = CheckSettings(healthyThreshold: 1, unhealthyThreshold: 1, interval: 1000)
    change(&settings)
    return settings
  }

  static let pass = CheckOutcome(
    didPass: true, change: .unchanged, isFirst: false, mustPublish: false, events: [])

  @Test func jitter() {
    let settings = Self.settled { $0.intervalJitter = 100 }
    for (roll, wait) in [(0, 1000), (99, 1099), (100, 1000), (257, 1057)] as [(UInt64, UInt64)] {
      var rolls = Rolls(roll)
      #expect(settings.wait(after: Self.pass, hasTraffic: true, using: &rolls) == wait)
      #expect(rolls.isUsedUp)
    }
  }

  @Test func jitterPercentIsOfTheBase() {
    let settings = Self.settled {
      $0.intervalJitterPercent = 25
      $0.intervalJitter = 10
    }
    for (first, second, wait) in [(0, 0, 1000), (249, 9, 1258), (250, 10, 1000), (1, 0, 1001)]
      as [(UInt64, UInt64, UInt64)]
    {
      var rolls = Rolls(first, second)
      #expect(settings.wait(after: Self.pass, hasTraffic: true, using: &rolls) == wait)
      #expect(rolls.isUsedUp)
    }
  }

  /// A share below a millisecond is none, and takes no roll.
  @Test func jitterPercentOfLittle() {
    let settings = Self.settled {
      $0.interval = 3
      $0.intervalJitterPercent = 33
    }
    var rolls = Rolls()
    #expect(settings.wait(after: Self.pass, hasTraffic: true, using: &rolls) == 3)
  }

  @Test func bounds() {
    for (smallest, largest, wait) in [
      (0, .max, 1000), (1500, .max, 1500), (0, 500, 500), (700, 500, 700), (1000, 1000, 1000),
    ] as [(UInt64, UInt64, UInt64)] {
      let settings = Self.settled {
        $0.intervalMin = smallest
        $0.intervalMax = largest
      }
      var rolls = Rolls()
      #expect(settings.wait(after: Self.pass, hasTraffic: true, using: &rolls) == wait)
    }
  }

  @Test func neverZero() {
    var rolls = Rolls()
    let none = Self.settled { $0.interval = 0 }
    #expect(none.wait(after: Self.pass, hasTraffic: true, using: &rolls) == 1)
    let capped = Self.settled { $0.intervalMax = 0 }
    #expect(capped.wait(after: Self.pass, hasTraffic: true, using: &rolls) == 1)
  }

  @Test func hugeNumbersDoNotTrap() {
    let settings = Self.settled {
      $0.interval = .max - 1
      $0.intervalJitter = .max
      $0.intervalJitterPercent = .max
    }
    var rolls = Rolls(.max, .max)
    #expect(settings.wait(after: Self.pass, hasTraffic: true, using: &rolls) == .max)
  }

  @Test func first() {
    var none = Rolls()
    #expect(Self.settled { $0.intervalJitter = 9 }.firstWait(using: &none) == 0)
    let settings = Self.settled {
      $0.initialJitter = 500
      $0.intervalJitter = 9
      $0.intervalJitterPercent = 50
    }
    for (roll, wait) in [(0, 1), (1, 1), (499, 499), (500, 1), (777, 277)] as [(UInt64, UInt64)] {
      var rolls = Rolls(roll)
      #expect(settings.firstWait(using: &rolls) == wait)
      #expect(rolls.isUsedUp)
    }
  }
}
