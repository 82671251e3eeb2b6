import ConfigCompiler
import Proxy
import Stats
import Synchronization

/// `server.*` and what else only main knows.
struct ServerStatistics {
  let uptime, concurrency, live, state, memoryAllocated, memoryHeapSize, memoryPhysicalSize,
    totalConnections, snapshotsLive, listenersActive, workersStarted, activeClusters,
    writeTotalBuffered: Gauge
  let initializationTime: Histogram
  let reloadAttempt, reloadSuccess, reloadRejected, logDropped, acceptOverflow,
    writeBuffered, writeCompleted, writeFailed, flushedByTimer, reopenFailed: Counter
  private let counted: Counted

  /// What has been counted so far of numbers that are kept elsewhere.
  private final class Counted {
    var acceptOverflow: UInt64 = 0
    var logs = LogWriter.Totals()
  }

  init(_ registry: StatsRegistry) {
    uptime = registry.gauge("server.uptime")
    concurrency = registry.gauge("server.concurrency")
    live = registry.gauge("server.live")
    state = registry.gauge("server.state")
    memoryAllocated = registry.gauge("server.memory_allocated")
    memoryHeapSize = registry.gauge("server.memory_heap_size")
    memoryPhysicalSize = registry.gauge("server.memory_physical_size")
    totalConnections = registry.gauge("server.total_connections")
    snapshotsLive = registry.gauge("server.snapshots_live")
    writeTotalBuffered = registry.gauge("filesystem.write_total_buffered")
    listenersActive = registry.gauge("listener_manager.total_listeners_active")
    workersStarted = registry.gauge("listener_manager.workers_started")
    activeClusters = registry.gauge("cluster_manager.active_clusters")
    initializationTime = registry.histogram("server.initialization_time_ms")
    reloadAttempt = registry.counter("server.config_reload_attempt")
    reloadSuccess = registry.counter("server.config_reload_success")
    reloadRejected = registry.counter("server.config_reload_rejected")
    logDropped = registry.counter("access_logs.dropped")
    acceptOverflow = registry.counter("server.accept_overflow")
    writeBuffered = registry.counter("filesystem.write_buffered")
    writeCompleted = registry.counter("filesystem.write_completed")
    writeFailed = registry.counter("filesystem.write_failed")
    flushedByTimer = registry.counter("filesystem.flushed_by_timer")
    reopenFailed = registry.counter("filesystem.reopen_failed")
    counted = Counted()
  }

  func started(_ server: Server) {
    let slab = server.registry.mainSlab
    slab.record(initializationTime, (Server.monotonicNow() - server.startedAt) / 1000)
    slab.set(concurrency, to: UInt64(server.workers.count))
    slab.set(workersStarted, to: 1)
    server.registry.setText("server.version", to: ApusVersion.number)
    update(server)
  }

  func update(_ server: Server) {
    let slab = server.registry.mainSlab
    slab.set(uptime, to: (Server.monotonicNow() - server.startedAt) / 1_000_000_000)
    slab.set(live, to: server.life == .live ? 1 : 0)
    let number: UInt64 =
      switch server.life {
      case .live: 0
      case .draining: 1
      case .initializing: 3
      }
    slab.set(state, to: number)
    let memory = MemoryUsage.current
    slab.set(memoryAllocated, to: memory.allocated)
    slab.set(memoryHeapSize, to: memory.heap)
    slab.set(memoryPhysicalSize, to: memory.physical)
    slab.set(snapshotsLive, to: UInt64(max(0, Snapshot.liveCount.load(ordering: .relaxed))))
    slab.set(listenersActive, to: UInt64(server.current.snapshot.listeners.count))
    slab.set(
      activeClusters,
      to: UInt64(server.current.snapshot.clusters.buffer.lazy.filter { $0 != nil }.count))
    updateLogs(server)
    let overflow = server.flags.acceptOverflows.load(ordering: .relaxed)
    slab.add(acceptOverflow, overflow - counted.acceptOverflow)
    counted.acceptOverflow = overflow
  }

  private func updateLogs(_ server: Server) {
    let slab = server.registry.mainSlab
    let now = server.logWriter.totals
    let before = counted.logs
    slab.add(logDropped, now.linesDropped - before.linesDropped)
    slab.add(writeBuffered, now.linesBuffered - before.linesBuffered)
    slab.add(writeCompleted, now.writesCompleted - before.writesCompleted)
    slab.add(writeFailed, now.writesFailed - before.writesFailed)
    slab.add(flushedByTimer, now.flushesByTimer - before.flushesByTimer)
    slab.add(reopenFailed, now.reopensFailed - before.reopensFailed)
    slab.set(writeTotalBuffered, to: now.bytesBuffered)
    counted.logs = now
  }
}
