import ConfigCompiler
import ConfigLoader
import ConfigSchema
import Glibc
import HTTP1
import HTTP2
import Primitives
import Proxy
import Routing
import Stats
import Synchronization
import Upstreams

/// The admin page: what it shows of this process, and what it can make it do.
extension Server: AdminDelegate {
  /// Main's own snapshot: the admin listener, or nothing.
  func makeAdminSnapshot() throws -> (snapshot: Snapshot, bound: SocketAddress?) {
    guard let admin = current.admin else {
      return (
        Snapshot(generation: 0, clusters: [], hosts: [], routeTables: [], listeners: [], workerCount: 1), nil
      )
    }
    var adminSockets = ListenerSocketSet(workerCount: 1)
    let opened: (sockets: [[Int32]], bound: [SocketAddress])
    do {
      opened = try adminSockets.sockets(
        for: "admin", addresses: [admin.address], options: ListenerSocketOptions())
    } catch {
      throw ConfigurationRefused([loaded.diagnostic(path: "admin.address", message: "\(error)")])
    }
    let terminal = AdminTerminal(delegate: self)
    let scope = registry.makeScope(prefix: "listener.admin.")
    var manager = HTTPConnectionManagerConfig(
      stats: HTTPStats(registry.makeScope(prefix: "http.admin.")),
      listenerCodes: ResponseCodeStats(
        registry.makeScope(prefix: "listener.admin.http.admin."), prefix: "downstream_rq_",
        withCodes: false),
      http2: Frozen(HTTP2Config(options: HTTP2Options(), stats: HTTP2Stats(registry.makeScope(prefix: "")))),
      routeTable: 0, filters: FilterChain([]), accessLogs: admin.accessLogs)
    manager.terminal = terminal
    manager.useRemoteAddress = true
    manager.options.acceptHTTP10 = true
    manager.defaultHostForHTTP10 = FrozenText("admin")
    let chain = FilterChainConfig(
      name: "admin", connectionLimits: [], terminal: .http(Frozen(manager)))
    let listener = ListenerConfig(
      name: "admin", addresses: opened.bound, sockets: opened.sockets, version: 1,
      stats: .init(scope, workerNames: ["main_thread"]), chains: [Frozen(chain)],
      matcher: FilterChainMatcher(criteria: [.init()], defaultChain: nil),
      accessLogs: AccessLogList())
    let snapshot = Snapshot(
      generation: 0, clusters: [], hosts: [], routeTables: [], listeners: [Frozen(listener)], workerCount: 1)
    return (snapshot, opened.bound.first)
  }

  // MARK: What is

  public var state: AdminState {
    switch life {
    case .initializing: .initializing
    case .live: failsHealthChecks ? .draining : .live
    case .draining: .draining
    }
  }

  public var version: String { ApusVersion.number }

  public var uptimeSeconds: UInt64 { (Self.monotonicNow() - startedAt) / 1_000_000_000 }

  public var commandLineOptions: [AdminOption] {
    [
      AdminOption("concurrency", .number(UInt64(workers.count))),
      AdminOption("config_path", .text(options.configPath ?? "")),
      AdminOption("config_yaml", .text(options.configYAML ?? "")),
      AdminOption("admin_address_path", .text(options.adminAddressPath ?? "")),
      AdminOption("log_level", .text(options.logLevel)),
      AdminOption("log_path", .text(options.logPath ?? "")),
      AdminOption("service_cluster", .text(options.serviceCluster)),
      AdminOption("service_node", .text(options.serviceNode)),
      AdminOption("service_zone", .text(options.serviceZone)),
      AdminOption("file_flush_interval", .text(Self.seconds(options.fileFlushIntervalMilliseconds))),
      AdminOption("drain_time", .text("\(options.drainSeconds)s")),
    ]
  }

  private static func seconds(_ milliseconds: UInt64) -> String {
    milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(Double(milliseconds) / 1000)s"
  }

  public var configuration: AdminConfiguration? {
    var bootstrap = loaded.bootstrap
    if !options.serviceNode.isEmpty { bootstrap.node.id = options.serviceNode }
    if !options.serviceCluster.isEmpty { bootstrap.node.cluster = options.serviceCluster }
    if !options.serviceZone.isEmpty { bootstrap.node.locality.zone = options.serviceZone }
    return AdminConfiguration(bootstrap: bootstrap, loadedAtNanoseconds: loadedAt)
  }

  public var listeners: [AdminListener] {
    current.snapshot.listeners.map {
      AdminListener(name: $0.pointer.pointee.name, addresses: $0.pointer.pointee.addresses)
    }
  }

  public var clusters: [AdminCluster] {
    compiler.hostSets.map { AdminCluster(config: $0.config, hosts: $0.hosts) }
  }

  public func explain(_ request: ExplainedRequest) -> Explanation {
    Explainer(
      loaded, current.snapshot, compiler.hostSets, facts: { [unowned self] in facts(ofHost: $0) }, failsHealthChecks: failsHealthChecks
    ).explain(request)
  }

  public func facts(ofHost number: UInt32) -> AdminHostFacts {
    AdminHostFacts(
      outlier: upstreams?.outlierFacts(ofHost: number), checks: upstreams?.checkFacts(ofHost: number) ?? [])
  }

  public func updateGauges() { upstreams?.updateGauges() }

  public func outlierLatency(ofCluster name: String) -> (median: Double?, threshold: Double?)? {
    upstreams?.outlierLatency(ofCluster: name)
  }

  public func outlierRates(ofCluster name: String) -> OutlierRates? { upstreams?.outlierRates(ofCluster: name) }

  public var certificates: [TLSInventory] { compiler.inventories }

  public func value(of counter: Counter) -> UInt64 { registry.value(of: counter) }
  public func value(of gauge: Gauge) -> UInt64 { registry.value(of: gauge) }
  public var logLevels: any AdminLogLevels { log }

  // MARK: What can be done

  public func setFailsHealthChecks(_ fails: Bool) {
    failsHealthChecks = fails
    flags.failsHealthChecks.store(fails, ordering: .relaxed)
    log.warning(.admin, fails ? "health checks fail from now on" : "health checks pass again")
  }

  public func drainListeners(_ options: AdminDrainOptions) {
    log.warning(.admin, "draining listeners")
    if options.isInboundOnly {
      // Workers do not know directions: saying so beats draining half of what was asked.
      log.warning(.admin, "inboundonly is not honoured yet: all listeners drain")
    }
    if options.skipsExit || options.isGraceful {
      tellWorkers(WorkerMessage.drainListeners)
      if options.skipsExit { return }
    }
    tellWorkers(WorkerMessage.drain)
  }

  public func quit() { beginShutdown(reason: "/quitquitquit") }

  public func reopenLogs() {
    log.info(.main, "reopening log files")
    for failure in logWriter.reopen() { log.error(.logging, "\(failure)") }
    do { try log.reopen() } catch { log.error(.logging, "\(error)") }
  }

  public func resetCounters() { registry.resetCounters() }

  public func reload() -> AdminReloadOutcome {
    let generation = current.snapshot.generation
    let problems = reload(reason: "the admin page asked for it")
    if !problems.isEmpty {
      return .refused(problems.map(\.description).joined(separator: "\n"))
    }
    return current.snapshot.generation == generation ? .unchanged : .applied
  }
}
