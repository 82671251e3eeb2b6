import Balancing
import Primitives
import Testing

@Suite struct PicksTests {
  @Test func turnsGoAround() {
    var turns = RoundRobin(start: 3)
    #expect((0..<7).map { _ in turns.pick(count: 5) } == [3, 4, 0, 1, 2, 3, 4])
    // The list has become shorter, then longer.
    #expect(turns.pick(count: 2) == 0)
    #expect((0..<3).map { _ in turns.pick(count: 9) } == [1, 2, 3])
    #expect((0..<3).map { _ in turns.pick(count: 1) } == [0, 0, 0])
    var last = RoundRobin(start: .max)
    #expect(last.pick(count: .max) == 0)
  }

  @Test func workersStartEvenlyApart() {
    let starts = (0..<8).map {
      WorkerStart.position(digest: 0, worker: $0, workers: 8, count: 80)
    }
    #expect(starts == [0, 10, 20, 30, 40, 50, 60, 70])
    // Another cluster elsewhere, and around the end.
    #expect(WorkerStart.position(digest: 79, worker: 0, workers: 8, count: 80) == 79)
    #expect(WorkerStart.position(digest: 79, worker: 1, workers: 8, count: 80) == 9)
    // More workers than hosts.
    #expect(
      (0..<8).map { WorkerStart.position(digest: 0, worker: $0, workers: 8, count: 3) }
        == [0, 0, 0, 1, 1, 1, 2, 2])
    #expect(WorkerStart.position(digest: .max, worker: .max, workers: .max, count: .max) == 0)
    #expect(WorkerStart.position(digest: 5, worker: 1, workers: 0, count: 10) == 5)
    #expect(WorkerStart.position(digest: 5, worker: 1, workers: 2, count: 0) == 0)
  }

  /// 8 workers, a request on any of them, 50 requests a host.
  @Test(arguments: [1, 3, 10, 64, 100, 333] as [UInt32], [false, true])
  func manyWorkersStayLevel(hosts: UInt32, isScheduled: Bool) {
    var random = FastRandom(seed: UInt64(hosts))
    let starts = (0..<8).map {
      WorkerStart.position(digest: hash("cluster"), worker: $0, workers: 8, count: hosts)
    }
    var turns = starts.map { RoundRobin(start: $0) }
    let schedules = starts.map {
      ScheduledMembers(weights: [Double](repeating: 3, count: Int(hosts)), skipping: $0)
    }
    var counts = [Int](repeating: 0, count: Int(hosts))
    for _ in 0..<50 * hosts {
      let worker = Int(random.below(8))
      let host = isScheduled ? schedules[worker].next() : turns[worker].pick(count: hosts)
      counts[Int(host ?? 0)] += 1
    }
    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 8)
  }

  /// What starts apart are good for: few requests reach different hosts.
  @Test func theFirstRequestsAreSpread() {
    var counts = [Int](repeating: 0, count: 16)
    for worker in 0..<8 as Range<UInt32> {
      var turns = RoundRobin(
        start: WorkerStart.position(digest: hash("a"), worker: worker, workers: 8, count: 16))
      for _ in 0..<2 { counts[Int(turns.pick(count: 16))] += 1 }
    }
    #expect(counts == [Int](repeating: 1, count: 16))
  }

  @Test func randomIsUniform() {
    var random = FastRandom(seed: 5)
    var counts = [Int](repeating: 0, count: 37)
    for _ in 0..<370_000 { counts[Int(RandomPick.pick(count: 37, &random))] += 1 }
    #expect(follows(counts, [Double](repeating: 1, count: 37)))
  }

  @Test func twoChoicesWithoutLoadAreUniform() {
    var random = FastRandom(seed: 6)
    var counts = [Int](repeating: 0, count: 20)
    for _ in 0..<200_000 {
      counts[Int(LeastRequest().pick(count: 20, &random) { _ in 0 })] += 1
    }
    #expect(follows(counts, [Double](repeating: 1, count: 20)))
  }

  /// Hosts with 0, 1, ... n - 1 requests: i is chosen when all samples are i or worse, but not all
  /// worse.
  @Test(arguments: [1, 2, 3, 5] as [UInt32])
  func choicesTakeTheFewest(choiceCount: UInt32) {
    var random = FastRandom(seed: 7)
    var counts = [Int](repeating: 0, count: 8)
    for _ in 0..<100_000 {
      let pick = LeastRequest(choiceCount: choiceCount).pick(count: 8, &random) { $0 + 3 }
      counts[Int(pick)] += 1
    }
    func power(_ base: Int) -> Double {
      (0..<choiceCount).reduce(1.0) { product, _ in product * Double(base) }
    }
    #expect(follows(counts, (0..<8).map { power(8 - $0) - power(7 - $0) }))
  }

  @Test func ofEqualsTheFirstSampleWins() {
    var random = FastRandom(seed: 8)
    for _ in 0..<1000 {
      var samples: [UInt32] = []
      let pick = LeastRequest(choiceCount: 3).pick(count: 50, &random) {
        samples.append($0)
        return 4
      }
      #expect(samples.count == 3)
      #expect(pick == samples.first)
    }
  }

  @Test func noChoiceIsOne() {
    var random = FastRandom(seed: 9)
    #expect(LeastRequest(choiceCount: 0).choiceCount == 1)
    #expect(LeastRequest(choiceCount: 0).pick(count: 1, &random) { _ in 9 } == 0)
    #expect(LeastRequest(choiceCount: .max).pick(count: 3, &random) { $0 } == 0)
  }

  @Test func aFullScanFindsTheFewest() {
    var random = FastRandom(seed: 10)
    for _ in 0..<500 {
      let active = (0..<1 + random.below(40)).map { _ in random.below(10) }
      let pick = LeastRequest().pickOfAll(count: UInt32(active.count), &random) { active[Int($0)] }
      #expect(active[Int(pick)] == active.min())
    }
  }

  @Test func aFullScanIsFairAmongEquals() {
    var random = FastRandom(seed: 11)
    let active: [UInt32] = [5, 5, 5, 2, 7, 2, 2, 9, 2]
    var counts = [Int](repeating: 0, count: 9)
    for _ in 0..<100_000 {
      counts[Int(LeastRequest().pickOfAll(count: 9, &random) { active[Int($0)] })] += 1
    }
    #expect(follows(counts, [0, 0, 0, 1, 0, 1, 1, 0, 1]))
  }

  @Test(arguments: [
    (10, 0, 1.0, 10.0), (10, 1, 1.0, 5.0), (10, 9, 1.0, 1.0), (10, 9, 0.0, 10.0),
    (10, 3, 0.5, 5.0), (10, 3, 2.0, 0.625), (UInt32.max, UInt32.max, 1.0, 4294967295.0 / 4294967296),
  ] as [(UInt32, UInt32, Double, Double)])
  func weightsShrinkWithRequests(
    _ row: (weight: UInt32, active: UInt32, bias: Double, want: Double)
  ) {
    let weight = LeastRequest(activeRequestBias: row.bias).weight(row.weight, active: row.active)
    #expect(abs(weight - row.want) < 1e-12)
  }

  /// A request begins every tick; a host answers after 20 ticks, one of ten after 200.
  @Test func aSlowHostGetsLess() {
    var random = FastRandom(seed: 12)
    var active = [UInt32](repeating: 0, count: 10)
    var ends: [Int: [Int]] = [:]
    var counts = [Int](repeating: 0, count: 10)
    for tick in 0..<50_000 {
      for host in ends.removeValue(forKey: tick) ?? [] { active[host] -= 1 }
      let host = Int(LeastRequest().pick(count: 10, &random) { active[Int($0)] })
      active[host] += 1
      counts[host] += 1
      ends[tick + (host == 0 ? 200 : 20), default: []].append(host)
    }
    #expect(counts[0] > 0)
    #expect(Double(counts[0]) < 0.3 * 5000)
  }
}
