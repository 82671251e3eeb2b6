import ConfigCompiler
import Glibc
import Proxy
import Stats
import Synchronization

/// `server.*` and what else only main knows.
struct ServerStatistics {
  let uptime, concurrency, live, state, memoryAllocated, memoryHeapSize, memoryPhysicalSize,
    totalConnections, snapshotsLive, daysUntilFirstCertificateExpiring,
    secondsUntilFirstStapleExpiring, listenersActive, workersStarted, activeClusters: Gauge
  let initializationTime: Histogram
  let reloadAttempt, reloadSuccess, reloadRejected, acceptOverflow: Counter
  private var logs: LogMetrics
  /// How many of them have been counted so far.
  private var acceptOverflows: UInt64 = 0

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
    daysUntilFirstCertificateExpiring = registry.gauge("server.days_until_first_cert_expiring")
    secondsUntilFirstStapleExpiring = registry.gauge("server.seconds_until_first_ocsp_response_expiring")
    listenersActive = registry.gauge("listener_manager.total_listeners_active")
    workersStarted = registry.gauge("listener_manager.workers_started")
    activeClusters = registry.gauge("cluster_manager.active_clusters")
    initializationTime = registry.histogram("server.initialization_time_ms")
    reloadAttempt = registry.counter("server.config_reload_attempt")
    reloadSuccess = registry.counter("server.config_reload_success")
    reloadRejected = registry.counter("server.config_reload_rejected")
    acceptOverflow = registry.counter("server.accept_overflow")
    logs = LogMetrics(registry: registry)
  }

  mutating func started(_ server: Server) {
    let slab = server.registry.mainSlab
    slab.record(initializationTime, (Server.monotonicNow() - server.startedAt) / 1000)
    slab.set(concurrency, to: UInt64(server.workers.count))
    slab.set(workersStarted, to: 1)
    server.registry.setText("server.version", to: ApusVersion.number)
    update(server)
  }

  mutating func update(_ server: Server) {
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
    let connections = server.current.snapshot.listeners.reduce(0) {
      $0 + server.registry.value(of: $1.pointer.pointee.stats.cxActive)
    }
    slab.set(totalConnections, to: connections)
    let now = Int64(time(nil))
    let ends = server.certificateEnds
    slab.set(
      daysUntilFirstCertificateExpiring,
      to: ends.certificate.map { CertificateAge.days(until: $0, now) } ?? UInt64(UInt32.max))
    slab.set(secondsUntilFirstStapleExpiring, to: UInt64(max(0, (ends.staple ?? now) - now)))
    slab.set(listenersActive, to: UInt64(server.current.snapshot.listeners.count))
    slab.set(
      activeClusters,
      to: UInt64(server.current.snapshot.clusters.buffer.lazy.filter { $0 != nil }.count))
    logs.update(from: server.logWriter, slab: slab)
    let overflow = server.flags.acceptOverflows.load(ordering: .relaxed)
    slab.add(acceptOverflow, overflow - acceptOverflows)
    acceptOverflows = overflow
  }
}
