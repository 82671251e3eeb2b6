import CSystem
import ConfigCompiler
import ConfigLoader
import Glibc
import Primitives
import Proxy
import Reactor
import Stats
import StatsSinks
import Upstreams
import Synchronization
import TLS

/// The process: main's own loop, the workers, the flusher and the log writer.
///
/// Main owns configuration. It loads, compiles and publishes snapshots, opens listening sockets,
/// answers the admin page, and takes signals; all of it on one ``Worker`` loop of its own, so that
/// nothing it does blocks. Everything here runs on the main thread.
public final class Server {
  enum LifeState: String, Sendable {
    case initializing = "INITIALIZING"
    case live = "LIVE"
    case draining = "DRAINING"
  }

  let options: ServerOptions
  let log: ProcessLog
  public let registry: StatsRegistry
  var statistics: ServerStatistics
  let compiler: SnapshotCompiler
  let flags: ProcessFlags
  let logWriter: LogWriter
  let logRings: [LogRing]
  var sockets: ListenerSocketSet
  var flusher: StatsFlusher?
  var workers: [WorkerThread] = []
  var main: Worker?
  var life = LifeState.initializing
  private var openLogCount = 0
  /// `/healthcheck/fail` was called.
  var failsHealthChecks = false
  let startedAt: UInt64
  /// The configuration in force.
  var current: Compilation
  var loaded: LoadedConfiguration
  /// Nanoseconds since 1970.
  var loadedAt: Int64
  /// Snapshots that a worker may still use, the current one last.
  var snapshots: [Snapshot]
  /// Tables of hosts that a worker may still use, beside those of snapshots.
  var hostTables = PublishedHostTables()
  private(set) var upstreams: UpstreamManager?
  /// While hosts are checked for the first time, and nothing is served.
  var warmDeadline: UInt64?
  private(set) lazy var warmTask = WorkerTask { [unowned self] in warmTurn() }
  var drainDeadline: UInt64?
  private(set) lazy var secondTask = WorkerTask { [unowned self] in everySecond() }
  var watcher: FileWatcher?
  /// When the first certificate in force, and the first OCSP response, ends.
  var certificateEnds: (certificate: Int64?, staple: Int64?)
  var secretWatches: [WatchedPlace: FileWatcher.Watch] = [:]
  let loader: BackgroundLoad?
  let signals: Int32
  let loads: WorkerLoads?

  /// Everything that can fail is done here; nothing runs yet but the threads, which wait for traffic.
  ///
  /// - Throws: ``StartError`` or the configuration's diagnostics.
  public init(_ options: ServerOptions) throws {
    self.options = options
    loader = BackgroundLoad(options)
    csystem_ignore_sigpipe()
    signals = Self.takeSignals()
    _ = csystem_raise_open_files()
    guard let level = ProcessLog.Level(named: options.logLevel) else {
      throw StartError(
        "-l \(options.logLevel): expected one of "
          + ProcessLog.Level.allCases.map(\.name).joined(separator: ", "))
    }
    let log = try ProcessLog(level: level, path: options.logPath)
    self.log = log
    startedAt = Self.monotonicNow()

    let loaded = try Self.load(options)
    self.loaded = loaded
    loadedAt = ProcessLog.systemWallNow()
    let workerCount = max(1, options.concurrency ?? Self.coreCount())
    let names = (0..<workerCount).map { "worker_\($0)" }
    let statsOptions: StatsRegistry.Options
    switch StatsSettings.options(loaded) {
    case .options(let options): statsOptions = options
    case .failed(let diagnostics): throw ConfigurationRefused(diagnostics)
    }
    let registry = try StatsRegistry(slabCount: workerCount + 1, options: statsOptions)
    self.registry = registry
    statistics = ServerStatistics(registry)
    flags = ProcessFlags(
      drainNanoseconds: options.drainSeconds * 1_000_000_000, keepsTLSAttached: options.keepsTLSAttached)
    logRings = (0...workerCount).map { _ in LogRing() }
    logWriter = try LogWriter(
      rings: logRings,
      fileFlushIntervalMilliseconds: Int(clamping: options.fileFlushIntervalMilliseconds))
    compiler = SnapshotCompiler(
      registry: registry,
      options: CompilerOptions(
        workerNames: names, serviceCluster: options.serviceCluster,
        serviceNode: options.serviceNode, serviceZone: options.serviceZone,
        now: { Server.monotonicNow() }))
    sockets = ListenerSocketSet(workerCount: workerCount)
    loads = options.balancesConnections ? WorkerLoads(workerCount: workerCount) : nil
    switch compiler.compile(loaded, sockets: &sockets) {
    case .failed(let diagnostics): throw ConfigurationRefused(diagnostics)
    case .compiled(let compilation): current = compilation
    }
    certificateEnds = Self.ends(compiler.inventories)
    sockets.commit()
    snapshots = []
    for warning in loaded.diagnostics + current.warnings { log.warning(.config, "\(warning)") }
    try openLogs(current.logTargets)
    let first = waitsForChecks ? Self.emptySnapshot(workerCount: workerCount) : current.snapshot
    snapshots = [first]
    try startWorkers(workerCount, first)
    try startMain()
    flusher = try makeFlusher()
  }

  /// Opens log files that are new; a target's place in the list is its number.
  func openLogs(_ targets: [ConfigCompiler.LogTarget]) throws {
    for target in targets.dropFirst(openLogCount) {
      let id = try logWriter.add(target.destination)
      precondition(Int(id) == openLogCount, "log targets are numbered in order")
      openLogCount += 1
    }
  }

  static func ends(_ inventories: [TLSInventory]) -> (certificate: Int64?, staple: Int64?) {
    let entries = inventories.flatMap(\.all)
    return (entries.map(\.facts.notAfter).min(), entries.compactMap { $0.staple?.until }.min())
  }

  private static func load(_ options: ServerOptions) throws -> LoadedConfiguration {
    switch ConfigurationLoader.load(try options.sources()) {
    case .loaded(let loaded): return loaded
    case .failed(let diagnostics): throw ConfigurationRefused(diagnostics)
    }
  }

  // MARK: Start

  private static func takeSignals() -> Int32 {
    let wanted = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]
    return csystem_signal_fd(wanted, Int32(wanted.count))
  }

  private static func coreCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  static func monotonicNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }

  private func environment(_ name: String) -> WorkerEnvironment {
    WorkerEnvironment(
      stats: WorkerStats(registry.makeScope(prefix: "\(name).")), flags: flags, logRings: logRings,
      loads: loads)
  }

  private func startWorkers(_ count: Int, _ snapshot: Snapshot) throws {
    var random = SystemRandomNumberGenerator()
    for index in 0..<count {
      workers.append(
        try WorkerThread(
          WorkerThread.Parts(
            index: index, slab: registry.slabs[index + 1], snapshot: snapshot,
            environment: environment("worker_\(index)"), seed: random.next())))
    }
  }

  /// Main's own loop, with the admin listener when one is configured.
  private func startMain() throws {
    let kernel: LinuxKernel
    do { kernel = try LinuxKernel(entries: 256) } catch {
      throw StartError("cannot start: \(error)")
    }
    let admin = try makeAdminSnapshot()
    var random = SystemRandomNumberGenerator()
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 64
    sizes.largeCount = 4
    let worker = try Worker(
      index: -1, name: "main_thread", kernel: kernel, slab: registry.mainSlab,
      mailbox: WorkerMailbox(), snapshot: admin.snapshot,
      environment: environment("main_thread"), sizes: sizes, seed: random.next())
    main = worker
    upstreams = makeUpstreams(worker, listeners: admin.snapshot.listeners)
    if let address = admin.bound {
      log.info(.admin, "admin address: \(address)")
      try writeAdminAddress(address)
    }
  }

  private func writeAdminAddress(_ address: SocketAddress) throws {
    guard let path = options.adminAddressPath else { return }
    let fd = csystem_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard fd >= 0 else {
      throw StartError(
        "--admin-address-path \(path): \(String(cString: strerror(csystem_errno())))")
    }
    let text = address.description
    _ = write(fd, text, text.utf8.count)
    close(fd)
  }

  private func makeFlusher() throws -> StatsFlusher {
    let flusher = try StatsFlusher(
      registry: registry, intervalMilliseconds: current.flushIntervalMilliseconds,
      sinks: try current.sinks.map { try $0.makeSink(registry: registry, timersMax: options.statsdTimersMax) })
    return flusher
  }

  // MARK: Run

  /// Serves until a signal or the admin page ends it.
  public func run() {
    guard let main else { return }
    flags.setMainRing(main.kernel.ringDescriptor)
    main.watch(signals) { [unowned self] in takeSignal() }
    main.onMessages { [unowned self] message, value in take(message, value) }
    main.schedule(secondTask, inMilliseconds: 1000)
    if let loader { main.watch(loader.descriptor) { [unowned self] in finishLoads() } }
    if let path = options.configPath, path != "-" {
      watchConfiguration(path)
    }
    watchSecrets()
    statistics.started(self)
    upstreams?.configured()
    if snapshots.last === current.snapshot { serve() } else { serveWhenWarm() }
    // The first reading sorts every name: not on this thread, and not when somebody asks.
    flusher?.flushNow()
    CodePages.release()
    main.run()
    end()
  }

  /// Workers have what they serve.
  func serve() {
    guard life == .initializing else { return }
    life = .live
    statistics.update(self)
    let listeners = current.snapshot.listeners.count
    log.info(
      .main,
      "\(ApusVersion.text) serves \(listeners) listener\(listeners == 1 ? "" : "s") with"
        + " \(workers.count) worker\(workers.count == 1 ? "" : "s")")
    for listener in current.snapshot.listeners {
      for address in listener.pointer.pointee.addresses {
        log.info(.listener, "\(listener.pointer.pointee.name) listens on \(address)")
      }
    }
  }

  /// Everything that is due once a second.
  private func everySecond() {
    main?.schedule(secondTask, inMilliseconds: 1000)
    statistics.update(self)
    upstreams?.everySecond()
    releaseSnapshots()
    checkDrain()
    compiler.turnTicketKeys(now: Int64(time(nil)))
  }

  /// A worker has something to tell.
  private func take(_ message: UInt32, _ value: UInt32) {
    if message == WorkerMessage.hostEvent {
      upstreams?.hostEvent(number: value)
      return
    }
    // It has left a generation, or is empty.
    releaseSnapshots()
    checkDrain()
  }

  // MARK: Signals

  private func takeSignal() {
    while true {
      switch csystem_read_signal(signals) {
      case 0: return
      case SIGHUP: beginReload(reason: "SIGHUP")
      case SIGUSR1:
        reopenLogs()
      case let signal:
        let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
        if life == .draining {
          log.warning(.main, "\(name) again: leaving at once")
          main?.stop()
        } else {
          beginShutdown(reason: name)
        }
      }
    }
  }

  // MARK: The end

  /// Stops taking connections, lets requests finish, then leaves.
  func beginShutdown(reason: String) {
    guard life != .draining else { return }
    life = .draining
    log.info(
      .main, "\(reason): draining; open requests have \(options.drainSeconds) s to finish")
    drainDeadline = Self.monotonicNow() + options.drainSeconds * 1_000_000_000
    tellWorkers(WorkerMessage.drain)
  }

  func tellWorkers(_ message: UInt32) {
    for worker in workers { main?.send(message, to: worker.status.ringDescriptor) }
  }

  private func checkDrain() {
    guard life == .draining, let deadline = drainDeadline else { return }
    let isLate = Self.monotonicNow() >= deadline
    let isEmpty = workers.allSatisfy {
      $0.status.isDraining && $0.status.downstreamConnections == 0
    }
    guard isEmpty || isLate else { return }
    if isLate && !isEmpty {
      let left = workers.reduce(0) { $0 + $1.status.downstreamConnections }
      log.warning(.main, "the drain time is over: closing \(left) connections")
    }
    drainDeadline = nil
    main?.stop()
  }

  private func end() {
    tellWorkers(WorkerMessage.stop)
    main?.kernel.enter(timeoutNanoseconds: 0)
    for worker in workers { worker.join() }
    main?.cancel(secondTask)
    main?.cancel(warmTask)
    upstreams?.stop()
    main?.shutDown()
    statistics.update(self)
    flusher?.stop()
    logWriter.stop()
    log.info(.main, "done")
  }
}

/// A configuration that cannot be used: everything that is wrong with it.
public struct ConfigurationRefused: Error, CustomStringConvertible {
  public let diagnostics: [Diagnostic]

  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
