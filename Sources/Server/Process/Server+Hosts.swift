import ConfigCompiler
import Proxy
import Upstreams

/// Hosts: who is checked and judged on this thread, and how workers learn of it.
extension Server {
  /// Milliseconds that the start may wait for the first checks of hosts.
  private static let warmMillisecondsMax: UInt64 = 30_000
  private static let warmPauseMilliseconds: UInt64 = 5

  func makeUpstreams(_ main: Worker, listeners: [Frozen<ListenerConfig>]) -> UpstreamManager {
    var random = SystemRandomNumberGenerator()
    return UpstreamManager(
      main, registry, compiler, listeners: listeners, seed: random.next(),
      UpstreamManager.Effects(
        publish: { [unowned self] table in publish(table) },
        note: { [unowned self] isWarning, text in
          if isWarning { log.warning(.upstream, text) } else { log.info(.upstream, text) }
        }))
  }

  func publish(_ table: HostTable) {
    var table = table
    if let used = snapshots.last, used.generation != table.generation {
      // Workers have not been given the newest configuration yet.
      table = compiler.hostTable(of: used)
    }
    hostTables.publish(table, to: workers.map(\.mailbox))
    tellWorkers(WorkerMessage.hosts)
  }

  // MARK: Warming

  /// Whether nothing is to be served before hosts were checked.
  var waitsForChecks: Bool { compiler.checkedClusters.contains { $0.waitsForWarm && !$0.hosts.isEmpty } }

  /// What workers have until hosts were checked: nothing.
  static func emptySnapshot(workerCount: Int) -> Snapshot {
    Snapshot(generation: 0, clusters: [], hosts: [], routeTables: [], listeners: [], workerCount: workerCount)
  }

  /// Hands the newest configuration to workers as soon as its new hosts were heard of, or that has taken too long.
  func serveWhenWarm() {
    warmDeadline = Self.monotonicNow() + Self.warmMillisecondsMax * 1_000_000
    warmTurn()
  }

  func warmTurn() {
    guard let main, let upstreams, let deadline = warmDeadline, life != .draining else { return }
    let waiting = upstreams.coldClusters
    compiler.showWarming(clusters: waiting.count)
    if !waiting.isEmpty, Self.monotonicNow() < deadline {
      main.schedule(warmTask, inMilliseconds: Self.warmPauseMilliseconds)
      return
    }
    if !waiting.isEmpty {
      log.warning(
        .upstream,
        "hosts of \(waiting.map { "cluster \"\($0)\"" }.joined(separator: ", ")) were not heard of within"
          + " \(Self.warmMillisecondsMax / 1000) s: serving without them")
    }
    endWarming()
  }

  /// Workers get the configuration that waits for its hosts, if one does.
  func endWarming() {
    guard warmDeadline != nil, let upstreams else { return }
    warmDeadline = nil
    main?.cancel(warmTask)
    compiler.showWarming(clusters: 0)
    publishSnapshot(current.snapshot)
    // The snapshot's own table is of before the checks; what they have said waits for nothing more.
    publish(upstreams.newestHosts())
    if life == .live { log.info(.config, "hosts of new clusters were checked: the new configuration is in force") }
    serve()
  }
}
