import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

/// A worker takes over new lists of hosts: those that stay keep their place in memory, and so their
/// connections, whatever else happens to the list.
@Suite struct HostAdoptionTests {
  private struct Seen: Sendable {
    let identity: UInt64
    let place: UInt
  }

  @Test(arguments: 1...8)
  func hostsThatStayAreKept(seed: Int) throws {
    try withProxy { proxy in
      var random = FastRandom(seed: UInt64(seed))
      let first = proxy.onWorker { $0.generation.pointee.snapshot.takeUnretainedValue() }
      let original = try #require(first.clusters.buffer[0]).pointer.pointee
      let real = original.hosts.buffer[0]
      let pool = [real] + (try (0..<24).map { try host(UInt64($0 + 100), proxy.registry) })
      var hosts = [real]
      for generation in 2..<80 {
        for _ in 0...random.below(3) { change(&hosts, pool, &random) }
        var cluster = original
        cluster.hosts = FrozenList(hosts)
        // Traffic goes to the real one only, wherever it is.
        cluster.eligible = FrozenList(hosts.indices.filter { hosts[$0] === real }.map { UInt32($0) })
        let next = Snapshot(
          generation: UInt64(generation), clusters: [Frozen(cluster)],
          routeTables: Array(first.routeTables.buffer), listeners: first.listeners, workerCount: 1)
        let (before, after) = proxy.onWorker { worker in
          let before = Self.hosts(worker)
          worker.adopt(next)
          return (before, Self.hosts(worker))
        }
        #expect(after.map(\.identity) == hosts.map(\.pointer.pointee.identity))
        let places = Dictionary(uniqueKeysWithValues: before.map { ($0.identity, $0.place) })
        for host in after {
          if let place = places[host.identity] {
            #expect(host.place == place, "host \(host.identity) stayed and was made anew")
          }
        }
        if generation % 8 == 0 { #expect(try proxy.get().status == 200) }
      }
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1, "the connection was not kept")
    }
  }

  private static func hosts(_ worker: Worker) -> [Seen] {
    guard let cluster = worker.clusters[0] else { return [] }
    return cluster.pointee.hosts.map {
      Seen(identity: $0.pointee.identity, place: UInt(bitPattern: $0))
    }
  }

  /// Adds, removes, moves or replaces one host; the first of `pool` always stays.
  private func change(
    _ hosts: inout [Frozen<HostConfig>], _ pool: [Frozen<HostConfig>], _ random: inout FastRandom
  ) {
    let at = Int(random.below(UInt32(hosts.count)))
    let absent = pool.filter { one in !hosts.contains { $0 === one } }
    switch random.below(5) {
    case 0, 1:
      guard !absent.isEmpty else { return }
      hosts.insert(absent[Int(random.below(UInt32(absent.count)))], at: at)
    case 2:
      if hosts[at] !== pool[0] { hosts.remove(at: at) }
    case 3:
      hosts.swapAt(at, Int(random.below(UInt32(hosts.count))))
    default:
      guard !absent.isEmpty, hosts[at] !== pool[0] else { return }
      hosts[at] = absent[Int(random.below(UInt32(absent.count)))]
    }
  }

  private func host(_ identity: UInt64, _ registry: StatsRegistry) throws -> Frozen<HostConfig> {
    let address = SocketAddress.ip(IPAddress(v4: 0x7F00_0001), port: 1)
    return Frozen(
      HostConfig(
        identity: identity, address: address, kernelAddress: try #require(KernelAddress(address)),
        hostname: "", weight: 1, priority: 0, locality: HostConfig.Locality(),
        stats: HostStats(registry.makeScope(prefix: "host\(identity)."))))
  }
}
