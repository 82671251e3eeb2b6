import Simulation
import Testing

/// Named courses of events, and what must come of each. `apus-simulate --scenario NAME` shows one as a table.
struct ScenarioTests {
  private static func play(_ scenario: Scenario, seed: UInt64 = 1) -> ScenarioResult {
    let result = scenario.run(seed: seed)
    #expect(result.violations.isEmpty, "\(result.violations.map(\.description).joined(separator: "\n"))")
    return result
  }

  private static func isNear(_ value: Double, _ wanted: Double, within: Double) -> Bool { abs(value - wanted) <= within }

  /// All stay in the own zone, then nobody is sent there, then all stay again; no request is lost.
  @Test func aZoneIsLostAndComesBack() {
    let result = Self.play(.zoneLost())
    #expect(result[0.5, 2].share([1, 2]) == 1)
    // Half a second is what it takes to notice.
    let lost = result[2.5, 5]
    #expect(lost.share([1, 2]) == 0)
    #expect(Self.isNear(lost.share([3, 4]), 0.5, within: 0.06))
    #expect(lost.out == 2)
    #expect(result[6.5, 8].share([1, 2]) == 1)
    #expect(result.total.failedCount == 0)
    #expect(result.total.succeeded == result.total.arrived)
  }

  /// Two of four hosts are 70 % of the first priority, by 140 % a host: the others get 30 %.
  @Test func halfOfAPriorityIsDownAndComesBack() {
    let result = Self.play(.priorityHalfDown())
    #expect(result[0.5, 2].share(1...4) == 1)
    let down = result[2.7, 5]
    #expect(down.share([1, 2]) == 0)
    #expect(Self.isNear(down.share(5...8), 0.3, within: 0.06), "\(down.share(5...8))")
    #expect(result[6, 8].share(1...4) == 1)
    #expect(result.total.failedCount == 0)
  }

  /// One in a hundred hosts comes and goes each second: no request fails, the others keep their connections and their
  /// turns, and publications are few.
  @Test func flappingHostsDisturbNobody() {
    let result = Self.play(.flapping())
    #expect(result.total.failedCount == 0)
    #expect(result[1, 9].out <= 3)
    let steady = (9...100).map { result.total.attempts[$0] ?? 0 }
    #expect((steady.max() ?? 0) - (steady.min() ?? 0) <= 6, "\(steady)")
    // One for each host, one for each return, and what more a moment of many clients takes.
    #expect(result.cluster("upstream_cx_total") <= 100 + 8 + 30, "\(result.cluster("upstream_cx_total"))")
    #expect((16...50).contains(result.values["apus.hosts.publications"] ?? 0), "\(result.values["apus.hosts.publications"] ?? 0)")
  }

  /// A host that comes to three others begins with a tenth of its weight, and has all of it four seconds later.
  @Test func aNewHostGrows() {
    let result = Self.play(.slowStart())
    #expect(result[0, 2].share([4]) == 0)
    for half in 0..<12 {
      let age = Double(half) / 2
      let weight = min(1, max(0.1, (age + 0.25) / 4))
      let share = result[2 + age, 2.5 + age].share([4])
      #expect(Self.isNear(share, weight / (3 + weight), within: 0.03), "\(share) in the half second after \(age)")
    }
  }

  /// All hosts are bad: at most three of ten are ejected, and as soon as they are well all are back.
  @Test func ejectionsStayUnderTheirCap() {
    let result = Self.play(.ejectionStorm())
    #expect(result.slices.map(\.out).max() == 3)
    #expect(result.cluster("outlier_detection.ejections_enforced_total") >= 3)
    #expect(result.cluster("outlier_detection.ejections_overflow") > 0)
    #expect(result[1.2, 4].failedCount > 0)
    #expect(result[4.2, 5].failedCount == 0)
  }

  /// Twice what hosts can do, for five seconds: who is admitted is answered, and when the load falls all are.
  @Test func limitsKeepOverloadFromSpiralling() {
    let result = Self.play(.deathSpiral(.limited))
    let overload = result[3, 7]
    #expect(Double(overload.succeeded) >= 0.8 * 4 * Scenario.spiralCapacity, "\(overload.succeeded)")
    // Hosts see hardly more than they can do.
    #expect(Double(overload.attemptCount) <= 1.1 * 4 * Scenario.spiralCapacity, "\(overload.attemptCount)")
    let after = result[8, 13]
    #expect(after.failedCount == 0)
    #expect(Double(after.succeeded) >= 0.95 * Double(after.arrived))
  }

  /// The same without limits: hosts are busy with what nobody waits for, and stay so when the load has fallen. That is what
  /// the limits are for.
  @Test func withoutLimitsOverloadOutlivesItsCause() {
    let result = Self.play(.deathSpiral(.unlimited))
    #expect(result[4, 7].succeeded == 0)
    let after = result[8, 13]
    #expect(Double(after.succeeded) <= 0.1 * Double(after.arrived), "\(after.succeeded) of \(after.arrived)")
    // Each request four times.
    #expect(Double(after.attemptCount) >= 2 * Double(after.arrived))
  }

  /// A budget alone keeps the load from being multiplied, but not hosts from working for nobody.
  @Test func aBudgetKeepsRepeatsFew() {
    let budget = Self.play(.deathSpiral(.budgetOnly))
    let unlimited = Self.play(.deathSpiral(.unlimited))
    #expect(Double(budget[3, 13].attemptCount) <= 1.35 * Double(budget[3, 13].arrived))
    #expect(budget[3, 13].attemptCount * 2 < unlimited[3, 13].attemptCount)
    #expect(budget.cluster("upstream_rq_retry_overflow") > 0)
  }

  /// One seed is one run, whatever main does.
  @Test(arguments: ["zone-lost", "ejection-storm", "death-spiral"])
  func oneSeedIsOneRun(_ name: String) throws {
    let scenario = try #require(Scenario(named: name))
    #expect(scenario.run(seed: 7).hash == scenario.run(seed: 7).hash)
  }

  /// Eight workers, two requests each, on sixteen hosts: each host gets about one, because workers begin apart. If all
  /// began with the same host, a few would get nearly all.
  @Test func workersSpreadFewRequests() throws {
    var apart: [Int] = []
    var alike: [Int] = []
    for seed in 1...50 as ClosedRange<UInt64> {
      apart.append(try WorkerSkew.spread(workers: 8, hosts: 16, requests: 16, startsApart: true, seed: seed))
      alike.append(try WorkerSkew.spread(workers: 8, hosts: 16, requests: 16, startsApart: false, seed: seed))
    }
    let means = [apart, alike].map { Double($0.reduce(0, +)) / Double($0.count) }
    #expect(apart.max() ?? 9 <= 4, "\(apart)")
    #expect(means[0] <= 3, "\(means)")
    #expect(means[1] >= 2 * means[0], "\(means)")
    // However requests fall on workers, each worker's own turns differ by one.
    #expect(try WorkerSkew.spread(workers: 8, hosts: 100, requests: 5000, startsApart: true, seed: 1) <= 8)
  }
}
