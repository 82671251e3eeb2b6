@testable import Balancing
import Primitives
import Testing

@Suite struct BoundedLoadTests {
  @Test(arguments: [
    (active: 0, factor: 100, weight: 0.5, want: 1.0),
    (active: 3, factor: 100, weight: 0.5, want: 2.0),
    (active: 9, factor: 150, weight: 0.1, want: 2.0),
    (active: 99, factor: 125, weight: 0.1, want: 13.0),
    // 1.5 of 1 request is rounded up before the weight counts.
    (active: 0, factor: 150, weight: 1, want: 2.0),
    (active: 0, factor: 101, weight: 1, want: 2.0),
    (active: 0, factor: 100, weight: 1e-9, want: 1.0),
    (active: .max, factor: .max, weight: 1, want: 1.84467440694146e17),
  ] as [(active: UInt32, factor: UInt32, weight: Double, want: Double)])
  func slots(_ row: (active: UInt32, factor: UInt32, weight: Double, want: Double)) {
    let slots = BoundedLoad(factor: row.factor).slots(active: row.active, weight: row.weight)
    #expect(abs(slots - row.want) <= 1e-6 * row.want)
    if row.want < 1000 { #expect(slots == row.want) }
  }

  @Test func aFactorBelow100IsNone() { #expect(BoundedLoad(factor: 7).factor == 100) }

  /// Every number from 1 to 200: steps from any hash visit everybody.
  @Test func stepsVisitEverybody() {
    var random = FastRandom(seed: 16)
    for count in 1...200 as ClosedRange<UInt64> {
      for _ in 0..<5 {
        let h = random.next()
        let step = BoundedLoad.step(h, count)
        var seen = Set<UInt64>()
        var position = h % count
        for _ in 0..<count {
          seen.insert(position)
          position = (position + step) % count
        }
        #expect(seen.count == Int(count))
      }
    }
  }

  @Test func stepsAreUniform() {
    var random = FastRandom(seed: 23)
    var counts = [Int](repeating: 0, count: 30)
    for _ in 0..<80_000 { counts[Int(BoundedLoad.step(random.next(), 30))] += 1 }
    #expect(follows(counts, (0..<30).map { [1, 7, 11, 13, 17, 19, 23, 29].contains($0) ? 1 : 0 }))
  }

  struct Hosts {
    var weights: [Double]
    var active: [UInt32]

    mutating func pick(_ load: BoundedLoad, preferred: UInt32, hash: UInt64) -> UInt32 {
      let active = active
      return weights.withUnsafeBufferPointer {
        load.pick(
          preferred: preferred, hash: hash, weights: $0, active: active.reduce(0, +)
        ) { active[Int($0)] }
      }
    }
  }

  @Test func whoIsNotFullIsTaken() {
    var hosts = Hosts(weights: [0.25, 0.25, 0.25, 0.25], active: [1, 1, 1, 1])
    for preferred in 0..<4 as Range<UInt32> {
      // ceil(5 * 0.25) = 2 slots.
      #expect(hosts.pick(BoundedLoad(factor: 100), preferred: preferred, hash: 5) == preferred)
    }
    // Exactly full is not more than full.
    hosts.active = [2, 0, 0, 0]
    #expect(hosts.pick(BoundedLoad(factor: 200), preferred: 0, hash: 5) == 0)
    hosts.active = [3, 0, 0, 0]
    #expect(hosts.pick(BoundedLoad(factor: 200), preferred: 0, hash: 5) != 0)
  }

  @Test func fullHostsOverflowByHash() {
    var hosts = Hosts(
      weights: [Double](repeating: 0.1, count: 10), active: [50] + [UInt32](repeating: 0, count: 9))
    var counts = [Int](repeating: 0, count: 10)
    var random = FastRandom(seed: 17)
    for _ in 0..<20_000 {
      let h = random.next()
      let pick = hosts.pick(BoundedLoad(factor: 100), preferred: 0, hash: h)
      #expect(hosts.pick(BoundedLoad(factor: 100), preferred: 0, hash: h) == pick)
      counts[Int(pick)] += 1
    }
    // A start at the full host goes on by a step coprime to ten: 1, 3, 7 or 9.
    #expect(follows(counts, [0, 1.25, 1, 1.25, 1, 1, 1, 1.25, 1, 1.25]))
  }

  @Test func ofFullHostsTheLeastFull() {
    // One slot each.
    let full = Hosts(weights: [0.001, 0.001, 0.001], active: [30, 20, 25])
    for preferred in 0..<3 as Range<UInt32> {
      for h in 0..<50 as Range<UInt64> {
        var hosts = full
        #expect(hosts.pick(BoundedLoad(factor: 100), preferred: preferred, hash: h) == 1)
      }
    }
  }

  @Test func whoIsNotInTheTableIsNeverTaken() {
    var hosts = Hosts(weights: [0.5, 0, 0.5, 0], active: [12, 0, 3, 0])
    for h in 0..<100 as Range<UInt64> {
      let pick = hosts.pick(BoundedLoad(factor: 100), preferred: 0, hash: h << 32 | h)
      #expect(pick == 2)
    }
  }

  @Test func oneHostIsAlwaysTaken() {
    var hosts = Hosts(weights: [1], active: [1000])
    #expect(hosts.pick(BoundedLoad(factor: 100), preferred: 0, hash: .max) == 0)
    hosts = Hosts(weights: [0.5, 0.5], active: [9, 0])
    #expect(hosts.pick(BoundedLoad(factor: 100), preferred: 0, hash: .max) == 1)
  }

  /// Requests that never end, most of them with one key.
  @Test(arguments: [100, 120, 150, 300] as [UInt32])
  func nobodyIsEverAboveItsSlots(factor: UInt32) throws {
    let load = BoundedLoad(factor: factor)
    let weights = NormalizedWeights.hosts([1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    let table = try #require(
      MaglevTable(
        weights.enumerated().map {
          HashedHost(number: UInt32($0), key: bytes("h\($0)"), weight: $1)
        }, size: 1009
      ).flatMap { HashTableStorage($0) })
    var hosts = Hosts(weights: weights, active: [UInt32](repeating: 0, count: 10))
    var random = FastRandom(seed: 18)
    var diverted = 0
    withExtendedLifetime(table) {
      for _ in 0..<5000 {
        let h = random.chance(60) ? 12345 : random.next()
        let total = hosts.active.reduce(0, +)
        let preferred = table.table.pointee.pick(h)
        let pick = hosts.pick(load, preferred: preferred, hash: h)
        if pick != preferred { diverted += 1 }
        hosts.active[Int(pick)] += 1
        let slots = load.slots(active: total, weight: weights[Int(pick)])
        #expect(Double(hosts.active[Int(pick)]) <= slots + 1)
      }
    }
    #expect(diverted > 500)
  }
}
