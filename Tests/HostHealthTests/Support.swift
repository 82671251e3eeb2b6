import HostHealth

/// Gives the numbers it was given. A test that expects no roll gives none.
struct Rolls: RandomNumberGenerator {
  private var rolls: [UInt64]
  private(set) var taken = 0

  init(_ rolls: UInt64...) { self.rolls = rolls }

  var isUsedUp: Bool { taken == rolls.count }

  mutating func next() -> UInt64 {
    precondition(taken < rolls.count, "more rolls than the test expects")
    defer { taken += 1 }
    return rolls[taken]
  }
}

extension CheckSettings {
  /// Every interval another number, so that each shows which one was taken.
  static let distinct = CheckSettings(
    healthyThreshold: 2, unhealthyThreshold: 3, interval: 1000, unhealthyInterval: 2000,
    unhealthyEdgeInterval: 3000, healthyEdgeInterval: 4000, noTrafficInterval: 5000,
    noTrafficHealthyInterval: 6000)

  static func thresholds(healthy: UInt32, unhealthy: UInt32) -> CheckSettings {
    CheckSettings(healthyThreshold: healthy, unhealthyThreshold: unhealthy, interval: 1000)
  }
}
