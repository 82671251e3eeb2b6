import Balancing
import Primitives
import Proxy
import Reactor
import Stats

let balancerCases: [MicroCase] = [
  MicroCase("balancer-round-robin-of-100") { try choosing(.roundRobin) { _ in 1 } },
  MicroCase("balancer-least-request-of-100") { try choosingByLoad(.leastRequest) },
  MicroCase("balancer-ring-of-1000") { try choosingByHash(.ringHash, of: 1000) },
  MicroCase("balancer-weighted-round-robin-of-100") {
    try choosing(.roundRobin) { UInt32(1 + $0 % 7) }
  },
  MicroCase("balancer-random-of-100") { try choosing(.random) { _ in 1 } },
  MicroCase("balancer-maglev-of-1000") { try choosingByHash(.maglev, of: 1000) },
  MicroCase("balancer-full-scan-of-100") {
    try choosingByLoad(.leastRequest) { $0.scansAll = true }
  },
  MicroCase("balancer-bounded-ring-of-100") {
    try choosingByLoad(.ringHash) { $0.hashing.boundedLoad = BoundedLoad(factor: 150) }
  },
  MicroCase("balancer-slow-start-of-100") {
    try choosingByLoad(.roundRobin, readySince: (0..<100).map { $0 < 90 ? 0 : 1_000_000_000 }) {
      $0.slowStart = SlowStart(window: 3_600_000_000_000)
    }
  },
  MicroCase("balancer-zones-of-100") { try choosingByZone { _ in } },
  MicroCase("balancer-locality-weights-of-100") { try choosingByZone { $0.usesLocalityWeights = true } },
]

/// A set of hosts, for ever.
private func hostSet(
  _ policy: BalanceSettings.Policy, of count: Int = 100, weight: (Int) -> UInt32 = { _ in 1 },
  zone: (Int) -> String = { _ in "" }, readySince: [UInt64] = [], own: OwnZone? = nil,
  _ set: (inout BalanceSettings) -> Void = { _ in }
) throws -> Frozen<HostSet> {
  let registry = try StatsRegistry(slabCount: 2, options: .init(slabBytes: 1 << 22))
  let stats = HostStats(registry.makeScope(prefix: "host."))
  let hosts = (0..<count).compactMap { number -> Frozen<HostConfig>? in
    guard let address = SocketAddress("10.0.\(number / 256).\(number % 256):80"), let raw = KernelAddress(address)
    else { return nil }
    return Frozen(
      HostConfig(
        identity: UInt64(number), address: address, kernelAddress: raw, hostname: "",
        weight: weight(number), priority: 0, locality: locality(zone(number)), stats: stats))
  }
  var settings = BalanceSettings()
  settings.policy = policy
  set(&settings)
  let built = HostSetBuilder(settings).build(
    hosts, flags: hosts.map { _ in [] }, readySince: readySince, now: readySince.max() ?? 0,
    localityWeights: Dictionary(
      uniqueKeysWithValues: zones.enumerated().map {
        (LevelLocality(priority: 0, locality: locality($1)), UInt32(1 + $0))
      }), own: own)
  return Unmanaged.passRetained(built).takeUnretainedValue()
}

private let zones = ["a", "b", "c"]

private func locality(_ zone: String) -> HostConfig.Locality {
  var locality = HostConfig.Locality()
  locality.zone = zone
  return locality
}

private func choosing(
  _ policy: BalanceSettings.Policy, weight: (Int) -> UInt32
) throws -> (Int) -> UInt64 {
  choices(of: try hostSet(policy, weight: weight).pointer)
}

private func choosingByHash(
  _ policy: BalanceSettings.Policy, of hostCount: Int
) throws -> (Int) -> UInt64 {
  let set = try hostSet(policy, of: hostCount).pointer
  return { count in
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var digest = Digest()
    // The hash itself is another case's: that of a header.
    for _ in 0..<count { digest.add(UInt64(balancer.choose(set, &random, HostWish(hash: random.next())).raw)) }
    return digest.value
  }
}

/// Hosts in three zones, twice as many in the own one as it needs: most choices stay there, some do not.
private func choosingByZone(_ set: (inout BalanceSettings) -> Void) throws -> (Int) -> UInt64 {
  let members = try hostSet(.roundRobin, of: 12, zone: { zones[$0 % 3] })
  let own = OwnZone(locality("a"), members)
  return choices(of: try hostSet(.roundRobin, zone: { zones[$0 % 3] }, own: own, set).pointer)
}

private func choices(of set: UnsafeMutablePointer<HostSet>) -> (Int) -> UInt64 {
  { count in
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var digest = Digest()
    let wish = HostWish()
    for _ in 0..<count { digest.add(UInt64(balancer.choose(set, &random, wish).raw)) }
    return digest.value
  }
}

/// Hosts that have requests already.
private func choosingByLoad(
  _ policy: BalanceSettings.Policy, readySince: [UInt64] = [], _ set: (inout BalanceSettings) -> Void = { _ in }
) throws -> (Int) -> UInt64 {
  let hosts = try hostSet(policy, readySince: readySince, set).pointer
  let active = UnsafeMutablePointer<UInt32>.allocate(capacity: 100)
  for number in 0..<100 { (active + number).initialize(to: UInt32(1 + number % 5)) }
  let hashes = hosts.pointee.settings.policy.hashes
  return { count in
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var digest = Digest()
    for _ in 0..<count {
      let wish = HostWish(hash: hashes ? random.next() : nil)
      let load = HostLoad(now: readySince.max() ?? 0, active: 300)
      digest.add(UInt64(balancer.choose(hosts, &random, wish, load) { active[Int($0)] }.raw))
    }
    return digest.value
  }
}
