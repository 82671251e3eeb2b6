import Balancing
import Primitives
import Testing

@Suite struct LevelsTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let levels: [LevelHosts]
    var settings = LevelSettings()
    let loads: [UInt8]
    var degradedLoads: [UInt8]? = nil
    var panics: [Bool]? = nil
    var fails: [Bool]? = nil
  }

  static func up(_ healthy: UInt32, of total: UInt32 = 100, degraded: UInt32 = 0) -> LevelHosts {
    LevelHosts(total: total, healthy: healthy, degraded: degraded)
  }

  @Test(arguments: [
    Row(testDescription: "72 % up take everything", levels: [up(72), up(100)], loads: [100, 0]),
    Row(testDescription: "71 % leave one", levels: [up(71), up(100)], loads: [99, 1]),
    Row(testDescription: "half", levels: [up(50), up(100)], loads: [70, 30]),
    Row(
      testDescription: "a quarter, and no panic because the second level is well",
      levels: [up(25), up(100)], loads: [35, 65], panics: [false, false]),
    Row(testDescription: "none", levels: [up(0), up(100)], loads: [0, 100], panics: [false, false]),
    Row(
      testDescription: "three levels share", levels: [up(25), up(25), up(100)],
      loads: [35, 35, 30]),
    Row(
      testDescription: "rounding goes to the first level", levels: [up(25), up(25), up(20)],
      settings: LevelSettings(panicThreshold: 0), loads: [37, 35, 28]),
    Row(
      testDescription: "rounding goes to the first level that has health",
      levels: [up(0), up(20), up(51)], loads: [0, 29, 71], panics: [true, true, false]),
    Row(
      testDescription: "degraded hosts take what healthy ones cannot",
      levels: [
        up(1, of: 10, degraded: 2), up(2, of: 10, degraded: 1), up(1, of: 10, degraded: 0),
      ],
      settings: LevelSettings(overprovisioningFactor: 100, panicThreshold: 0),
      loads: [16, 28, 14], degradedLoads: [28, 14, 0]),
    Row(
      testDescription: "only degraded: the remainder is theirs",
      levels: [up(0, of: 7, degraded: 1), up(0, of: 7, degraded: 2)],
      settings: LevelSettings(overprovisioningFactor: 100, panicThreshold: 0),
      loads: [0, 0], degradedLoads: [34, 66]),
    Row(
      testDescription: "one level in panic keeps its little load", levels: [up(5), up(65)],
      loads: [8, 92], panics: [true, false]),
    Row(
      testDescription: "just at the threshold is no panic", levels: [up(50), up(0)],
      loads: [100, 0], panics: [false, true]),
    Row(
      testDescription: "degraded hosts count against panic", levels: [up(30, degraded: 20)],
      loads: [60], degradedLoads: [40], panics: [false]),
    Row(
      testDescription: "just under the threshold: all in panic, load by the number of hosts",
      levels: [up(49), up(0, of: 300)], loads: [25, 75], panics: [true, true]),
    Row(
      testDescription: "all in panic: the remainder to the first that has hosts",
      levels: [up(0, of: 0), up(0, of: 1), up(0, of: 1), up(0, of: 1)],
      loads: [0, 34, 33, 33], panics: [true, true, true, true]),
    Row(
      testDescription: "all in panic: degraded hosts have no share of their own",
      levels: [up(0, degraded: 10), up(10)], loads: [50, 50], degradedLoads: [0, 0],
      panics: [true, true]),
    Row(
      testDescription: "nobody anywhere", levels: [up(0, of: 0), up(0, of: 0)], loads: [100, 0],
      panics: [true, true]),
    Row(
      testDescription: "threshold 0: level 0 gets it and has nobody", levels: [up(0), up(0)],
      settings: LevelSettings(panicThreshold: 0), loads: [100, 0], panics: [false, false]),
    Row(
      testDescription: "threshold above 100 is 100", levels: [up(60), up(0)],
      settings: LevelSettings(panicThreshold: 500), loads: [50, 50], panics: [true, true]),
    Row(
      testDescription: "panic that fails", levels: [up(10), up(60)],
      settings: LevelSettings(failsInPanic: true), loads: [15, 85],
      panics: [true, false], fails: [true, false]),
    Row(
      testDescription: "excluded hosts are no part of the whole",
      levels: [LevelHosts(total: 100, healthy: 30, excluded: 60), up(100)], loads: [100, 0]),
    Row(
      testDescription: "all excluded: no health, panic with all of them",
      levels: [LevelHosts(total: 100, excluded: 100), up(0)], loads: [50, 50],
      panics: [true, true]),
    Row(
      testDescription: "weights instead of counts",
      levels: [
        LevelHosts(total: 2, healthy: 1, totalWeight: 100, healthyWeight: 10),
        LevelHosts(total: 1, healthy: 1, totalWeight: 1, healthyWeight: 1),
      ],
      settings: LevelSettings(usesWeights: true), loads: [14, 86]),
    Row(
      testDescription: "weights: excluded ones leave the whole",
      levels: [
        LevelHosts(
          total: 3, healthy: 1, degraded: 1, excluded: 1, totalWeight: 100, healthyWeight: 10,
          degradedWeight: 10, excludedWeight: 60)
      ],
      settings: LevelSettings(usesWeights: true), loads: [50], degradedLoads: [50]),
    Row(
      testDescription: "weights that round to nothing, and counts that are no panic",
      levels: [
        LevelHosts(total: 2, healthy: 1, totalWeight: 1_000_000, healthyWeight: 1),
        LevelHosts(total: 0),
      ],
      settings: LevelSettings(usesWeights: true), loads: [100, 0], panics: [false, true]),
    Row(
      testDescription: "products above 64 bits",
      levels: [
        LevelHosts(
          total: 100_000, healthy: 50_000, totalWeight: .max, healthyWeight: .max / 4,
          degradedWeight: .max / 2)
      ],
      settings: LevelSettings(overprovisioningFactor: 80, usesWeights: true), loads: [33],
      degradedLoads: [67]),
    Row(
      testDescription: "the largest factor",
      levels: [LevelHosts(total: .max, healthy: 1), up(100)],
      settings: LevelSettings(overprovisioningFactor: .max), loads: [1, 99]),
  ])
  func row(_ row: Row) {
    let levels = Levels(row.levels, row.settings)
    #expect(levels.shares.map(\.load) == row.loads)
    #expect(levels.shares.map(\.degradedLoad) == row.degradedLoads ?? row.loads.map { _ in 0 })
    if let panics = row.panics { #expect(levels.shares.map(\.isPanic) == panics) }
    #expect(levels.shares.map(\.fails) == row.fails ?? row.loads.map { _ in false })
    #expect(levels.steps.last?.end == 100)
  }

  @Test func healthIsShown() {
    let share = Levels([Self.up(50, degraded: 10), Self.up(72)]).shares
    #expect(share[0].health == 70)
    #expect(share[0].degradedHealth == 14)
    #expect(share[1].health == 100)
  }

  @Test func noLevelIsOneWithoutHosts() {
    let levels = Levels([])
    #expect(levels.steps == [LoadStep(end: 100, level: 0, isDegraded: false)])
    #expect(levels.shares.map(\.isPanic) == [true])
  }

  @Test func levelsBehindTheLastAreLeftOut() {
    let levels = Levels([LevelHosts](repeating: Self.up(0), count: 128) + [Self.up(100), Self.up(100)])
    #expect(levels.shares.count == 129)
    #expect(levels.steps == [LoadStep(end: 100, level: 128, isDegraded: false)])
  }

  @Test func aHashKeepsItsLevel() throws {
    let levels = Levels(
      [Self.up(30, degraded: 10), Self.up(20, degraded: 10)], LevelSettings(panicThreshold: 0))
    // 42 + 28 of health, 14 + 14 of degraded: 98, so two are left for the first.
    try #require(
      levels.steps == [
        LoadStep(end: 44, level: 0, isDegraded: false),
        LoadStep(end: 72, level: 1, isDegraded: false),
        LoadStep(end: 86, level: 0, isDegraded: true),
        LoadStep(end: 100, level: 1, isDegraded: true),
      ])
    levels.steps.withUnsafeBufferPointer { steps in
      for (number, want) in [(0, 0), (43, 0), (44, 1), (71, 1), (72, 2), (85, 2), (86, 3), (99, 3)] {
        #expect(LoadStep.choose(steps, UInt64(number)) == steps[want])
        #expect(LoadStep.choose(steps, UInt64(number) + 700) == steps[want])
      }
    }
  }

  @Test func sharesAreKept() {
    let levels = Levels([Self.up(50), Self.up(10), Self.up(100)])
    var random = FastRandom(seed: 1)
    var counts = [0, 0, 0]
    levels.steps.withUnsafeBufferPointer { steps in
      for _ in 0..<100_000 { counts[Int(LoadStep.choose(steps, random.next()).level)] += 1 }
    }
    #expect(follows(counts, [70, 14, 16]))
  }

  /// Envoy's functions, line by line.
  struct Literal {
    var healthyLoad: [Int], degradedLoad: [Int], panic: [Bool]

    init(_ levels: [LevelHosts], factor: Int, threshold: Int) {
      let n = levels.count
      healthyLoad = [Int](repeating: 0, count: n)
      degradedLoad = healthyLoad
      panic = [Bool](repeating: false, count: n)
      var health = healthyLoad
      var degraded = healthyLoad
      for (i, level) in levels.enumerated() {
        let count = Int(level.total) - Int(level.excluded)
        if count > 0 {
          health[i] = min(100, factor * Int(level.healthy) / count)
          degraded[i] = min(100, factor * Int(level.degraded) / count)
        }
      }
      let availability = min(100, health.reduce(0, +) + degraded.reduce(0, +))
      if availability > 0 {
        var total = 100
        var firstHealthy = -1
        for i in 0..<n {
          if firstHealthy < 0, health[i] > 0 { firstHealthy = i }
          healthyLoad[i] = min(total, health[i] * 100 / availability)
          total -= healthyLoad[i]
        }
        var firstDegraded = -1
        for i in 0..<n {
          if firstDegraded < 0, degraded[i] > 0 { firstDegraded = i }
          degradedLoad[i] = min(total, degraded[i] * 100 / availability)
          total -= degradedLoad[i]
        }
        if total != 0 {
          if firstHealthy != -1 {
            healthyLoad[firstHealthy] += total
          } else {
            degradedLoad[firstDegraded] += total
          }
        }
      }
      if threshold == 0, availability == 0 {
        healthyLoad[0] = 100
        return
      }
      var totalPanic = true
      for (i, level) in levels.enumerated() {
        let count = Int(level.total) - Int(level.excluded)
        let a = count == 0 ? 0.0 : 100.0 * Double(level.healthy) / Double(count)
        let b = count == 0 ? 0.0 : 100.0 * Double(level.degraded) / Double(count)
        panic[i] = availability == 100 ? false : a + b < Double(threshold)
        totalPanic = totalPanic && panic[i]
      }
      guard totalPanic else { return }
      let all = levels.reduce(0) { $0 + Int($1.total) }
      if all == 0 {
        healthyLoad[0] = 100
        return
      }
      var left = 100
      var first = -1
      for (i, level) in levels.enumerated() {
        if first == -1, level.total != 0 { first = i }
        healthyLoad[i] = 100 * Int(level.total) / all
        degradedLoad[i] = 0
        left -= healthyLoad[i]
      }
      healthyLoad[first] += left
    }
  }

  @Test func randomHostSetsAreEnvoys() {
    var random = FastRandom(seed: 2)
    var panics = 0
    var shared = 0
    for _ in 0..<2000 {
      let levels = (0..<1 + random.below(5)).map { _ in
        let total = random.below(40)
        let up = random.below(total + 1)
        // Rarely well, so that every branch is met.
        let healthy = random.chance(50) ? up : up / 4
        let degraded = random.chance(30) ? random.below(total - healthy + 1) : 0
        let excluded = random.chance(30) ? random.below(total - healthy - degraded + 1) : 0
        return LevelHosts(total: total, healthy: healthy, degraded: degraded, excluded: excluded)
      }
      let threshold = random.chance(20) ? 0 : random.below(101)
      let factor = random.chance(50) ? 140 : 100 + random.below(200)
      let want = Literal(levels, factor: Int(factor), threshold: Int(threshold))
      let got = Levels(
        levels, LevelSettings(overprovisioningFactor: factor, panicThreshold: threshold))
      #expect(got.shares.map { Int($0.load) } == want.healthyLoad)
      #expect(got.shares.map { Int($0.degradedLoad) } == want.degradedLoad)
      #expect(got.shares.map(\.isPanic) == want.panic)
      panics += want.panic.contains(true) ? 1 : 0
      shared += got.steps.count > 1 ? 1 : 0
    }
    #expect(panics > 300)
    #expect(shared > 500)
  }
}
