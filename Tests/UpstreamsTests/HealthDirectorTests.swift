import ConfigCompiler
import ConfigLoader
import Primitives
import Proxy
import Reactor
import Stats
import Testing

@testable import Upstreams

struct HealthDirectorTests {
  private struct NoSockets: ListenerSockets {
    func sockets(
      for name: String, addresses: [SocketAddress], options: ListenerSocketOptions
    ) throws(ListenerSocketError) -> (sockets: [[Int32]], bound: [SocketAddress]) { ([[]], addresses) }
  }

  /// More hosts than may be asked in one turn.
  private static let hostCount = 3 * CheckGate.startsPerTurn

  private static var text: String {
    let hosts = (0..<hostCount).map {
      "{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: \(10_000 + $0) } } } }"
    }.joined(separator: ", ")
    return """
      static_resources:
        clusters:
        - name: a
          health_checks: [{ timeout: 1s, interval: 5s, healthy_threshold: 1, unhealthy_threshold: 1, http_health_check: { path: / } }]
          load_assignment: { cluster_name: a, endpoints: [{ lb_endpoints: [\(hosts)] }] }
      """
  }

  /// Checks that wait for their turn are not begun when those that are under way are given up: a task that is still
  /// scheduled must not be freed.
  @Test func stoppingEndsThoseThatWait() throws {
    let registry = try StatsRegistry(slabCount: 1)
    let compiler = SnapshotCompiler(registry: registry, options: CompilerOptions(workerNames: ["worker_0"]))
    guard
      case .loaded(let loaded) = ConfigurationLoader.load([ConfigurationSource(name: "a.yaml", text: Self.text)])
    else { throw Failed() }
    var sockets = NoSockets()
    guard case .compiled = compiler.compile(loaded, sockets: &sockets) else { throw Failed() }
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 16
    sizes.largeCount = 2
    let worker = try Worker(
      index: -1, name: "main_thread", kernel: LinuxKernel(entries: 64), slab: registry.mainSlab, mailbox: WorkerMailbox(),
      snapshot: compiler.checkSnapshot(listeners: []),
      environment: WorkerEnvironment(
        stats: WorkerStats(registry.makeScope(prefix: "main_thread.")), flags: ProcessFlags(drainNanoseconds: 0),
        logRings: [LogRing(capacity: 4096)]),
      sizes: sizes, seed: 1)
    var director: HealthDirector? = HealthDirector(
      worker, registry, seed: 1,
      HealthDirector.Effects(setFlags: { _, _, _, _ in }, passed: { _, _ in }, note: { _, _ in }))
    director?.update(compiler.checkedClusters)
    while director?.load.underWay == 0 { worker.turn() }
    #expect(director?.load.waiting ?? 0 > 0)
    func gauge(_ name: String) -> Int? {
      registry.metrics.first { $0.name == "apus.hosts.\(name)" }.map { Int(registry.value(of: $0)) }
    }
    #expect(gauge("checks_active") == 0 && gauge("checks_queued") == 0)
    director?.showLoad()
    #expect(gauge("checks_active") == director?.load.underWay)
    #expect(gauge("checks_queued") == director?.load.waiting)
    director?.stop()
    director?.showLoad()
    #expect(director?.load.underWay == 0)
    #expect(gauge("checks_active") == 0)
    worker.shutDown()
    director = nil
  }

  private struct Failed: Error {}
}
