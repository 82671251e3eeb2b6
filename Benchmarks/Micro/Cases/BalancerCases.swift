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
  _ policy: ClusterConfig.LoadBalancing, weight: (Int) -> UInt32
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
  var config = ClusterConfig(
    slot: 0, name: "c", statName: "c",
    stats: ClusterStats(registry.makeScope(prefix: "cluster.c.")), shared: ClusterShared(),
    hosts: hosts)
  config.loadBalancing = policy
  let cluster = Unmanaged.passRetained(Frozen(config)).takeUnretainedValue().pointer
  return { count in
    var balancer = LoadBalancer()
    var random = FastRandom(seed: 1)
    var digest = Digest()
    for _ in 0..<count {
      guard let host = balancer.choose(cluster, &random) else {
        preconditionFailure("hosts are there")
      }
      digest.add(host)
    }
    return digest.value
  }
}
