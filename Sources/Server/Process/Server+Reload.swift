import ConfigCompiler
import ConfigLoader
import Glibc
import Proxy
import Stats
import StatsSinks
import Synchronization
import Upstreams

extension Server {
  /// Reads the configuration anew in the background; ``finishLoads()`` takes it into use.
  func beginReload(reason: String) {
    if let loader {
      loader.begin(.init(reason: reason))
    } else {
      reload(reason: reason)
    }
  }

  /// Configurations that have been read.
  func finishLoads() {
    for result in loader?.take() ?? [] {
      if let outcome = result.outcome { use(outcome, reason: result.wish.reason ?? "") }
      useSecrets(result)
    }
  }

  /// Reads the configuration anew and takes it into use before it returns.
  ///
  /// - Returns: What was wrong, or nothing.
  @discardableResult
  func reload(reason: String) -> [Diagnostic] { use(BackgroundLoad.load(options), reason: reason) }

  /// Publishes a configuration; a bad one changes nothing.
  @discardableResult
  private func use(_ outcome: BackgroundLoad.Outcome, reason: String) -> [Diagnostic] {
    guard life != .draining else { return [] }
    registry.mainSlab.increment(statistics.reloadAttempt)
    log.info(.config, "reloading: \(reason)")
    let began = Self.monotonicNow()
    let fresh: LoadedConfiguration
    let secrets: SecretBatch
    switch outcome {
    case .loaded(let value, let read): (fresh, secrets) = (value, read)
    case .failed(let diagnostics): return refuse(diagnostics)
    }
    switch compiler.compile(fresh, sockets: &sockets, secrets: secrets) {
    case .failed(let diagnostics):
      sockets.rollBack()
      return refuse(diagnostics)
    case .compiled(let compilation):
      // Whoever connects there now must find somebody.
      let takesOver = sockets.takesOver
      sockets.commit()
      do { try openLogs(compilation.logTargets) } catch {
        return refuse([fresh.diagnostic(path: "", message: "\(error)")])
      }
      for warning in fresh.diagnostics + compilation.warnings {
        log.warning(.config, "\(warning)")
      }
      publish(compilation, fresh, waits: !takesOver)
      watchSecrets()
      certificateEnds = Self.ends(compiler.inventories)
      registry.mainSlab.increment(statistics.reloadSuccess)
      let spent = (Self.monotonicNow() - began) / 1_000_000
      log.info(.config, "compiled in \(spent) ms: \(compilation.changes.summary)")
      return []
    }
  }

  private func refuse(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    registry.mainSlab.increment(statistics.reloadRejected)
    for diagnostic in diagnostics { log.error(.config, "\(diagnostic)") }
    log.error(.config, "the new configuration is refused; the old one stays in force")
    return diagnostics
  }

  /// - Parameter waits: Until hosts of new clusters were checked.
  private func publish(_ compilation: Compilation, _ fresh: LoadedConfiguration, waits: Bool) {
    // One that still waits was complete: workers see every configuration.
    endWarming()
    let old = current
    current = compilation
    loaded = fresh
    loadedAt = ProcessLog.systemWallNow()
    for name in compilation.removedListenerNames { sockets.forget(name) }
    upstreams?.configured()
    if waits, let cold = upstreams?.coldClusters, !cold.isEmpty {
      log.info(
        .config, "workers get the new configuration when hosts of new clusters were checked: \(cold.joined(separator: ", "))")
      // What was to be told of hosts goes to workers by itself.
      publish(compiler.hostTable())
      serveWhenWarm()
    } else {
      publishSnapshot(compilation.snapshot)
      serve()
    }
    if old.sinks != compilation.sinks
      || old.flushIntervalMilliseconds != compilation.flushIntervalMilliseconds
    {
      replaceFlusher(compilation)
    }
    if old.admin?.address != compilation.admin?.address {
      log.warning(.config, "a change of the admin address needs a restart; the old one stays")
    }
  }

  /// Hands a snapshot to the workers.
  func publishSnapshot(_ snapshot: Snapshot) {
    snapshots.append(snapshot)
    for worker in workers {
      let unread = worker.mailbox.snapshots.publish(snapshot)
      // The worker never saw it, so it does not hold it.
      unread?.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      let abandoned = worker.handover.published(
        snapshot.listenerSockets(worker: worker.index), replacedUnread: unread != nil)
      for fd in abandoned { close(fd) }
    }
    tellWorkers(WorkerMessage.snapshot)
  }

  private func replaceFlusher(_ compilation: Compilation) {
    do {
      let sinks = try compilation.sinks.map {
        try $0.makeSink(registry: registry, timersMax: options.statsdTimersMax)
      }
      flusher?.stop()
      flusher = try StatsFlusher(
        registry: registry, intervalMilliseconds: compilation.flushIntervalMilliseconds,
        sinks: sinks, continuing: flusher)
    } catch {
      log.error(.config, "stats_sinks: \(error); the old sinks stay")
    }
  }

  /// Frees snapshots and tables that every worker has left.
  func releaseSnapshots() {
    hostTables.releaseLeft()
    guard snapshots.count > 1 else { return }
    for index in (0..<snapshots.count - 1).reversed() {
      // A worker counts itself out just before it drops its reference: ours must be the last, so
      // that the memory is freed here.
      guard snapshots[index].holders.load(ordering: .acquiring) == 0,
        isKnownUniquelyReferenced(&snapshots[index])
      else { continue }
      compiler.snapshotReleased(generation: snapshots[index].generation)
      snapshots.remove(at: index)
    }
  }
}
