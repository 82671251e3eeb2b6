import Balancing
import HostHealth
import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

/// Which hosts of a set are chosen, and what of the turns survives a change of it.
@Suite struct BalancerStateTests {
  private let registry: StatsRegistry

  init() throws { registry = try StatsRegistry(slabCount: 1) }

  private func hosts(_ weights: [UInt32], priority: (Int) -> UInt32 = { _ in 0 }) throws -> [Frozen<HostConfig>] {
    let stats = HostStats(registry.makeScope(prefix: "host."))
    return try weights.enumerated().map { index, weight in
      let address = SocketAddress.ip(IPAddress(v4: 0x7F00_0001), port: UInt16(index + 1))
      return Frozen(
        HostConfig(
          identity: UInt64(index), address: address, kernelAddress: try #require(KernelAddress(address)),
          hostname: "", weight: weight, priority: priority(index), locality: HostConfig.Locality(), stats: stats))
    }
  }

  private func settings(
    _ policy: BalanceSettings.Policy = .roundRobin, panicThreshold: UInt32 = 50
  ) -> BalanceSettings {
    var settings = BalanceSettings()
    settings.policy = policy
    settings.levels.panicThreshold = panicThreshold
    return settings
  }

  private func picks(
    _ count: Int, of set: Frozen<HostSet>, _ balancer: inout BalancerState, _ random: inout FastRandom
  ) -> [Int32] {
    (0..<count).map { _ in balancer.choose(set.pointer, &random).host }
  }

  @Test func equalHostsTakeTurns() throws {
    let set = HostSetBuilder(settings()).build(try hosts([2, 2, 2]), flags: [[], [], []])
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 3)
    let first = picks(3, of: set, &balancer, &random)
    #expect(first.sorted() == [0, 1, 2])
    for _ in 0..<5 { #expect(picks(3, of: set, &balancer, &random) == first) }
    #expect(set.pointer.pointee.weights.buffer.isEmpty)
  }

  @Test func weightsAreKeptOverEveryWindow() throws {
    let set = HostSetBuilder(settings()).build(try hosts([1, 2, 5]), flags: [[], [], []])
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 3)
    for _ in 0..<20 {
      let window = picks(8, of: set, &balancer, &random)
      #expect((0..<3).map { host in window.count { $0 == host } } == [1, 2, 5])
    }
  }

  /// Turns go on where they were when hosts fall out and return, whatever list they are in.
  @Test func turnsSurviveAChangeOfHealth() throws {
    let builder = HostSetBuilder(settings())
    let hosts = try hosts([1, 1, 1, 1])
    let all = builder.build(hosts, flags: [[], [], [], []])
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 9)
    let last = picks(6, of: all, &balancer, &random)[5]
    let again = builder.build(hosts, flags: [[], [], [], .degradedDiscovery], after: all)
    balancer.adopt(again.pointer, after: all.pointer)
    let back = builder.build(hosts, flags: [[], [], [], []], after: again)
    balancer.adopt(back.pointer, after: again.pointer)
    #expect(picks(1, of: back, &balancer, &random) == [(last + 1) % 4])
  }

  /// A heavy host that leaves and comes back gets its share, the others keep theirs, and nothing is
  /// sent to it meanwhile.
  @Test func schedulesAreRepaired() throws {
    let builder = HostSetBuilder(settings())
    let hosts = try hosts([1, 2, 3, 4])
    var set = builder.build(hosts, flags: [[], [], [], []])
    let storage = set.pointer.pointee.hosts
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 5)
    for round in 0..<50 {
      let window = picks(40, of: set, &balancer, &random)
      let flags = set.pointer.pointee.flags.buffer
      for host in 0..<4 {
        let share = window.count { $0 == Int32(host) }
        guard flags[host].isEmpty else {
          #expect(share == 0, "a host that is out was chosen")
          continue
        }
        let total = (0..<4).reduce(0) { $0 + (flags[$1].isEmpty ? $1 + 1 : 0) }
        #expect(abs(share - 40 * (host + 1) / total) <= 1, "round \(round), host \(host)")
      }
      let next = builder.build(
        hosts, flags: (0..<4).map { $0 == round % 4 && round % 3 > 0 ? .failedOutlierCheck : [] }, after: set)
      #expect(next.pointer.pointee.hosts.isSame(as: storage))
      balancer.adopt(next.pointer, after: set.pointer)
      set = next
    }
  }

  @Test func aListThatChangesItsKindBeginsAnew() throws {
    let hosts = try hosts([1, 1, 9])
    let builder = HostSetBuilder(settings(panicThreshold: 0))
    let mixed = builder.build(hosts, flags: [[], [], []])
    let equal = builder.build(hosts, flags: [[], [], .failedDiscovery], after: mixed)
    let random = HostSetBuilder(settings(.random)).build(hosts, flags: [[], [], []], after: equal)
    var balancer = BalancerState()
    defer { balancer.reset() }
    var numbers = FastRandom(seed: 5)
    _ = picks(4, of: mixed, &balancer, &numbers)
    balancer.adopt(equal.pointer, after: mixed.pointer)
    #expect(Set(picks(2, of: equal, &balancer, &numbers)) == [0, 1])
    balancer.adopt(random.pointer, after: equal.pointer)
    #expect(Set(picks(200, of: random, &balancer, &numbers)) == [0, 1, 2])
    balancer.adopt(mixed.pointer, after: random.pointer)
    #expect(picks(11, of: mixed, &balancer, &numbers).count { $0 == 2 } == 9)
  }

  @Test func otherHostsMakeOtherSchedules() throws {
    let many = HostSetBuilder(settings()).build(try hosts([1, 2, 3, 4, 5]), flags: [[], [], [], [], []])
    let few = HostSetBuilder(settings()).build(
      try hosts([3, 1], priority: { UInt32($0 * 3) }), flags: [[], []], after: many)
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 5)
    _ = picks(7, of: many, &balancer, &random)
    balancer.adopt(few.pointer, after: many.pointer)
    #expect(Set(picks(9, of: few, &balancer, &random)) == [0])
    balancer.adopt(many.pointer, after: few.pointer)
    #expect(picks(15, of: many, &balancer, &random).count { $0 == 4 } == 5)
  }

  @Test func anUnchangedSetIsTheSameObject() throws {
    let builder = HostSetBuilder(settings())
    let hosts = try hosts([1, 2])
    let set = builder.build(hosts, flags: [[], []])
    #expect(builder.build(hosts, flags: [[], []], after: set) === set)
    let other = builder.build(hosts, flags: [[], .failedDiscovery], after: set)
    #expect(other !== set)
    #expect(other.pointer.pointee.hosts.isSame(as: set.pointer.pointee.hosts))
    #expect(HostSetBuilder(settings(.random)).build(hosts, flags: [[], []], after: set) !== set)
    #expect(builder.build(hosts.reversed(), flags: [[], []], after: set) !== set)
  }

  @Test func nobodyIsChosenOfNobody() {
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 5)
    #expect(picks(3, of: HostSet.nobody, &balancer, &random) == [-1, -1, -1])
    let none = HostSetBuilder(settings(panicThreshold: 0)).build([], flags: [])
    #expect(picks(3, of: none, &balancer, &random) == [-1, -1, -1])
  }

  /// A hash decides the level: the same one each time.
  @Test func aKeyStaysWithItsLevel() throws {
    // Half of the first level is up: 70 % stay.
    let set = HostSetBuilder(settings(panicThreshold: 0)).build(
      try hosts([1, 1, 1, 1], priority: { UInt32($0 / 2) }), flags: [[], .failedDiscovery, [], []])
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 5)
    for hash in UInt64(0)..<200 {
      let isFirst = hash % 100 < 70
      for _ in 0..<3 {
        let choice = balancer.choose(set.pointer, &random, HostWish(hash: hash))
        #expect((choice.host == 0) == isFirst, "hash \(hash)")
        #expect(!choice.isPanic)
      }
    }
  }
}
