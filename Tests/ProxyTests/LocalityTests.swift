import Balancing
import HostHealth
import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

/// Localities in host sets, and turns among them.
@Suite struct LocalityTests {
  private let registry: StatsRegistry

  init() throws { registry = try StatsRegistry(slabCount: 1) }

  private static func locality(_ zone: String) -> HostConfig.Locality {
    var locality = HostConfig.Locality()
    locality.zone = zone
    return locality
  }

  private func hosts(_ zones: [String], priority: UInt32 = 0) throws -> [Frozen<HostConfig>] {
    let stats = HostStats(registry.makeScope(prefix: "host."))
    return try zones.enumerated().map { index, zone in
      let address = SocketAddress.ip(IPAddress(v4: 0x7F00_0001), port: UInt16(index + 1))
      return Frozen(
        HostConfig(
          identity: UInt64(index), address: address, kernelAddress: try #require(KernelAddress(address)),
          hostname: "", weight: 1, priority: priority, locality: Self.locality(zone), stats: stats))
    }
  }

  private var weighted: BalanceSettings {
    var settings = BalanceSettings()
    settings.usesLocalityWeights = true
    return settings
  }

  private func weights(_ values: [String: UInt32]) -> [LevelLocality: UInt32] {
    Dictionary(uniqueKeysWithValues: values.map { (LevelLocality(priority: 0, locality: Self.locality($0)), $1) })
  }

  private func picks(_ count: Int, _ set: Frozen<HostSet>, _ balancer: inout BalancerState) -> [Int] {
    var random = FastRandom(seed: 7)
    var counts = [Int](repeating: 0, count: set.pointer.pointee.hosts.buffer.count)
    for _ in 0..<count {
      let host = Int(balancer.choose(set.pointer, &random).host)
      if host >= 0 { counts[host] += 1 }
    }
    return counts
  }

  @Test func localitiesAreTogetherHoweverHostsAreOrdered() throws {
    let set = HostSetBuilder(weighted).build(
      try hosts(["b", "a", "b", "a", "c"]), flags: Array(repeating: [], count: 5), localityWeights: weights(["a": 1, "b": 2, "c": 1]))
    #expect(set.pointer.pointee.localityNames?.names.map(\.zone) == ["a", "b", "c"])
    #expect(set.pointer.pointee.localities.buffer.map(\.hosts.total) == [2, 2, 1])
    var balancer = BalancerState()
    defer { balancer.reset() }
    #expect(picks(400, set, &balancer) == [100, 50, 100, 50, 100])
  }

  /// A change of health moves the turns of nobody else; a locality without hosts is left out and comes back.
  @Test func turnsAmongLocalitiesGoOn() throws {
    let hosts = try hosts(["a", "b", "b", "c"])
    let builder = HostSetBuilder(weighted)
    let shares = weights(["a": 1, "b": 1, "c": 2])
    let all = builder.build(hosts, flags: [[], [], [], []], localityWeights: shares)
    var balancer = BalancerState()
    defer { balancer.reset() }
    #expect(picks(40, all, &balancer) == [10, 5, 5, 20])
    let without = builder.build(hosts, flags: [[], [], [], .failedActiveCheck], localityWeights: shares, after: all)
    balancer.adopt(without.pointer, after: all.pointer)
    #expect(picks(40, without, &balancer) == [20, 10, 10, 0])
    let again = builder.build(hosts, flags: [[], [], [], []], localityWeights: shares, after: without)
    #expect(again.pointer.pointee.localityNames === all.pointer.pointee.localityNames)
    balancer.adopt(again.pointer, after: without.pointer)
    let counts = picks(400, again, &balancer)
    #expect(zip(counts, [100, 50, 50, 200]).allSatisfy { abs($0 - $1) <= 2 }, "\(counts)")
    // The same again is the same set; other weights are another.
    #expect(builder.build(hosts, flags: [[], [], [], []], localityWeights: shares, after: again) === again)
    let other = builder.build(hosts, flags: [[], [], [], []], localityWeights: weights(["a": 1]), after: again)
    #expect(other !== again)
    balancer.adopt(other.pointer, after: again.pointer)
    #expect(picks(10, other, &balancer) == [10, 0, 0, 0])
  }

  @Test func oneThatHasNoWeightsAtAllTakesTurnsOfHosts() throws {
    let set = HostSetBuilder(weighted).build(try hosts(["a", "b", "b"]), flags: [[], [], []])
    var balancer = BalancerState()
    defer { balancer.reset() }
    #expect(picks(30, set, &balancer) == [10, 10, 10])
  }

  @Test func tablesOfLocalitiesAreSharedWhileNothingChanges() throws {
    var settings = weighted
    settings.policy = .maglev
    let hosts = try hosts(["a", "b", "b"])
    let builder = HostSetBuilder(settings)
    let one = builder.build(hosts, flags: [[], [], []], localityWeights: weights(["a": 1, "b": 1]))
    let draining = builder.build(
      hosts, flags: [[], [], .degradedDiscovery], localityWeights: weights(["a": 1, "b": 1]), after: one)
    let back = builder.build(hosts, flags: [[], [], []], localityWeights: weights(["a": 1, "b": 1]), after: one)
    #expect(back === one)
    #expect(draining.pointer.pointee.hashed.buffer.compactMap { $0 }.count == 2)
    let heavier = builder.build(hosts, flags: [[], [], []], localityWeights: weights(["a": 3, "b": 1]), after: one)
    let tables = (one.pointer.pointee.hashed.buffer.compactMap { $0 }, heavier.pointer.pointee.hashed.buffer.compactMap { $0 })
    #expect(tables.0.count == 1 && tables.1.count == 1 && tables.0[0] !== tables.1[0])
    #expect(tables.1[0].weights == [0.75, 0.125, 0.125])
  }

  /// The own zone's set is a function of the own cluster's hosts: other states of them, another zone.
  @Test func ownZones() throws {
    let members = try hosts(["a", "a", "b"])
    let builder = HostSetBuilder(BalanceSettings())
    let set = builder.build(members, flags: [[], [], []])
    let own = OwnZone(Self.locality("a"), set)
    #expect(own == OwnZone(Self.locality("a"), builder.build(try hosts(["a", "a", "b"]), flags: [[], [], []])))
    #expect(own != OwnZone(Self.locality("b"), set))
    #expect(own != OwnZone(Self.locality("a"), builder.build(members, flags: [[], [], .failedDiscovery])))
    #expect(!own.isPanic(threshold: 50))
    #expect(OwnZone(Self.locality("a"), builder.build(members, flags: [[], .failedDiscovery, .failedDiscovery])).isPanic(threshold: 50))
  }

  /// A choice tells whoever counts what zones had to do with it.
  @Test func choicesSayWhatZonesDid() throws {
    let own = OwnZone(Self.locality("a"), HostSetBuilder(BalanceSettings()).build(try hosts(["a", "b"]), flags: [[], []]))
    let set = HostSetBuilder(BalanceSettings()).build(
      try hosts(["a", "b", "a", "b", "a", "b"]), flags: Array(repeating: [], count: 6), own: own)
    #expect(set.pointer.pointee.only == -1)
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    for _ in 0..<30 {
      let choice = balancer.choose(set.pointer, &random)
      #expect(!choice.isPlain && choice.zone == .direct && choice.host % 2 == 0)
    }
  }
}
