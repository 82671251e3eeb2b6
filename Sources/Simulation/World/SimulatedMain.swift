import ConfigCompiler
import ConfigLoader
import Primitives
import Proxy
import Reactor
import Stats
import Synchronization
import Upstreams

/// The main thread: compiles configurations, publishes snapshots and host tables, has hosts checked and judged, frees what
/// the worker has left.
final class SimulatedMain {
  /// What a thread is made of.
  struct Parts {
    let registry: StatsRegistry
    let network: VirtualNetwork
    let flags: ProcessFlags
    let logRing: LogRing
    let dice: Dice
    let seed: UInt64
  }

  /// The worker's.
  private let kernel: SimulatedKernel
  private let parts: Parts
  private let compiler: SnapshotCompiler
  private var listeners: SimulatedListeners
  private var ticketHours: Int64 = 0
  let mailbox = WorkerMailbox()
  private var snapshots: [Snapshot] = []
  private var tables = PublishedHostTables()
  /// Every snapshot there was: none may live in the end.
  private var known: [Weak] = []
  private var handover: SocketHandover?
  private let report: (String) -> Void
  private var loop: MainLoop?
  private var upstreams: UpstreamManager?
  private lazy var secondTask = WorkerTask { [unowned self] in everySecond() }
  /// Limits of the clusters of the newest configuration.
  private(set) var limitedClusters: [LimitedCluster] = []
  /// Configurations so far.
  private(set) var version = 0
  /// The hosts that the worker is going to have, or has.
  private(set) var toldHosts: HostTable?
  /// Something for the process log.
  var onNote: (_ isWarning: Bool, String) -> Void = { _, _ in }

  private struct Weak { weak var snapshot: Snapshot? }

  init(_ parts: Parts, kernel: SimulatedKernel, report: @escaping (String) -> Void) {
    self.parts = parts
    self.kernel = kernel
    self.report = report
    // Main and the worker are one thread here.
    nonisolated(unsafe) let clock = kernel
    compiler = SnapshotCompiler(
      registry: parts.registry, options: CompilerOptions(workerNames: ["worker_0"], now: { clock.monotonicNow() }))
    listeners = SimulatedListeners(kernel: kernel)
  }

  // MARK: Configurations

  /// The snapshot of a configuration; nil when it is refused, which is a mistake of the simulation.
  func compile(_ text: String) -> Snapshot? {
    kernel.trace.record(text)
    let source = ConfigurationSource(name: "simulated.yaml", text: text)
    switch ConfigurationLoader.load([source]) {
    case .failed(let errors):
      report("the configuration does not load: \(errors.map(\.description).joined(separator: "; "))")
    case .loaded(let loaded):
      switch compiler.compile(loaded, sockets: &listeners) {
      case .failed(let errors):
        report("the configuration is refused: \(errors.map(\.description).joined(separator: "; "))")
      case .compiled(let compilation):
        for name in compilation.removedListenerNames { listeners.forget(name) }
        snapshots.append(compilation.snapshot)
        known.append(Weak(snapshot: compilation.snapshot))
        if handover == nil {
          handover = SocketHandover(compilation.snapshot.listenerSockets(worker: 0))
        }
        limitedClusters = compiler.limitedClusters
        version += 1
        toldHosts = compilation.snapshot.hosts
        return compilation.snapshot
      }
    }
    return nil
  }

  /// Begins to look after hosts; the worker has the first snapshot.
  func start() throws {
    let loop = try MainLoop(
      network: parts.network, registry: parts.registry, flags: parts.flags, logRing: parts.logRing,
      snapshot: compiler.checkSnapshot(listeners: []), dice: parts.dice, report: report)
    self.loop = loop
    kernel.exchangeMessages(with: loop.kernel)
    loop.kernel.exchangeMessages(with: kernel)
    let upstreams = UpstreamManager(
      loop.worker, parts.registry, compiler, listeners: [], seed: parts.seed,
      UpstreamManager.Effects(
        publish: { [unowned self] in publish($0) },
        note: { [unowned self] isWarning, text in
          kernel.trace.record("\(kernel.events.now) main notes: \(text)")
          onNote(isWarning, text)
        }))
    self.upstreams = upstreams
    loop.onMessage = { [unowned self] message, value in
      if message == WorkerMessage.hostEvent { upstreams.hostEvent(number: value) } else { releaseSnapshots() }
    }
    loop.perform { [unowned self] in
      upstreams.configured()
      loop.worker.schedule(secondTask, inMilliseconds: 1000)
    }
  }

  /// Everything that is due once a second.
  private func everySecond() {
    loop?.worker.schedule(secondTask, inMilliseconds: 1000)
    upstreams?.everySecond()
    releaseSnapshots()
  }

  func publish(_ text: String) {
    loop?.perform { [unowned self] in
      guard let snapshot = compile(text) else { return }
      let unread = mailbox.snapshots.publish(snapshot)
      unread?.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      let abandoned = handover?.published(
        snapshot.listenerSockets(worker: 0), replacedUnread: unread != nil)
      for fd in abandoned ?? [] { kernel.close(fd) }
      tell(WorkerMessage.snapshot)
      upstreams?.configured()
    }
  }

  private func publish(_ table: HostTable) {
    kernel.coverage.note(.hostTablePublished)
    tables.publish(table, to: [mailbox])
    toldHosts = table
    tell(WorkerMessage.hosts)
  }

  /// An hour, as far as the keys of tickets can tell.
  func turnTicketKeys() {
    ticketHours += 1
    compiler.turnTicketKeys(now: kernel.wallNow() / 1_000_000_000 + ticketHours * 3600)
  }

  func tell(_ message: UInt32) {
    kernel.post(
      Token(.message, slot: message, generation: 0).rawValue, Int32(message), what: "message from main")
  }

  /// Frees snapshots that the worker has left.
  private func releaseSnapshots() {
    tables.releaseLeft()
    guard snapshots.count > 1 else { return }
    for index in (0..<snapshots.count - 1).reversed()
    where snapshots[index].holders.load(ordering: .acquiring) == 0 {
      compiler.snapshotReleased(generation: snapshots[index].generation)
      snapshots.remove(at: index)
    }
  }

  // MARK: Questions

  /// Clusters and what main knows of their hosts.
  var hostSets: [(config: Frozen<ClusterConfig>, hosts: Frozen<HostSet>)] { compiler.hostSets }

  /// What has been counted of a host for outlier detection.
  struct OutlierCounts {
    let host: String
    let isSplit: Bool
    let results: UInt64
    let localFailures: UInt64
  }

  var outlierCounts: [OutlierCounts] {
    hostSets.flatMap { config, hosts -> [OutlierCounts] in
      guard let counting = config.pointer.pointee.outlierCounting else { return [] }
      return hosts.pointer.pointee.hosts.buffer.compactMap { host in
        host.pointer.pointee.outlierCells.map { cells in
          OutlierCounts(
            host: host.pointer.pointee.text.view.string, isSplit: counting.isSplit,
            results: parts.registry.value(of: cells.results), localFailures: parts.registry.value(of: cells.localFailures))
        }
      }
    }
  }

  /// Units of clusters' limits that nobody has given back: there must be none when the worker has ended.
  var unitsLeft: [String] {
    compiler.limitedClusters.flatMap { cluster -> [String] in
      let shared = cluster.config.pointer.pointee.shared
      return left(shared.normal, "\(cluster.name), DEFAULT") + left(shared.high, "\(cluster.name), HIGH")
    }
  }

  private func left(_ units: borrowing ClusterShared.Priority, _ whose: String) -> [String] {
    let all = [
      ("connections", units.connections.current()), ("waiting requests", units.pending.current()),
      ("requests", units.requests.current()), ("repeats", units.retries.current()), ("pools", units.pools.current()),
    ]
    return all.filter { $0.1 != 0 }.map { "cluster \(whose): \($0.1) \($0.0) are counted" }
  }

  // MARK: The end

  /// The worker has ended: nobody is checked any more, and gauges say what there is.
  ///
  /// - Returns: What main's own loop has left, and descriptors that it has not closed.
  func endLoop() -> (audit: WorkerAudit, descriptors: [Int32]) {
    guard let loop else { return (WorkerAudit(), []) }
    loop.worker.cancel(secondTask)
    upstreams?.updateGauges()
    upstreams?.stop()
    loop.end()
    return (loop.worker.audit, loop.kernel.openDescriptors)
  }

  /// Lets go of everything; says how many snapshots somebody else still holds, and how many host tables.
  func end() -> (snapshots: Int, tables: Int) {
    _ = mailbox.snapshots.take()
    if let table = mailbox.hosts.take() { table.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
    toldHosts = nil
    tables.releaseLeft()
    snapshots = []
    limitedClusters = []
    upstreams = nil
    loop?.dispose()
    loop = nil
    return (known.count { $0.snapshot != nil }, tables.count)
  }
}
