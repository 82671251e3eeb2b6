import ConfigCompiler
import ConfigLoader
import Primitives
import Proxy
import Stats

/// How evenly many workers spread few requests: each has turns of its own.
public enum WorkerSkew {
  /// Requests of the busiest host, less those of the idlest.
  ///
  /// - Parameters:
  ///   - requests: Altogether; each comes to a worker by chance.
  ///   - startsApart: As workers do; else all begin with the same host.
  /// - Throws: What is wrong with the configuration.
  public static func spread(
    workers: UInt32, hosts count: Int, requests: Int, startsApart: Bool, seed: UInt64
  ) throws -> Int {
    var options = StatsRegistry.Options()
    options.slabBytes = 16 << 20
    let registry = try StatsRegistry(slabCount: 1, options: options)
    let compiler = SnapshotCompiler(registry: registry, options: CompilerOptions(workerNames: ["worker_0"]))
    var sockets = NoSockets()
    let text = ScenarioConfiguration((1...count).map { Scenario.Host($0) }).text
    guard case .loaded(let loaded) = ConfigurationLoader.load([ConfigurationSource(name: "skew.yaml", text: text)]),
      case .compiled(let compilation) = compiler.compile(loaded, sockets: &sockets),
      let set = compilation.snapshot.hosts.sets.buffer.lazy.compactMap({ $0 }).first
    else { throw SimulationFailure("the configuration is refused") }
    var balancers = (0..<workers).map {
      BalancerState(TurnsStart(digest: 0x5EED, worker: startsApart ? $0 : 0, workers: workers))
    }
    var random = FastRandom(seed: seed)
    var counts = Array(repeating: 0, count: count)
    for _ in 0..<requests {
      let worker = Int(random.below(workers))
      counts[Int(balancers[worker].choose(set.pointer, &random).host)] += 1
    }
    for worker in balancers.indices { balancers[worker].reset() }
    return (counts.max() ?? 0) - (counts.min() ?? 0)
  }

  private struct NoSockets: ListenerSockets {
    func sockets(
      for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
    ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) {
      ([addresses.map { _ in -1 }], addresses)
    }
  }
}
