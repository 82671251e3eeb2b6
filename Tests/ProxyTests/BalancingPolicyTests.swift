import Balancing
import HostHealth
import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

/// What each policy makes of a host set and of a worker's load.
@Suite struct BalancingPolicyTests {
  private let registry: StatsRegistry

  init() throws { registry = try StatsRegistry(slabCount: 1) }

  private func hosts(
    _ weights: [UInt32], priority: (Int) -> UInt32 = { _ in 0 }, key: (Int) -> String? = { _ in nil },
    hostname: (Int) -> String = { _ in "" }
  ) throws -> [Frozen<HostConfig>] {
    let stats = HostStats(registry.makeScope(prefix: "host."))
    return try weights.enumerated().map { index, weight in
      let address = SocketAddress.ip(IPAddress(v4: 0x7F00_0001), port: UInt16(index + 1))
      var config = HostConfig(
        identity: UInt64(index), address: address, kernelAddress: try #require(KernelAddress(address)),
        hostname: hostname(index), weight: weight, priority: priority(index), locality: HostConfig.Locality(),
        stats: stats)
      config.hashKey = key(index).map { FrozenText($0) }
      return Frozen(config)
    }
  }

  private func build(
    _ hosts: [Frozen<HostConfig>], flags: [HostFlags]? = nil, readySince: [UInt64] = [], now: UInt64 = 0,
    after previous: Frozen<HostSet>? = nil, _ change: (inout BalanceSettings) -> Void
  ) -> Frozen<HostSet> {
    var settings = BalanceSettings()
    change(&settings)
    return HostSetBuilder(settings).build(
      hosts, flags: flags ?? hosts.map { _ in [] }, readySince: readySince, now: now, after: previous)
  }

  private func counts(
    _ picks: Int, _ set: Frozen<HostSet>, seed: UInt64 = 7, hash: UInt64? = nil, load: HostLoad = HostLoad(),
    activeOf: (UInt32) -> UInt32 = { _ in 0 }
  ) -> [Int] {
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: seed)
    var counts = [Int](repeating: 0, count: set.pointer.pointee.hosts.buffer.count)
    for _ in 0..<picks {
      let choice = balancer.choose(set.pointer, &random, HostWish(hash: hash), load, activeOf: activeOf)
      if choice.host >= 0 { counts[Int(choice.host)] += 1 }
    }
    return counts
  }

  // MARK: Least request

  @Test func theLeastBusyOfTwo() throws {
    let set = build(try hosts([3, 3, 3, 3])) { $0.policy = .leastRequest }
    // Only the first has nothing to do: it wins unless neither sample is it.
    let counts = counts(16_000, set) { $0 == 0 ? 0 : 5 }
    #expect(abs(counts[0] - 7000) < 400)
    #expect(counts[1...].allSatisfy { abs($0 - 3000) < 400 })
  }

  @Test func theLeastBusyOfAll() throws {
    let set = build(try hosts([1, 1, 1, 1])) {
      $0.policy = .leastRequest
      $0.scansAll = true
    }
    let counts = counts(1000, set) { [4, 2, 3, 2][Int($0)] }
    #expect(counts[0] == 0 && counts[2] == 0)
    #expect(abs(counts[1] - 500) < 100)
  }

  @Test(arguments: [(1.0, [2, 2, 4]), (0.0, [4, 2, 4]), (2.0, [1, 2, 4])])
  func weightsShrinkWithLoad(bias: Double, shares: [Int]) throws {
    let set = build(try hosts([4, 2, 4])) {
      $0.policy = .leastRequest
      $0.leastRequest = LeastRequest(activeRequestBias: bias)
    }
    let total = shares.reduce(0, +)
    let counts = counts(total * 50, set) { $0 == 0 ? 1 : 0 }
    for (count, share) in zip(counts, shares) { #expect(abs(count - share * 50) <= 2) }
  }

  @Test func listsOfOtherLevelsHaveTheirOwnHosts() throws {
    // The busy host of level 1 is found by its index, not by its position.
    let hosts = try hosts([1, 1, 1, 1]) { $0 < 2 ? 0 : 1 }
    let set = build(hosts, flags: [.failedDiscovery, .failedDiscovery, [], []]) {
      $0.policy = .leastRequest
      $0.scansAll = true
    }
    #expect(counts(100, set) { $0 == 2 ? 9 : 0 } == [0, 0, 0, 100])
  }

  // MARK: Workers

  /// 8 workers at a low rate: however requests fall on them, hosts differ by at most one turn a worker.
  @Test(arguments: [3, 10, 100], [false, true])
  func workersStayLevel(count: Int, isWeighted: Bool) throws {
    let set = build(try hosts((0..<count).map { isWeighted && $0 % 2 == 1 ? 2 : 1 })) { _ in }
    var workers = (0..<8).map { BalancerState(TurnsStart(digest: 0x1234_5678, worker: $0, workers: 8)) }
    defer { for i in workers.indices { workers[i].reset() } }
    var random = FastRandom(seed: UInt64(count))
    var counts = [Int](repeating: 0, count: count)
    for _ in 0..<50 * count {
      let worker = Int(random.below(8))
      counts[Int(workers[worker].choose(set.pointer, &random).host)] += 1
    }
    // Of hosts of one weight.
    for start in 0..<(isWeighted ? 2 : 1) {
      let alike = stride(from: start, to: count, by: isWeighted ? 2 : 1).map { counts[$0] }
      #expect((alike.max() ?? 0) - (alike.min() ?? 0) <= 8)
    }
  }

  @Test func firstRequestsOfWorkersReachDifferentHosts() throws {
    let set = build(try hosts([UInt32](repeating: 1, count: 16))) { _ in }
    var random = FastRandom(seed: 1)
    var seen: Set<Int32> = []
    for worker in 0..<8 as Range<UInt32> {
      var balancer = BalancerState(TurnsStart(digest: 99, worker: worker, workers: 8))
      defer { balancer.reset() }
      for _ in 0..<2 { seen.insert(balancer.choose(set.pointer, &random).host) }
    }
    #expect(seen.count == 16)
  }

  // MARK: Slow start

  private static let second: UInt64 = 1_000_000_000

  /// Three old hosts and one that came 30 of 60 s ago, then 60 s ago.
  @Test(arguments: [BalanceSettings.Policy.roundRobin, .leastRequest])
  func newHostsGrow(policy: BalanceSettings.Policy) throws {
    let hosts = try hosts([1, 1, 1, 1])
    let since = [0, 0, 0, 100 * Self.second]
    let set = build(hosts, readySince: since, now: 100 * Self.second) {
      $0.policy = policy
      $0.slowStart = SlowStart(window: 60 * Self.second)
    }
    #expect(set.pointer.pointee.startingUntil == 160 * Self.second)
    // A tenth at first, then in proportion to time.
    #expect(abs(counts(310, set, load: HostLoad(now: 100 * Self.second))[3] - 10) <= 1)
    #expect(abs(counts(350, set, load: HostLoad(now: 130 * Self.second))[3] - 50) <= 1)
    // Over: turns, or the least busy, as if nothing had been.
    let after = counts(4000, set, load: HostLoad(now: 160 * Self.second)) { $0 == 0 ? 0 : 9 }
    if policy == .roundRobin {
      #expect(after == [1000, 1000, 1000, 1000])
    } else {
      #expect(abs(after[0] - 1750) < 200 && abs(after[3] - 750) < 200)
    }
    let later = build(hosts, readySince: since, now: 200 * Self.second, after: set) {
      $0.policy = policy
      $0.slowStart = SlowStart(window: 60 * Self.second)
    }
    #expect(later.pointer.pointee.startingUntil == 0)
    #expect(later.pointer.pointee.words.buffer.isEmpty)
  }

  @Test func hostsThatAreAllNewHaveAllOfIt() throws {
    let set = build(try hosts([1, 1]), readySince: [5, 5], now: 5) { $0.slowStart = SlowStart(window: 100) }
    #expect(set.pointer.pointee.startingUntil == 0)
    #expect(set.pointer.pointee.lists.buffer[0].kind == .turns)
  }

  @Test func weightedHostsGrowToo() throws {
    let set = build(try hosts([2, 4]), readySince: [0, 100 * Self.second], now: 100 * Self.second) {
      $0.slowStart = SlowStart(window: 60 * Self.second, minimumPercent: 25)
    }
    #expect(abs(counts(300, set, load: HostLoad(now: 100 * Self.second))[1] - 100) <= 1)
    #expect(abs(counts(300, set, load: HostLoad(now: 160 * Self.second))[1] - 200) <= 1)
  }

  // MARK: Hashes

  static let hashing: [BalanceSettings.Policy] = [.ringHash, .maglev]

  @Test(arguments: hashing)
  func aHashNamesAHost(policy: BalanceSettings.Policy) throws {
    let set = build(try hosts([1, 1, 1, 1, 1])) { $0.policy = policy }
    var chosen: Set<Int> = []
    for key in 0..<100 as Range<UInt64> {
      let hash = key &* 0x9E37_79B9_7F4A_7C15
      let counts = counts(5, set, hash: hash)
      #expect(counts.contains(5))
      chosen.insert(counts.firstIndex(of: 5) ?? -1)
    }
    #expect(chosen.count == 5)
    // Without one, anybody.
    #expect(counts(500, set).allSatisfy { $0 > 40 })
  }

  /// Keys of the host that goes move, and few others.
  @Test(arguments: hashing)
  func otherKeysStay(policy: BalanceSettings.Policy) throws {
    let hosts = try hosts([1, 1, 1, 1, 1])
    let all = build(hosts) { $0.policy = policy }
    let fewer = build(hosts, flags: [[], [], .failedDiscovery, [], []], after: all) { $0.policy = policy }
    var moved = 0
    for key in 0..<2000 as Range<UInt64> {
      let hash = key &* 0x9E37_79B9_7F4A_7C15
      let before = counts(1, all, hash: hash)
      let after = counts(1, fewer, hash: hash)
      #expect(after[2] == 0)
      if before != after, before[2] == 0 { moved += 1 }
    }
    // A ring of four hosts gives each a quarter more entries, which take a fifth of the keys; a table moves a few.
    #expect(moved < (policy == .ringHash ? 400 : 100))
  }

  @Test(arguments: hashing)
  func keysStandForHosts(policy: BalanceSettings.Policy) throws {
    let plain = build(try hosts([1, 1, 1])) { $0.policy = policy }
    let named = build(try hosts([1, 1, 1], hostname: { "h\(2 - $0)" })) {
      $0.policy = policy
      $0.hashing.usesHostnames = true
    }
    let keyed = build(try hosts([1, 1, 1], key: { "h\($0)" }, hostname: { _ in "x" })) {
      $0.policy = policy
      $0.hashing.usesHostnames = true
    }
    // No hostname: the address.
    let unnamed = build(try hosts([1, 1, 1])) {
      $0.policy = policy
      $0.hashing.usesHostnames = true
    }
    for key in 0..<100 as Range<UInt64> {
      let hash = key &* 0x9E37_79B9_7F4A_7C15
      #expect(counts(1, named, hash: hash) == counts(1, keyed, hash: hash).reversed())
      #expect(counts(1, plain, hash: hash) == counts(1, unnamed, hash: hash))
    }
  }

  /// Places further on the ring, or other places of the table.
  @Test(arguments: hashing)
  func attemptsGoFurther(policy: BalanceSettings.Policy) throws {
    let set = build(try hosts([1, 1, 1, 1])) { $0.policy = policy }
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var different = 0
    for key in 0..<200 as Range<UInt64> {
      var wish = HostWish(hash: key &* 0x9E37_79B9_7F4A_7C15)
      let first = balancer.choose(set.pointer, &random, wish).host
      let seen = Set(
        (1...20 as ClosedRange<UInt32>).map { attempt -> Int32 in
          wish.attempt = attempt
          return balancer.choose(set.pointer, &random, wish).host
        })
      #expect(seen.count > 2)
      wish.attempt = 1
      if balancer.choose(set.pointer, &random, wish).host != first { different += 1 }
    }
    #expect(abs(different - 150) < 40)
  }

  /// A key stays with its level; a level in panic has a ring of all its hosts.
  @Test(arguments: hashing)
  func levelsHaveTablesOfTheirOwn(policy: BalanceSettings.Policy) throws {
    let hosts = try hosts([1, 1, 1, 1, 1, 1]) { $0 < 4 ? 0 : 1 }
    let flags: [HostFlags] = [[], [], .failedDiscovery, .failedDiscovery, [], []]
    // Level 0 has 70 %, level 1 the rest.
    let set = build(hosts, flags: flags) { $0.policy = policy }
    for key in 0..<500 as Range<UInt64> {
      let hash = key &* 0x9E37_79B9_7F4A_7C15
      let counts = counts(1, set, hash: hash)
      #expect(counts[2] + counts[3] == 0)
      #expect((counts[4] + counts[5] == 1) == (hash % 100 >= 70))
    }
    let panic = build(try self.hosts([1, 1, 1, 1]), flags: [[], .failedDiscovery, .failedDiscovery, .failedDiscovery]) {
      $0.policy = policy
    }
    #expect(panic.pointer.pointee.levels.buffer[0].share.isPanic)
    #expect(counts(400, panic).allSatisfy { $0 > 40 })
    // Nobody is healthy: those that are degraded have a table too.
    let degraded = build(try self.hosts([1, 1]), flags: [.degradedDiscovery, .degradedDiscovery]) { $0.policy = policy }
    #expect(counts(100, degraded).allSatisfy { $0 > 20 })
    #expect(counts(10, degraded, hash: 77).contains(10))
  }

  @Test(arguments: hashing)
  func nobodyIsNobody(policy: BalanceSettings.Policy) throws {
    let set = build([]) { $0.policy = policy }
    #expect(counts(3, set, hash: 5) == [])
    #expect(hashCounts(set) == nil)
    let down = build(try hosts([1]), flags: [.failedDiscovery]) {
      $0.policy = policy
      $0.levels.panicThreshold = 0
    }
    #expect(counts(3, down, hash: 5) == [0])
  }

  @Test(arguments: hashing)
  func fullHostsPassOn(policy: BalanceSettings.Policy) throws {
    let set = build(try hosts([1, 1, 1, 1])) {
      $0.policy = policy
      $0.hashing.boundedLoad = BoundedLoad(factor: 125)
    }
    let hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    var active = [UInt32](repeating: 0, count: 4)
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    for total in 0..<400 as Range<UInt32> {
      let host = balancer.choose(set.pointer, &random, HostWish(hash: hash), HostLoad(active: total)) { active[Int($0)] }.host
      active[Int(host)] += 1
      let slots = BoundedLoad(factor: 125).slots(active: total, weight: 0.25)
      #expect(Double(active[Int(host)]) <= slots + 1)
    }
    #expect(active.allSatisfy { $0 > 0 })
  }

  @Test(arguments: hashing)
  func tablesAreSharedWhileListsAreTheSame(policy: BalanceSettings.Policy) throws {
    func table(_ set: Frozen<HostSet>, _ level: Int) -> UnsafePointer<HashTable>? {
      let level = set.pointer.pointee.levels.buffer[level]
      return set.pointer.pointee.lists.buffer[Int(level.share.isPanic ? level.all : level.healthy)].table
    }
    let hosts = try hosts([1, 2, 1, 1, 1, 1]) { $0 < 4 ? 0 : 1 }
    let first = build(hosts) { $0.policy = policy }
    #expect(table(first, 0) != nil && table(first, 1) != nil)
    // A host of level 1 goes: level 0's table stays. Then the host is back: a new table.
    let second = build(hosts, flags: [[], [], [], [], [], .failedDiscovery], after: first) { $0.policy = policy }
    #expect(table(second, 0) == table(first, 0))
    #expect(table(second, 1) != table(first, 1))
    // Membership changes in front of level 1: its positions stay.
    let fewer = build(Array(hosts[1...]), after: first) { $0.policy = policy }
    #expect(table(fewer, 0) != table(first, 0))
    #expect(table(fewer, 1) == table(first, 1))
    #expect(counts(100, fewer, hash: 99).reduce(0, +) == 100)
    // Other settings make other tables.
    let other = build(hosts, after: first) {
      $0.policy = policy
      $0.hashing.ringMinimum = 2000
      $0.hashing.tableSize = 101
    }
    #expect(table(other, 0) != table(first, 0))
  }

  @Test func sizesAreThoseOfTheLastLevel() throws {
    let hosts = try hosts([1, 1, 1, 1, 1]) { $0 < 3 ? 0 : 1 }
    let ring = build(hosts) { $0.policy = .ringHash }
    #expect(hashCounts(ring) == HashCounts(size: 1024, minimum: 512, maximum: 512))
    let maglev = build(hosts) { $0.policy = .maglev }
    #expect(hashCounts(maglev) == HashCounts(size: 65537, minimum: 32768, maximum: 32769))
    #expect(hashCounts(build(hosts) { _ in }) == nil)
  }

  /// A set that is only made lives no longer than its last use.
  private func hashCounts(_ set: Frozen<HostSet>) -> HashCounts? {
    withExtendedLifetime(set) { set.pointer.pointee.hashCounts }
  }
}
