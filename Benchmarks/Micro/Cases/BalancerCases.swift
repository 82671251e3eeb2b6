import Primitives
import Proxy
import Reactor
import Stats

let balancerCases: [MicroCase] = [
  MicroCase("balancer-round-robin-of-100") { try choosing(.roundRobin) { _ in 1 } },
  MicroCase("balancer-least-request-of-100") { try choosingByLoad(.leastRequest) { _ in 1 } },
  MicroCase("balancer-ring-of-1000") { try choosingByHash(.ringHash, of: 1000) },
  MicroCase("balancer-weighted-round-robin-of-100") {
    try choosing(.roundRobin) { UInt32(1 + $0 % 7) }
  },
  MicroCase("balancer-random-of-100") { try choosing(.random) { _ in 1 } },
]

/// A set of hosts, for ever.
private func hostSet(
  _ policy: BalanceSettings.Policy, of count: Int = 100, weight: (Int) -> UInt32
) throws -> UnsafeMutablePointer<HostSet> {
  let registry = try StatsRegistry(slabCount: 2, options: .init(slabBytes: 1 << 22))
  let stats = HostStats(registry.makeScope(prefix: "host."))
  let hosts = (0..<count).compactMap { number -> Frozen<HostConfig>? in
    guard let address = SocketAddress("10.0.\(number / 256).\(number % 256):80"), let raw = KernelAddress(address)
    else { return nil }
    return Frozen(
      HostConfig(
        identity: UInt64(number), address: address, kernelAddress: raw, hostname: "",
        weight: weight(number), priority: 0, locality: HostConfig.Locality(), stats: stats))
  }
  var settings = BalanceSettings()
  settings.policy = policy
  let built = HostSetBuilder(settings).build(hosts, flags: hosts.map { _ in [] })
  return Unmanaged.passRetained(built).takeUnretainedValue().pointer
}

private func choosing(
  _ policy: BalanceSettings.Policy, weight: (Int) -> UInt32
) throws -> (Int) -> UInt64 {
  let set = try hostSet(policy, weight: weight)
  return { count in
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var digest = Digest()
    let wish = HostWish()
    for _ in 0..<count { digest.add(UInt64(balancer.choose(set, &random, wish).raw)) }
    return digest.value
  }
}

private func choosingByLoad(
  _ policy: BalanceSettings.Policy, weight: (Int) -> UInt32
) throws -> (Int) -> UInt64 {
  let set = try hostSet(policy, weight: weight)
  let active = UnsafeMutablePointer<UInt32>.allocate(capacity: 100)
  for number in 0..<100 { (active + number).initialize(to: UInt32(1 + number % 5)) }
  return { count in
    var balancer = BalancerState()
    defer { balancer.reset() }
    var random = FastRandom(seed: 1)
    var digest = Digest()
    let wish = HostWish()
    for _ in 0..<count {
      digest.add(UInt64(balancer.choose(set, &random, wish, HostLoad()) { active[Int($0)] }.raw))
    }
    return digest.value
  }
}

private func choosingByHash(
  _ policy: BalanceSettings.Policy, of hostCount: Int
) throws -> (Int) -> UInt64 {
  let set = try hostSet(policy, of: hostCount) { _ in 1 }
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
