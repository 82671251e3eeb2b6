import ConfigLoader
import Proxy
import Stats
import TLS

/// Compiles checked configurations to snapshots, one after the other: what did not change is the
/// same object in both. Main's own; not thread safe.
public final class SnapshotCompiler {
  public enum Result {
    case compiled(Compilation)
    /// Every error, in the order of the text. Nothing has changed.
    case failed([Diagnostic])
  }

  let registry: StatsRegistry
  let options: CompilerOptions
  var state = CompilerState()
  private var ticketKeysTurnedAt: Int64 = 0
  let stats: ManagerStats

  public init(registry: StatsRegistry, options: CompilerOptions) {
    self.registry = registry
    self.options = options
    stats = ManagerStats(registry)
  }

  /// Compiles a configuration that replaces the one before.
  ///
  /// - Parameter sockets: Asked for the sockets of new and changed listeners when all else is good.
  /// - Parameter secrets: Secrets from files that were read already; others are read now.
  public func compile(
    _ loaded: LoadedConfiguration, sockets: inout some ListenerSockets, secrets: SecretBatch = [:]
  ) -> Result {
    let pass = CompilerPass(loaded, options, state, batch: secrets)
    let plan = pass.plan()
    guard let plan, let opened = pass.open(plan.listeners, &sockets) else {
      return .failed(pass.sortedErrors)
    }
    let compilation = SnapshotBuilder(registry: registry, pass: pass).build(plan, opened)
    state = pass.state
    stats.count(compilation.changes, state, workers: options.workerNames.count, registry)
    return .compiled(compilation)
  }

  /// Gives the TLS tickets a new key once an hour; those of the two hours before are still read.
  ///
  /// - Parameter now: Seconds since 1970.
  public func turnTicketKeys(now: Int64) {
    guard let ring = state.ticketKeys else {
      ticketKeysTurnedAt = now
      return
    }
    guard now - ticketKeysTurnedAt >= 3600 else { return }
    ticketKeysTurnedAt = now
    // Without randomness the old keys go on.
    try? ring.turn(now: now)
  }

  /// The errors and warnings that compiling would give; opens nothing and changes nothing.
  public func check(_ loaded: LoadedConfiguration) -> [Diagnostic] {
    let pass = CompilerPass(loaded, options, state)
    _ = pass.plan()
    return pass.sortedErrors + pass.warnings
  }

  /// Tells that no thread has a snapshot any more: what only it used may be used again.
  public func snapshotReleased(generation: UInt64) {
    state.liveGenerations.remove(generation)
  }
}
