import Primitives
import Proxy
import Reactor
import Stats

let balancerCases: [MicroCase] = [
  MicroCase("balancer-round-robin-of-100") { try choosing(.roundRobin) { _ in 1 } },
  MicroCase("balancer-weighted-round-robin-of-100") {
    try choosing(.roundRobin) { UInt32(1 + $0 % 7) }
  },
  MicroCase("balancer-random-of-100") { try choosing(.random) { _ in 1 } },
]

private func choosing(
  _ policy: BalanceSettings.Policy, weight: (Int) -> UInt32
) throws -> (Int) -> UInt64 {
  let registry = try StatsRegistry(slabCount: 2, options: .init(slabBytes: 1 << 22))
  let stats = HostStats(registry.makeScope(prefix: "host."))
  let hosts = (0..<100).compactMap { number -> Frozen<HostConfig>? in
    guard let address = SocketAddress("10.0.0.\(number):80"), let raw = KernelAddress(address)
    else { return nil }
    return Frozen(
      HostConfig(
        identity: UInt64(number), address: address, kernelAddress: raw, hostname: "",
        weight: weight(number), priority: 0, locality: HostConfig.Locality(), stats: stats))
  }
  var settings = BalanceSettings()
  settings.policy = policy
  let built = HostSetBuilder(settings).build(hosts, flags: hosts.map { _ in [] })
  let set = Unmanaged.passRetained(built).takeUnretainedValue().pointer
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
