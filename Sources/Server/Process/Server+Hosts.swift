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

  private func publish(_ table: HostTable) {
    hostTables.publish(table, to: workers.map(\.mailbox))
    tellWorkers(WorkerMessage.hosts)
  }

  // MARK: Start

  /// Whether nothing is to be served before hosts were checked.
  var waitsForChecks: Bool { compiler.checkedClusters.contains { $0.waitsForWarm && !$0.hosts.isEmpty } }

  /// What workers have until hosts were checked: nothing.
  static func emptySnapshot(workerCount: Int) -> Snapshot {
    Snapshot(generation: 0, clusters: [], hosts: [], routeTables: [], listeners: [], workerCount: workerCount)
  }

  /// Serves as soon as every host was heard of, or that has taken too long.
  func serveWhenWarm() {
    warmDeadline = Self.monotonicNow() + Self.warmMillisecondsMax * 1_000_000
    warmTurn()
  }

  func warmTurn() {
    guard let main, let upstreams, let deadline = warmDeadline, life == .initializing else { return }
    let isLate = Self.monotonicNow() >= deadline
    guard upstreams.isWarm || isLate else {
      main.schedule(warmTask, inMilliseconds: Self.warmPauseMilliseconds)
      return
    }
    if isLate, !upstreams.isWarm {
      log.warning(.upstream, "some hosts were not heard of within \(Self.warmMillisecondsMax / 1000) s: serving without them")
    }
    warmDeadline = nil
    publishSnapshot(current.snapshot)
    // The snapshot's own table is of before the checks.
    publish(compiler.hostTable())
    serve()
  }
}
