import Foundation
import Format
import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats
import Synchronization
import Testing

@testable import Proxy

/// A real worker on its own thread with a listener on 127.0.0.1, a cluster with one test origin, and
/// a snapshot made by hand.
final class ProxyHarness: @unchecked Sendable {
  // Sendable: what the worker's thread touches is only touched by closures that run there.

  /// What a test wants different.
  struct Setup {
    /// Makes the filters, with the scope `http.p.`.
    var filters: (StatsScope) throws -> [HTTPFilter] = { _ in [] }
    var filterConfigs: [AnyObject] = []
    /// Settings of the virtual host: names and slots in `filterConfigs`.
    var virtualHostFilterConfigs: [FilterConfigSpec] = []
    /// Nil: everything goes to the cluster.
    var routes: [RouteSpec]?
    var manager: (inout HTTPConnectionManagerConfig) -> Void = { _ in }
    var cluster: (inout ClusterConfig) -> Void = { _ in }
    /// The cluster's hosts, given the origin.
    var hosts: (Frozen<HostConfig>, StatsRegistry) throws -> Frozen<HostSet> = { origin, _ in
      HostSetBuilder(BalanceSettings()).build([origin], flags: [[]])
    }
    var bufferLimitBytes = 1 << 20
    var origin: TestOrigin.Handler = { TestOrigin.ok("\($0)") }
    /// Instead of `origin`: serves one connection to its end.
    var serve: TestOrigin.Server?
    /// Where the cluster's host is; nil = the origin.
    var originPort: UInt16?
    /// The cluster speaks HTTP/2.
    var usesHTTP2 = false
    var sizes = ProxyHarness.smallSizes
    /// Entries of the submission queue.
    var ringEntries: UInt32 = 1024
  }

  static let smallSizes: SegmentPool.Sizes = {
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 64
    sizes.largeCount = 4
    return sizes
  }()

  let registry: StatsRegistry
  let flags = ProcessFlags(drainNanoseconds: 1_000_000_000)
  let origin: TestOrigin
  let port: UInt16
  private let log = LogRing(capacity: 1 << 16)
  private var lines: [String] = []
  private let thread: WorkerThreadForTests
  private var clients: [Weak] = []

  private struct Weak { weak var socket: BlockingSocket? }

  init(_ setup: Setup = Setup()) throws {
    registry = try StatsRegistry(slabCount: 2)
    origin = try TestOrigin(setup.origin, serve: setup.serve)
    let (listener, port) = try BlockingSocket.listen()
    self.port = port
    let scope = registry.makeScope(prefix: "http.p.")
    let filters = try setup.filters(scope)
    var manager = HTTPConnectionManagerConfig(
      stats: HTTPStats(scope),
      listenerCodes: ResponseCodeStats(
        registry.makeScope(prefix: "listener.l."), prefix: "http.p.downstream_rq_",
        withCodes: false),
      http2: Frozen(
        HTTP2Config(options: HTTP2Options(), stats: HTTP2Stats(registry.makeScope(prefix: "")))),
      routeTable: 0, filters: FilterChain(filters),
      accessLogs: AccessLogList([
        AccessLogList.Entry(
          target: 0,
          formatter: try Formatter(
            text: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"),
          filter: nil)
      ]))
    setup.manager(&manager)
    let table = try Self.routeTable(setup, filterNames: filters.map(\.name))
    let cluster = Self.cluster(setup, registry: registry)
    let hosts = try setup.hosts(Self.host(registry: registry, port: setup.originPort ?? origin.port), registry)
    let address = try #require(SocketAddress("127.0.0.1:\(port)"))
    let chain = Frozen(
      FilterChainConfig(name: "c", connectionLimits: [], terminal: .http(Frozen(manager))))
    var config = ListenerConfig(
      name: "l", addresses: [address], sockets: [[listener]], version: 1,
      stats: ListenerConfig.ListenerStats(
        registry.makeScope(prefix: "listener.l."), workerNames: ["worker_0"]),
      chains: [chain],
      matcher: FilterChainMatcher(
        criteria: [FilterChainMatcher.Criteria()], defaultChain: nil),
      accessLogs: AccessLogList())
    config.bufferLimitBytes = setup.bufferLimitBytes
    let snapshot = Snapshot(
      generation: 1, clusters: [Frozen(cluster)], hosts: [hosts], routeTables: [Frozen(table)],
      listeners: [Frozen(config)], workerCount: 1)
    thread = try WorkerThreadForTests(
      slab: registry.slabs[1], snapshot: snapshot,
      environment: WorkerEnvironment(
        stats: WorkerStats(registry.makeScope(prefix: "server.worker_0.")), flags: flags,
        logRings: [log, log]),
      sizes: setup.sizes, ringEntries: setup.ringEntries)
  }

  private static func routeTable(
    _ setup: Setup, filterNames: [String]
  ) throws -> RouteTableConfig {
    var spec = RouteTableSpec()
    spec.name = "r"
    var host = VirtualHostSpec(name: "v", domains: ["*"])
    host.routes =
      setup.routes
      ?? [
        RouteSpec(
          match: RouteMatchSpec(path: .prefix("/")),
          action: .route(ForwardSpec(target: .cluster(0))))
      ]
    host.filterConfigs = setup.virtualHostFilterConfigs
    spec.virtualHosts = [host]
    return RouteTableConfig(
      table: try RouteTable(compiling: spec), filterConfigs: setup.filterConfigs,
      filterNames: filterNames)
  }

  private static func host(registry: StatsRegistry, port: UInt16) throws -> Frozen<HostConfig> {
    let address = try #require(SocketAddress("127.0.0.1:\(port)"))
    return Frozen(
      HostConfig(
        identity: 1, address: address, kernelAddress: try #require(KernelAddress(address)), hostname: "",
        weight: 1, priority: 0, locality: HostConfig.Locality(),
        stats: HostStats(registry.makeScope(prefix: "host."))))
  }

  private static func cluster(_ setup: Setup, registry: StatsRegistry) -> ClusterConfig {
    var cluster = ClusterConfig(
      slot: 0, name: "c", statName: "c",
      stats: ClusterStats(registry.makeScope(prefix: "cluster.c.")), shared: ClusterShared())
    if setup.usesHTTP2 {
      let http2 = Frozen(
        HTTP2Config(options: HTTP2Options(), stats: HTTP2Stats(registry.makeScope(prefix: "cluster.c.http2."))))
      cluster.upstreamProtocol = .http2
      cluster.http2Owner = http2
      cluster.http2StatsOwner = http2
    }
    setup.cluster(&cluster)
    return cluster
  }

  // MARK: Traffic

  func connect() throws -> BlockingSocket {
    let socket = try BlockingSocket.connect(port: port)
    clients.append(Weak(socket: socket))
    return socket
  }

  /// One request on a connection of its own.
  func get(_ path: String = "/", headers: String = "", method: String = "GET") throws
    -> TestMessage
  {
    let client = try connect()
    try client.send("\(method) \(path) HTTP/1.1\r\nhost: h\r\n\(headers)\r\n")
    let answer = try #require(try client.readMessage(hasBody: method != "HEAD"))
    return answer
  }

  // MARK: What can be seen

  /// Value of a counter or gauge; 0 when there is none.
  func value(_ name: String) -> UInt64 {
    registry.metrics.first { $0.name == name }.map { registry.value(of: $0) } ?? 0
  }

  /// Waits until a condition holds, for what no socket can tell.
  func wait(
    for what: String, location: SourceLocation = #_sourceLocation, _ condition: () -> Bool
  ) {
    let deadline = ContinuousClock.now + .seconds(BlockingSocket.deadlineSeconds)
    while !condition() {
      if ContinuousClock.now > deadline {
        Issue.record("waited in vain for \(what)", sourceLocation: location)
        return
      }
      poll(nil, 0, 1)
    }
  }

  /// The next access log record: status, flags, details.
  func nextLogLine() -> String {
    wait(for: "an access log record") {
      log.drain { _, first, second in lines.append(first.string + second.string) }
      return !lines.isEmpty
    }
    return lines.isEmpty ? "" : lines.removeFirst().trimmingCharacters(in: .newlines)
  }

  /// Runs something on the worker's thread, between turns.
  func onWorker<Result: Sendable>(_ body: @escaping @Sendable (Worker) -> Result) -> Result {
    thread.run(body)
  }

  // MARK: The end

  /// Closes the clients, waits until their streams are gone, stops the worker and looks for leaks.
  ///
  /// - Parameters:
  ///   - expected: Requests without a client that still wait for the origin.
  ///   - release: Lets the origin end.
  func finish(streams expected: Int = 0, location: SourceLocation = #_sourceLocation, release: () -> Void = {}) {
    for client in clients { client.socket?.shutdownBoth() }
    wait(for: "clients' connections to end", location: location) {
      value("http.p.downstream_cx_active") == 0
    }
    let streams = onWorker { $0.generation.pointee.streamCount }
    #expect(streams == expected, "streams left", sourceLocation: location)
    #expect(value("http.p.downstream_rq_active") == 0, sourceLocation: location)
    #expect(value("cluster.c.upstream_rq_active") == UInt64(expected), sourceLocation: location)
    let left = thread.stop()
    #expect(left.connections == 0, "connections left", sourceLocation: location)
    #expect(left.segments == 0, "segments lent", sourceLocation: location)
    #expect(left.chunks == 0, "arena chunks lent", sourceLocation: location)
    #expect(
      left.availableBuffers == left.totalBuffers, "receive buffers lent", sourceLocation: location)
    for metric in registry.metrics where metric.kind == .gauge {
      #expect(registry.value(of: metric) == 0, "\(metric.name)", sourceLocation: location)
    }
    release()
    origin.stop()
  }
}

/// Runs a test against a harness and looks for leaks at its end, also when it throws.
func withProxy(
  _ setup: ProxyHarness.Setup = ProxyHarness.Setup(),
  location: SourceLocation = #_sourceLocation, _ body: (ProxyHarness) throws -> Void
) throws {
  let harness = try ProxyHarness(setup)
  defer { harness.finish(location: location) }
  try body(harness)
}
