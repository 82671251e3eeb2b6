import ConfigCompiler
import ConfigLoader
import Proxy
import Reactor
import Stats
import Synchronization

/// The main thread as far as a worker sees it: compiles configurations, publishes snapshots, frees those
/// that the worker has left.
final class SimulatedMain {
  private let kernel: SimulatedKernel
  private let compiler: SnapshotCompiler
  private var listeners: SimulatedListeners
  private var ticketHours: Int64 = 0
  let mailbox = WorkerMailbox()
  private var snapshots: [Snapshot] = []
  /// Every snapshot there was: none may live in the end.
  private var known: [Weak] = []
  private var handover: SocketHandover?
  private let report: (String) -> Void

  private struct Weak { weak var snapshot: Snapshot? }

  init(registry: StatsRegistry, kernel: SimulatedKernel, report: @escaping (String) -> Void) {
    self.kernel = kernel
    self.report = report
    // Main and the worker are one thread here.
    nonisolated(unsafe) let clock = kernel
    compiler = SnapshotCompiler(
      registry: registry, options: CompilerOptions(workerNames: ["worker_0"], now: { clock.monotonicNow() }))
    listeners = SimulatedListeners(kernel: kernel)
  }

  /// The snapshot of a configuration; nil when it is refused, which is a mistake of the simulation.
  func compile(_ configuration: SimulatedConfiguration) -> Snapshot? {
    kernel.trace.record(configuration.text)
    let source = ConfigurationSource(name: "simulated.yaml", text: configuration.text)
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
        return compilation.snapshot
      }
    }
    return nil
  }

  func publish(_ configuration: SimulatedConfiguration) {
    guard let snapshot = compile(configuration) else { return }
    let unread = mailbox.snapshots.publish(snapshot)
    unread?.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    let abandoned = handover?.published(
      snapshot.listenerSockets(worker: 0), replacedUnread: unread != nil)
    for fd in abandoned ?? [] { kernel.close(fd) }
    tell(WorkerMessage.snapshot)
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
  func releaseSnapshots() {
    guard snapshots.count > 1 else { return }
    for index in (0..<snapshots.count - 1).reversed()
    where snapshots[index].holders.load(ordering: .acquiring) == 0 {
      compiler.snapshotReleased(generation: snapshots[index].generation)
      snapshots.remove(at: index)
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

  /// Lets go of everything; says how many snapshots somebody else still holds.
  func end() -> Int {
    _ = mailbox.snapshots.take()
    snapshots = []
    return known.count { $0.snapshot != nil }
  }
}
