import Balancing
import Testing

@Suite struct TriedLevelsTests {
  private func shares(_ levels: [LevelHosts]) -> [LevelShare] { Levels(levels).shares }

  /// How many of the hundred go to each level, healthy and degraded.
  private func loads(_ tried: TriedLevels, _ shares: [LevelShare], frequency: UInt32 = 1) -> [[Int]]? {
    var result = shares.map { _ in [0, 0] }
    for number in 0..<100 {
      var tried = tried
      guard let step = tried.choose(UInt64(number), frequency: frequency, levels: shares.count, share: { shares[$0] })
      else { return nil }
      result[Int(step.level)][step.isDegraded ? 1 : 0] += 1
    }
    return result
  }

  private func after(_ levels: Int...) -> TriedLevels {
    var tried = TriedLevels()
    for level in levels { tried.insert(level) }
    return tried
  }

  @Test func theFirstAttemptGoesWhereItWould() {
    #expect(loads(TriedLevels(), shares([LevelsTests.up(100), LevelsTests.up(100)])) == nil)
  }

  @Test func triedLevelsGetNothing() {
    let shares = shares([LevelsTests.up(100), LevelsTests.up(100), LevelsTests.up(100)])
    #expect(loads(after(0), shares) == [[0, 0], [100, 0], [0, 0]])
    #expect(loads(after(0, 1), shares) == [[0, 0], [0, 0], [100, 0]])
    #expect(loads(after(1), shares) == [[100, 0], [0, 0], [0, 0]])
  }

  @Test func whatIsLeftIsSharedByHealth() {
    let shares = shares([LevelsTests.up(100), LevelsTests.up(50), LevelsTests.up(100)])
    #expect(loads(after(0), shares) == [[0, 0], [70, 0], [30, 0]])
  }

  @Test func roundingGoesOnInRounds() {
    // Health 35, 35 and 28: of 63 in all 55 and 44, and the one that is left to the first of them.
    let shares = Levels(
      [LevelsTests.up(25), LevelsTests.up(25), LevelsTests.up(20)], LevelSettings(panicThreshold: 0)
    ).shares
    #expect(loads(after(0), shares) == [[0, 0], [56, 0], [44, 0]])
  }

  @Test func degradedHostsComeBehind() {
    let shares = shares([LevelsTests.up(100), LevelsTests.up(25, degraded: 50), LevelsTests.up(0)])
    #expect(loads(after(0), shares) == [[0, 0], [35, 65], [0, 0]])
  }

  @Test func allTriedBeginsAnew() {
    let shares = shares([LevelsTests.up(100), LevelsTests.up(100), LevelsTests.up(0)])
    var tried = after(0, 1)
    #expect(tried.choose(0, frequency: 1, levels: 3, share: { shares[$0] }) == nil)
    tried.insert(0)
    #expect(loads(tried, shares) == [[0, 0], [100, 0], [0, 0]])
  }

  @Test func levelsAreLeftOutEverySoOften() {
    let shares = shares([LevelsTests.up(100), LevelsTests.up(100), LevelsTests.up(100)])
    #expect(loads(after(0), shares, frequency: 2) == nil)
    var tried = after(0, 0)
    #expect(tried.choose(0, frequency: 2, levels: 3, share: { shares[$0] })?.level == 1)
    // The third attempt's level counts from the fourth on.
    tried.insert(1)
    #expect(tried.choose(0, frequency: 2, levels: 3, share: { shares[$0] })?.level == 1)
    tried.insert(1)
    #expect(tried.choose(0, frequency: 2, levels: 3, share: { shares[$0] })?.level == 2)
  }

  @Test func theLastLevel() {
    var levels = Array(repeating: LevelsTests.up(0), count: 129)
    levels[0] = LevelsTests.up(100)
    levels[128] = LevelsTests.up(100)
    #expect(loads(after(0), shares(levels))?[128] == [100, 0])
  }
}
