import Balancing
import Primitives
import Testing

@Suite struct ZonesTests {
  /// Localities of target and own cluster with as many healthy hosts; the own one first.
  static func hosts(
    target: [UInt64], own: [UInt64], ownLocalityHosts: UInt64? = nil, isOwnFirst: Bool = true
  ) -> ZoneHosts {
    ZoneHosts(
      target: target, own: own, ownTotal: own.reduce(0, +), ownLocalityCount: own.count,
      ownLocalityHosts: ownLocalityHosts ?? own.first ?? 0, isOwnFirst: isOwnFirst)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let hosts: ZoneHosts
    var minimumSize: UInt64 = 6
    var forcedMinimum: UInt32?
    let outcome: ZonePlan.Outcome
    var stay: UInt32 = 0
    var rest: [UInt32] = []
    var hasNoCapacity = false

    var settings: ZoneSettings {
      var settings = ZoneSettings()
      settings.minimumSize = minimumSize
      settings.forcedMinimum = forcedMinimum
      return settings
    }
  }

  @Test(arguments: [
    Row(
      testDescription: "the documented example", hosts: hosts(target: [5, 10, 5], own: [40, 40, 20]),
      outcome: .residual, stay: 6250, rest: [0, 1000, 1500]),
    Row(
      testDescription: "one locality in the target", hosts: hosts(target: [10], own: [5, 5]),
      outcome: .targetHasOneLocality),
    Row(
      testDescription: "one locality in the own cluster", hosts: hosts(target: [5, 5], own: [5]),
      outcome: .ownHasOneLocality),
    Row(
      testDescription: "no own host here",
      hosts: hosts(target: [5, 5], own: [0, 5], ownLocalityHosts: 0), outcome: .ownLocalityIsEmpty),
    Row(
      testDescription: "own hosts here are unhealthy: they count as hosts, not as load",
      hosts: hosts(target: [5, 5], own: [0, 5], ownLocalityHosts: 3), outcome: .direct),
    Row(
      testDescription: "too small", hosts: hosts(target: [3, 2], own: [5, 5]),
      outcome: .targetIsSmall),
    Row(testDescription: "just large enough", hosts: hosts(target: [3, 3], own: [5, 5]), outcome: .direct),
    Row(
      testDescription: "size 2 of its own minimum", hosts: hosts(target: [1, 1], own: [5, 5]),
      minimumSize: 2, outcome: .direct),
    Row(
      testDescription: "nobody healthy, no minimum", hosts: hosts(target: [0, 0], own: [5, 5]),
      minimumSize: 0, outcome: .targetIsSmall),
    Row(
      testDescription: "forced: capacity does not count", hosts: hosts(target: [1, 9], own: [9, 1]),
      forcedMinimum: 1, outcome: .direct),
    Row(
      testDescription: "forced, but too few are here", hosts: hosts(target: [1, 9], own: [5, 5]),
      forcedMinimum: 2, outcome: .residual, stay: 2000, rest: [0, 4000]),
    Row(
      testDescription: "forced with one locality of its own", hosts: hosts(target: [5, 5], own: [5]),
      forcedMinimum: 5, outcome: .direct),
    Row(
      testDescription: "tests in order: one locality comes before the rest",
      hosts: hosts(target: [1], own: [], ownLocalityHosts: 0), outcome: .targetHasOneLocality),
    Row(
      testDescription: "the own locality of the target is empty",
      hosts: hosts(target: [0, 6, 6], own: [2, 4, 4]), outcome: .residual,
      rest: [0, 1000, 2000]),
    Row(
      testDescription: "the target is not here at all",
      hosts: ZoneHosts(
        target: [6, 4], own: [3, 2], ownTotal: 10, ownLocalityCount: 3, ownLocalityHosts: 5,
        isOwnFirst: false),
      outcome: .residual, rest: [3000, 5000]),
    Row(
      testDescription: "not here: the first locality is one as the others",
      hosts: ZoneHosts(
        target: [1, 9], own: [5, 0], ownTotal: 10, ownLocalityCount: 3, ownLocalityHosts: 5,
        isOwnFirst: false),
      outcome: .residual, rest: [0, 9000]),
    Row(
      testDescription: "rounding: thirds of 10,000",
      hosts: hosts(target: [2, 2, 2], own: [2, 1, 0]), outcome: .residual, stay: 5000,
      rest: [0, 0, 3333]),
    Row(
      testDescription: "a locality without hosts takes nothing",
      hosts: ZoneHosts(
        target: [3, 0, 3, 3], own: [4, 0, 3, 3], ownTotal: 10, ownLocalityCount: 4,
        ownLocalityHosts: 4, isOwnFirst: false),
      outcome: .residual, rest: [0, 0, 333, 666]),
    Row(
      testDescription: "less than a point of the target is here",
      hosts: hosts(target: [1, 99_999, 0, 99_999], own: [50_000, 25_000, 0, 25_000]),
      outcome: .residual, rest: [0, 2499, 2499, 4998]),
    Row(
      testDescription: "own hosts elsewhere than the target's",
      hosts: ZoneHosts(
        target: [1, 5], own: [3, 0], ownTotal: 9, ownLocalityCount: 3, ownLocalityHosts: 3,
        isOwnFirst: true),
      outcome: .residual, stay: 4998, rest: [0, 8333]),
    Row(
      testDescription: "sums of weights",
      hosts: hosts(target: [1 << 62, 1 << 62], own: [3 << 60, 1 << 60]),
      outcome: .residual, stay: 6666, rest: [0, 2500]),
  ])
  func plan(_ row: Row) {
    let plan = ZonePlan(row.hosts, row.settings)
    #expect(plan.outcome == row.outcome)
    #expect(plan.stay == row.stay)
    #expect(plan.rest == row.rest)
    #expect(plan.hasNoCapacity == row.hasNoCapacity)
    #expect(plan.outcome.isOn == (row.outcome == .direct || row.outcome == .residual))
  }

  static func counts(
    _ plan: ZonePlan, localities: Int, seed: UInt64
  ) -> (localities: [Int], reasons: [ZoneChoice.Reason: Int]) {
    var random = FastRandom(seed: seed)
    var counts = [Int](repeating: 0, count: localities)
    var reasons: [ZoneChoice.Reason: Int] = [:]
    plan.rest.withUnsafeBufferPointer { rest in
      let routing = ZoneRouting(plan, rest: rest)
      for _ in 0..<100_000 {
        let choice = routing.pick(&random)
        counts[Int(choice.locality)] += 1
        reasons[choice.reason, default: 0] += 1
      }
    }
    return (counts, reasons)
  }

  @Test func theExampleSplits() {
    let plan = ZonePlan(Self.hosts(target: [5, 10, 5], own: [40, 40, 20]))
    let (counts, reasons) = Self.counts(plan, localities: 3, seed: 19)
    #expect(follows(counts, [62.5, 25, 12.5]))
    #expect(reasons[.sampled] == counts[0])
    #expect(reasons[.crossZone] == counts[1] + counts[2])
    #expect(reasons.count == 2)
  }

  @Test func directStays() {
    let plan = ZonePlan(Self.hosts(target: [6, 2], own: [1, 1]))
    let (counts, reasons) = Self.counts(plan, localities: 2, seed: 20)
    #expect(counts == [100_000, 0])
    #expect(reasons == [.direct: 100_000])
  }

  /// Nobody has more than its part: 3,333 of the target's points against 3,334 and more.
  @Test func withoutCapacityAnyThatHasHosts() {
    let hosts = ZoneHosts(
      target: [2, 0, 2, 2], own: [7, 0, 4, 4], ownTotal: 12, ownLocalityCount: 3,
      ownLocalityHosts: 7, isOwnFirst: true)
    let plan = ZonePlan(hosts)
    #expect(plan.outcome == .residual)
    #expect(plan.stay == 3333 * 10_000 / 5833)
    #expect(plan.hasNoCapacity)
    #expect(plan.rest == [1, 1, 2, 3])
    let (counts, reasons) = Self.counts(plan, localities: 4, seed: 21)
    let stay = Double(plan.stay) / 10_000
    let other = (1 - stay) / 3
    #expect(follows(counts, [stay + other, 0, other, other]))
    #expect(reasons[.crossZone] == nil)
    #expect(reasons[.noCapacity, default: 0] > 30_000)
  }

  /// What Envoy computes, over random clusters.
  @Test func randomClustersAreEnvoys() {
    var random = FastRandom(seed: 22)
    var outcomes: [ZonePlan.Outcome: Int] = [:]
    for _ in 0..<2000 {
      let count = Int(2 + random.below(4))
      let target = (0..<count).map { _ in UInt64(random.chance(20) ? 0 : random.below(12)) }
      let own = (0..<count).map { _ in UInt64(random.below(8)) }
      let elsewhere = UInt64(random.below(3))
      let isOwnFirst = random.chance(80)
      let hosts = ZoneHosts(
        target: target, own: own, ownTotal: own.reduce(elsewhere, +), ownLocalityCount: count,
        ownLocalityHosts: 1, isOwnFirst: isOwnFirst)
      let plan = ZonePlan(hosts)
      outcomes[plan.outcome, default: 0] += 1
      let all = target.reduce(0, +)
      guard all >= 6 else {
        #expect(plan.outcome == .targetIsSmall)
        continue
      }
      let upstream = target.map { 10_000 * $0 / all }
      let local = zip(target, own).map { target, own in
        target == 0 || hosts.ownTotal == 0 ? 0 : 10_000 * own / hosts.ownTotal
      }
      if isOwnFirst, upstream[0] > 0, upstream[0] >= local[0] {
        #expect(plan.outcome == .direct)
        continue
      }
      #expect(plan.outcome == .residual)
      #expect(
        UInt64(plan.stay) == (isOwnFirst && local[0] > 0 ? upstream[0] * 10_000 / local[0] : 0))
      var residual = [UInt64](repeating: 0, count: count)
      for i in 0..<count {
        let last = i > 0 ? residual[i - 1] : 0
        if i == 0, isOwnFirst {
          residual[i] = last
        } else {
          residual[i] = upstream[i] > local[i] ? last + upstream[i] - local[i] : last
        }
      }
      if residual[count - 1] > 0 {
        #expect(plan.rest.map { UInt64($0) } == residual)
      } else {
        #expect(plan.hasNoCapacity)
      }
    }
    #expect(outcomes[.direct, default: 0] > 300)
    #expect(outcomes[.residual, default: 0] > 300)
  }
}
