import Balancing
import Primitives
import Testing

@Suite struct HashTableTests {
  static func storage(_ fixture: HashFixture) -> HashTableStorage? {
    switch fixture.kind {
    case .ring(let minimum, let maximum, let function):
      HashTableStorage(
        HashRing(fixture.hosts, minimum: minimum, maximum: maximum, function: function))
    case .maglev(let size):
      MaglevTable(fixture.hosts, size: size).flatMap { HashTableStorage($0) }
    }
  }

  @Test(arguments: HashFixture.all)
  func everyEntryIsEnvoys(_ fixture: HashFixture) throws {
    var got = Fingerprint()
    switch fixture.kind {
    case .ring(let minimum, let maximum, let function):
      let ring = HashRing(
        fixture.hosts, minimum: minimum, maximum: maximum, function: function)
      #expect(ring.hashes.count == fixture.size)
      #expect(ring.size == UInt64(fixture.size))
      #expect(ring.entriesPerHostMin == fixture.entriesMin)
      #expect(ring.entriesPerHostMax == fixture.entriesMax)
      for (hash, number) in zip(ring.hashes, ring.numbers) {
        got.add(hash)
        got.add(UInt16(number))
      }
    case .maglev(let size):
      let table = try #require(MaglevTable(fixture.hosts, size: size))
      #expect(table.numbers.count == fixture.size)
      #expect(UInt64(table.entriesPerHostMin) == fixture.entriesMin)
      #expect(UInt64(table.entriesPerHostMax) == fixture.entriesMax)
      for number in table.numbers { got.add(UInt16(truncatingIfNeeded: number)) }
    }
    #expect(got.value == fixture.fingerprint)
  }

  @Test(arguments: HashFixture.all)
  func everyChoiceIsEnvoys(_ fixture: HashFixture) throws {
    let storage = try #require(Self.storage(fixture))
    withExtendedLifetime(storage) {
      let table = storage.table.pointee
      #expect(fixture.picks.count == 40)
      for (key, want) in fixture.picks.enumerated() {
        #expect(table.pick(hash("user-\(key)")) == want, "user-\(key)")
      }
    }
  }

  @Test func aRingGoesAround() throws {
    let ring = HashRing(HashFixture.all[1].hosts, minimum: 64, function: .murmurHash2)
    let storage = try #require(HashTableStorage(ring))
    withExtendedLifetime(storage) {
      let table = storage.table.pointee
      let last = ring.hashes.count - 1
      for place in ring.hashes.indices {
        #expect(table.pick(ring.hashes[place]) == ring.numbers[place])
        #expect(table.pick(ring.hashes[place] - 1) == ring.numbers[place])
        #expect(table.pick(ring.hashes[place] + 1) == ring.numbers[place == last ? 0 : place + 1])
      }
      #expect(table.pick(0) == ring.numbers[0])
      #expect(table.pick(.max) == ring.numbers[0])
      // Attempts go on from there, around the end.
      for attempt in 0..<200 as Range<UInt32> {
        #expect(
          table.pick(ring.hashes[last], attempt: attempt)
            == ring.numbers[(last + Int(attempt)) % ring.numbers.count])
      }
      #expect(
        table.pick(.max, attempt: .max) == ring.numbers[Int(UInt32.max) % ring.numbers.count])
    }
  }

  @Test func attemptsOfATableSpread() throws {
    let maglev = try #require(MaglevTable(HashFixture.all[7].hosts, size: 1009))
    let storage = try #require(HashTableStorage(maglev))
    withExtendedLifetime(storage) {
      let table = storage.table.pointee
      let h = hash("someone")
      #expect(table.pick(h) == maglev.numbers[Int(h % 1009)])
      // ~0 - n + 1, as written in Envoy.
      for attempt in 1..<50 as Range<UInt64> {
        let mixed = h ^ (UInt64.max - attempt + 1)
        #expect(table.pick(h, attempt: UInt32(attempt)) == maglev.numbers[Int(mixed % 1009)])
      }
    }
  }

  static func equal(_ numbers: some Collection<UInt32>) -> [HashedHost] {
    let weights = NormalizedWeights.hosts([UInt32](repeating: 1, count: numbers.count))
    return zip(numbers, weights).map {
      HashedHost(number: $0, key: bytes("10.0.0.\($0):80"), weight: $1)
    }
  }

  /// Shares of keys that are with another host now: that had to move, and that had not.
  static func moved(
    _ before: HashTableStorage, _ after: HashTableStorage, gone: UInt32
  ) -> (needed: Double, needless: Double) {
    withExtendedLifetime((before, after)) {
      var needed = 0
      var needless = 0
      var random = FastRandom(seed: 13)
      for _ in 0..<20_000 {
        let h = random.next()
        let old = before.table.pointee.pick(h)
        let new = after.table.pointee.pick(h)
        if old == gone { needed += 1 } else if old != new { needless += 1 }
      }
      return (Double(needed) / 20_000, Double(needless) / 20_000)
    }
  }

  @Test(arguments: [3, 10, 50] as [UInt32])
  func removalMovesFewKeys(count: UInt32) throws {
    let all = Self.equal((0..<count).map { $0 })
    let left = Self.equal((0..<count).filter { $0 != 1 })
    // Rings of one size: each host that stays keeps its entries.
    let ring = Self.moved(
      try #require(HashTableStorage(HashRing(all, minimum: UInt64(count) * 200))),
      try #require(HashTableStorage(HashRing(left, minimum: UInt64(count - 1) * 200))), gone: 1)
    #expect(ring.needless == 0)
    #expect(ring.needed <= 1 / Double(count) + 0.05)
    let table = Self.moved(
      try #require(MaglevTable(all).flatMap { HashTableStorage($0) }),
      try #require(MaglevTable(left).flatMap { HashTableStorage($0) }), gone: 1)
    #expect(table.needless <= 0.02)
    #expect(table.needed + table.needless <= 1 / Double(count) + 0.02)
  }

  @Test func keysAreSharedByWeight() throws {
    let weights: [UInt32] = [1, 2, 3, 10]
    let hosts = zip(0..<4 as Range<UInt32>, NormalizedWeights.hosts(weights)).map {
      HashedHost(number: $0, key: bytes("host-\($0)"), weight: $1)
    }
    let storage = try #require(MaglevTable(hosts).flatMap { HashTableStorage($0) })
    var counts = [0, 0, 0, 0]
    var random = FastRandom(seed: 14)
    withExtendedLifetime(storage) {
      for _ in 0..<100_000 { counts[Int(storage.table.pointee.pick(random.next()))] += 1 }
    }
    #expect(follows(counts, weights.map { Double($0) }))
  }

  @Test func nobodyIsNoTable() throws {
    #expect(HashRing([]).hashes.isEmpty)
    #expect(HashTableStorage(HashRing([])) == nil)
    let empty = try #require(MaglevTable([]))
    #expect(empty.numbers.isEmpty)
    #expect(HashTableStorage(empty) == nil)
    let weightless = [HashedHost(number: 0, key: bytes("a"), weight: 0)]
    #expect(HashRing(weightless).hashes.isEmpty)
    #expect(try #require(MaglevTable(weightless)).numbers.isEmpty)
  }

  @Test func sizesOfRings() {
    let hosts = Self.equal(0..<7)
    // A whole number for each: ceil(64 / 7) * 7.
    #expect(HashRing(hosts, minimum: 64).hashes.count == 70)
    #expect(HashRing(hosts, minimum: 64, maximum: 64).size == 64)
    #expect(HashRing(hosts, minimum: 0).hashes.count == 7)
    // Fewer entries than hosts: some have none.
    let short = HashRing(hosts, minimum: 1, maximum: 3)
    #expect(short.hashes.count == 3)
    #expect(short.entriesPerHostMin == 0)
    #expect(short.entriesPerHostMax == 1)
    #expect(HashRing(hosts, minimum: 5, maximum: 0).hashes.count == 1)
    #expect(HashRing(Self.equal(0..<1), minimum: 64).numbers == [UInt32](repeating: 0, count: 64))
  }

  /// 1,000 hosts beside one that outweighs them four million to one.
  @Test func veryUnequalWeights() throws {
    let weights = [UInt32](repeating: 1, count: 1000) + [.max]
    let hosts = NormalizedWeights.hosts(weights).enumerated().map {
      HashedHost(number: UInt32($0), key: bytes("h\($0)"), weight: $1)
    }
    let ring = HashRing(hosts, minimum: 1024, maximum: 2000)
    // Sums of a thousand rounded parts: one entry more than the maximum, as in Envoy.
    #expect(ring.hashes.count == 2001)
    #expect(ring.numbers.filter { $0 == 1000 }.count >= 1999)
    let table = try #require(MaglevTable(hosts, size: 65537))
    // Everybody takes part in the first round, the heavy one in every round.
    #expect(table.entriesPerHostMin == 1)
    #expect(table.entriesPerHostMax == 64537)
  }

  @Test func aWeightNextToNothingEndsToo() throws {
    let hosts = [
      HashedHost(number: 0, key: bytes("a"), weight: 1),
      HashedHost(number: 1, key: bytes("b"), weight: 1e-300),
    ]
    let table = try #require(MaglevTable(hosts, size: 101))
    #expect(table.numbers.filter { $0 == 1 }.count == 1)
    let ring = HashRing(hosts, minimum: 10, maximum: 100)
    #expect(ring.numbers == [UInt32](repeating: 0, count: 100))
  }

  @Test func equalKeysShareTheirPlaces() throws {
    let hosts = NormalizedWeights.hosts([1, 1]).enumerated().map {
      HashedHost(number: UInt32($0), key: bytes("same"), weight: $1)
    }
    let table = try #require(MaglevTable(hosts, size: 101))
    #expect(table.entriesPerHostMin == 50)
    #expect(table.entriesPerHostMax == 51)
    let ring = HashRing(hosts, minimum: 10)
    #expect(ring.numbers == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
  }

  /// Envoy's loop, round by round over everybody.
  @Test func tablesAreFilledAsInEnvoy() throws {
    var random = FastRandom(seed: 15)
    for _ in 0..<40 {
      let count = Int(1 + random.below(30))
      let weights = (0..<count).map { _ in 1 + random.below(random.chance(50) ? 5 : 1000) }
      let hosts = NormalizedWeights.hosts(weights).enumerated().map {
        HashedHost(number: UInt32($0), key: bytes("\(random.next())"), weight: $1)
      }
      let size = MaglevTable.prime(atLeast: 2 + random.below(400))
      let sorted = hosts.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      let heaviest = hosts.map(\.weight).max() ?? 0
      var want = [UInt32](repeating: .max, count: Int(size))
      var next = [UInt64](repeating: 0, count: count)
      var targets = [Double](repeating: 0, count: count)
      var filled = 0
      var iteration = 1
      while filled < size {
        for i in 0..<count where filled < size {
          if Double(iteration) * sorted[i].weight < targets[i] { continue }
          targets[i] += heaviest
          let (offset, skip) = sorted[i].key.withUnsafeBufferPointer {
            let view = ByteView($0.baseAddress!, $0.count)
            return (
              xxHash64(view) % UInt64(size), xxHash64(view, seed: 1) % UInt64(size - 1) + 1
            )
          }
          while want[Int((offset + skip * next[i]) % UInt64(size))] != .max { next[i] += 1 }
          want[Int((offset + skip * next[i]) % UInt64(size))] = sorted[i].number
          next[i] += 1
          filled += 1
        }
        iteration += 1
      }
      #expect(try #require(MaglevTable(hosts, size: size)).numbers == want)
    }
  }

  @Test func sizesOfTablesArePrime() {
    let primes = (0..<2000 as Range<UInt32>).filter(MaglevTable.isPrime)
    let want = (2..<2000 as Range<UInt32>).filter { n in !(2..<n).contains { n % $0 == 0 } }
    #expect(primes == want)
    #expect(MaglevTable.isPrime(65537))
    #expect(MaglevTable.isPrime(5_000_011))
    #expect(!MaglevTable.isPrime(65536))
    #expect(MaglevTable.isPrime(4_294_967_291))
    #expect(!MaglevTable.isPrime(.max))
    #expect(MaglevTable.prime(atLeast: 65536) == 65537)
    #expect(MaglevTable.prime(atLeast: 0) == 2)
    #expect(MaglevTable.prime(atLeast: .max) == 5_000_011)
    for size in [0, 1, 4, 65536, 5_000_023, UInt32.max] { #expect(MaglevTable([], size: size) == nil) }
  }

  @Test func normalizedWeights() {
    #expect(NormalizedWeights.hosts([1, 3]) == [0.25, 0.75])
    #expect(NormalizedWeights.hosts([]) == [])
    #expect(NormalizedWeights.hosts([0, 0]) == [0, 0])
    #expect(NormalizedWeights.hosts([.max, .max, .max, .max]) == [0.25, 0.25, 0.25, 0.25])
    // The second has no hosts here, its part is nobody's; the third takes none.
    #expect(
      NormalizedWeights.localities([(1, [1, 1]), (2, []), (0, [5]), (1, [3, 1])])
        == [[0.125, 0.125], [], [0], [0.1875, 0.0625]])
    #expect(NormalizedWeights.localities([(0, [1])]) == [[0]])
  }
}
