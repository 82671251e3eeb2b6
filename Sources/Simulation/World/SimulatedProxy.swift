import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats

/// The proxy under simulation: one worker, which owns the clock, and main, on kernels of one network. What must hold of it
/// whatever goes on around it is checked here.
final class SimulatedProxy {
  /// What makes one proxy differ from another.
  struct Settings {
    let seed: UInt64
    /// Entries of the worker's ring.
    var entries: UInt32 = 256
    var sizes = SegmentPool.Sizes()
    var flags = ProcessFlags(drainNanoseconds: Time.second)
  }

  private static let entersMax = 3_000_000
  /// For the simulator's own dice.
  private static let kernelStream: UInt64 = 7
  private static let mainStream: UInt64 = 14

  let events: EventQueue
  let network: VirtualNetwork
  let trace: Trace
  let registry: StatsRegistry
  let kernel: SimulatedKernel
  let main: SimulatedMain
  let worker: Worker
  let logRing = LogRing(capacity: 1 << 16)
  let record: ViolationRecord
  private let hostWatch: HostWatch
  private let limitWatch: LimitWatch
  /// Between two turns.
  var afterTurn: () -> Void = {}

  /// - Throws: What a worker throws that cannot start, or what is wrong with the configuration.
  init(_ settings: Settings, network: VirtualNetwork, record: ViolationRecord, configuration: String) throws {
    self.network = network
    self.record = record
    events = network.events
    trace = network.trace
    kernel = SimulatedKernel(
      network: network, dice: Dice(seed: settings.seed, stream: Self.kernelStream), entries: settings.entries,
      report: record.add)
    var options = StatsRegistry.Options()
    options.slabBytes = 16 << 20
    registry = try StatsRegistry(slabCount: 2, options: options)
    settings.flags.setMainRing(SimulatedKernel.mainRing)
    main = SimulatedMain(
      SimulatedMain.Parts(
        registry: registry, network: network, flags: settings.flags, logRing: logRing,
        dice: Dice(seed: settings.seed, stream: Self.mainStream), seed: settings.seed),
      kernel: kernel, report: record.add)
    guard let snapshot = main.compile(configuration) else { throw SimulationFailure(record.texts) }
    worker = try Worker(
      index: 0, name: "worker_0", kernel: kernel, slab: registry.slabs[1], mailbox: main.mailbox,
      snapshot: snapshot,
      environment: WorkerEnvironment(
        stats: WorkerStats(registry.makeScope(prefix: "worker_0.")), flags: settings.flags,
        logRings: [logRing, logRing]),
      sizes: settings.sizes, seed: settings.seed)
    hostWatch = HostWatch(report: record.add)
    limitWatch = LimitWatch(report: record.add)
    try main.start()
  }

  // MARK: Time

  func turns(until isOver: () -> Bool) {
    while !isOver(), !record.isFull {
      kernel.wantsReturn = false
      worker.turn()
      checkHosts()
      afterTurn()
      if kernel.enterCount > Self.entersMax {
        record.add("the run does not end: \(kernel.enterCount) turns")
        return
      }
      if kernel.idleEnterCount >= SimulatedKernel.idleEntersMax { return }
    }
  }

  /// Lets time pass.
  func pause(_ nanoseconds: UInt64) {
    var isOver = false
    events.after(nanoseconds) { [unowned self] in
      isOver = true
      kernel.wantsReturn = true
    }
    turns { isOver }
  }

  private func checkHosts() {
    hostWatch.afterTurn(worker, newest: main.toldHosts, hasReadAll: kernel.hasPostedAll)
    limitWatch.afterTurn(main.limitedClusters, version: main.version, hasReadAll: kernel.hasPostedAll)
  }

  // MARK: The end

  /// Ends the worker, then main.
  func end() {
    main.tell(WorkerMessage.stop)
    turns { worker.isStopped }
    worker.shutDown()
    check(worker.audit, "")
    let (left, descriptors) = main.endLoop()
    check(left, "main: ")
    if !descriptors.isEmpty { record.add("main: descriptors are open: \(descriptors)") }
    let pipes = kernel.openPipes
    if pipes.count != worker.audit.idlePipes {
      record.add("\(pipes.count) pipes are open, and the worker knows of \(worker.audit.idlePipes)")
    }
    if pipes.contains(where: { !$0.bytes.isEmpty }) { record.add("a pipe that nobody uses holds bytes") }
    if !kernel.openSockets.isEmpty { record.add("descriptors are open: \(kernel.openSockets)") }
    for units in main.unitsLeft { record.add(units) }
  }

  private func check(_ left: WorkerAudit, _ whose: String) {
    let counts: [(Int, String)] = [
      (left.connections, "connections are left"), (left.streams, "streams are left"),
      (left.internalRequests, "internal requests are left"), (left.tcpSessions, "TCP sessions are left"),
      (left.connectionRecords, "connection records are left"), (left.failureTexts, "failure texts are left"),
      (left.filterTimers, "filter timers are left"), (left.timers, "timers are left"),
      (left.segments, "segments are lent"), (left.receiveBuffers, "receive buffers are lent"),
      (left.arenaChunks, "arena chunks are lent"), (left.oldGenerations, "old generations are left"),
      (left.http2Connections, "HTTP/2 connections are left"), (left.http2Sessions, "HTTP/2 sessions are left"),
      (left.http2Streams, "HTTP/2 streams are left"), (left.tlsConnections, "TLS connections are left"),
      (left.tlsHandshakes, "handshakes are under way"), (left.tlsHandshakeObjects, "handshakes are not freed"),
      (left.tlsTexts, "TLS texts are left"), (left.miscountedHosts, "hosts were freed with requests of theirs"),
      (left.lentPipes, "pipes are lent"),
    ]
    for (count, what) in counts where count > 0 { record.add("\(whose)\(count) \(what)") }
  }

  /// The final statistics by name; gauges are zero but for those that say how the proxy is configured.
  func checkNumbers() -> [String: Int64] {
    var values: [String: Int64] = [:]
    for metric in registry.metrics {
      let value = registry.signedValue(of: metric)
      if metric.kind != .histogram {
        values[metric.name] = value
        network.coverage.note(metric: metric.name, Int(value))
      }
      trace.record("\(metric.name) \(value) \(registry.histogramCount(of: metric))")
      if metric.kind == .gauge, value != 0, !Self.isStanding(metric.name) {
        record.add("gauge \(metric.name) is \(value)")
      }
    }
    return values
  }

  private static func isStanding(_ name: String) -> Bool {
    name.hasPrefix("cluster_manager.") || name.hasPrefix("listener_manager.")
      || name.contains(".membership_") || name.hasSuffix(".max_host_weight")
      || name.contains(".ring_hash_lb.") || name.contains(".maglev_lb.")
      || name.hasSuffix(".expiration_unix_time_seconds") || name.hasSuffix(".health_check.healthy")
      || name.hasSuffix(".health_check.degraded")
  }

  /// Everybody is back: no host is ejected, and none fails its checks.
  func checkMembership() {
    for (config, hosts) in main.hostSets {
      for (host, flags) in zip(hosts.pointer.pointee.hosts.buffer, hosts.pointer.pointee.flags.buffer)
      where flags.state == .unhealthy {
        let name = config.pointer.pointee.name.view.string
        record.add("cluster \(name): \(host.pointer.pointee.text.view.string) is \(flags.text) long after its trouble")
      }
    }
  }

  /// Main lets go: nobody else may hold a snapshot. By reference, since other runs of the process
  /// have snapshots too.
  func checkSnapshots() {
    hostWatch.end()
    limitWatch.end()
    let held = main.end()
    if held.snapshots > 0 { record.add("\(held.snapshots) snapshots are still held") }
    if held.tables > 0 { record.add("\(held.tables) host tables are still held") }
  }
}
