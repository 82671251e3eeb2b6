@testable import Balancing
import Primitives
import Testing

@Suite struct DeadlineScheduleTests {
  /// The same by looking at everybody every time.
  struct Literal {
    var entries: [(index: UInt32, deadline: Double, order: Int)] = []
    var members: Set<UInt32> = []
    var weights: [Double]
    var now = 0.0
    var order = 0

    init(_ members: [UInt32], _ weights: [Double]) {
      self.weights = weights
      change(members)
    }

    mutating func change(_ members: [UInt32]) {
      self.members = Set(members)
      for member in members.sorted() where !entries.contains(where: { $0.index == member }) {
        entries.append((member, now + 1 / weights[Int(member)], order))
        order += 1
      }
    }

    mutating func next() -> UInt32? {
      while let place = entries.indices.min(by: {
        (entries[$0].deadline, entries[$0].order) < (entries[$1].deadline, entries[$1].order)
      }) {
        guard members.contains(entries[place].index) else {
          entries.remove(at: place)
          continue
        }
        now = entries[place].deadline
        entries[place].deadline = now + 1 / weights[Int(entries[place].index)]
        entries[place].order = order
        order += 1
        return entries[place].index
      }
      return nil
    }
  }

  @Test func equalWeightsTakeTurnsInOrder() {
    let members = ScheduledMembers(weights: [7, 7, 7, 7, 7])
    for round in 0..<200 {
      for index in 0..<5 as Range<UInt32> {
        #expect(members.next() == index, "round \(round)")
      }
    }
  }

  @Test func turnsFollowWeights() {
    let counts = ScheduledMembers(weights: [1, 2, 5, 100]).counts(108 * 20)
    for (count, want) in zip(counts, [20, 40, 100, 2000]) { #expect(abs(count - want) <= 1) }
  }

  @Test func heavyHostsDoNotComeInBursts() {
    let members = ScheduledMembers(weights: [1, 4])
    let picks = (0..<10).map { _ in members.next() }
    // Both are due at the end of the round: who entered first goes first.
    #expect(picks == [1, 1, 1, 0, 1, 1, 1, 1, 0, 1])
  }

  @Test func nobodyIsNil() {
    #expect(ScheduledMembers([], weights: [1, 1]).next() == nil)
    #expect(ScheduledMembers(weights: []).next() == nil)
    #expect(ScheduledMembers([], weights: [1, 1], skipping: 3).next() == nil)
    let members = ScheduledMembers(weights: [1, 2])
    _ = members.next()
    members.change([])
    #expect(members.next() == nil)
    members.change([1])
    #expect(members.next() == 1)
    #expect(members.next() == 1)
  }

  @Test(arguments: [0, 1, 2, 3, 7, 40] as [UInt32])
  func skippingIsPicking(skipped: UInt32) {
    let weights = [3.0, 1, 4, 1, 5, 9, 2, 6]
    let picked = ScheduledMembers(weights: weights)
    for _ in 0..<skipped { _ = picked.next() }
    let started = ScheduledMembers(weights: weights, skipping: skipped)
    for _ in 0..<100 { #expect(started.next() == picked.next()) }
  }

  @Test func aWeightIsReadAtThePick() {
    let members = ScheduledMembers(weights: [1, 1])
    #expect(members.next() == 0)
    // 1 is due at 1 still, 0 at 2; from then on 1 comes four times as often.
    members.weights = [1, 4]
    #expect((0..<6).map { _ in members.next() } == [1, 1, 1, 1, 0, 1])
  }

  @Test func aReturnedHostHasOneTurn() {
    let members = ScheduledMembers(weights: [1, 1, 1])
    #expect(members.next() == 0)
    for _ in 0..<10 {
      members.change([0, 2])
      members.change([0, 1, 2])
    }
    #expect(members.counts(300) == [100, 100, 100])
  }

  @Test func whoComesWaitsItsTime() {
    let members = ScheduledMembers([0, 1], weights: [1, 1, 1])
    _ = members.counts(1000)
    members.change([0, 1, 2])
    // Not a thousand turns to make up for.
    #expect((0..<6).map { _ in members.next() } == [0, 1, 2, 0, 1, 2])
  }

  @Test func indicesMayBecomeMore() {
    let members = ScheduledMembers(weights: [Double](repeating: 1, count: 10))
    _ = members.counts(5)
    members.change((0..<300).map { $0 }, weights: [Double](repeating: 1, count: 300))
    #expect(Set((0..<300).map { _ in members.next() }).count == 300)
    // And fewer again.
    members.change((0..<10).map { $0 }, weights: [Double](repeating: 1, count: 10))
    let counts = members.counts(100)
    #expect(counts == [Int](repeating: 10, count: 10))
  }

  @Test func everyOrderIsTheLiteralOne() {
    var random = FastRandom(seed: 3)
    for _ in 0..<60 {
      let count = Int(1 + random.below(90))
      let weights = (0..<count).map { _ in Double(1 + random.below(20)) }
      func draw() -> [UInt32] {
        (0..<UInt32(count)).filter { _ in random.chance(70) }
      }
      var members = draw()
      let schedule = ScheduledMembers(members, weights: weights)
      var literal = Literal(members, weights)
      for _ in 0..<400 {
        if random.chance(5) {
          members = draw()
          schedule.change(members)
          literal.change(members)
        }
        if random.chance(10) {
          let changed = Int(random.below(UInt32(count)))
          schedule.weights[changed] = Double(1 + random.below(20))
          literal.weights = schedule.weights
        }
        let want = literal.next()
        guard schedule.next() == want else {
          Issue.record("another than \(String(describing: want))")
          return
        }
      }
    }
  }

  @Test func aWeightThatIsNoneStopsNobody() {
    for weight in [0, -1, .nan, 1e-300] {
      #expect(ScheduledMembers(weights: [weight, 5, 10]).counts(3000) == [0, 1000, 2000])
    }
    // Alone or among their kind they take turns.
    #expect(ScheduledMembers(weights: [0, .nan, -5]).counts(300) == [100, 100, 100])
  }

  @Test func longTimeDoesNotBlurHeavyWeights() {
    let members = ScheduledMembers([0], weights: [1e-9, 4e9, 2e9])
    // The deadline is 10^9 now, where doubles are 10^-7 apart: more than 1/weight of the others.
    #expect(members.next() == 0)
    members.change([1, 2])
    let counts = members.counts(3000)
    #expect(abs(counts[1] - 2000) <= 2)
    #expect(abs(counts[2] - 1000) <= 2)
  }

  @Test func timeBeginsAnew() {
    let members = ScheduledMembers(weights: [0.001, 0.002, 0.003])
    let counts = members.counts(60_000)
    for (count, want) in zip(counts, [10_000, 20_000, 30_000]) { #expect(abs(count - want) <= 1) }
    // 10,000,000 without.
    #expect(members.schedule.now < 70_000)
    #expect(members.schedule.heap[0].deadline < 70_000)
  }

  @Test func largestWeights() {
    let counts = ScheduledMembers(weights: [Double(UInt32.max), Double(UInt32.max), 1]).counts(10_000)
    #expect(counts == [5000, 5000, 0])
  }

  @Test func sharesAreKept() {
    var random = FastRandom(seed: 4)
    let weights = (0..<50).map { _ in Double(1 + random.below(1000)) }
    let counts = ScheduledMembers(weights: weights).counts(200_000)
    let sum = weights.reduce(0, +)
    for (count, weight) in zip(counts, weights) {
      #expect(abs(Double(count) - 200_000 * weight / sum) <= 2)
    }
  }
}
