import HTTPCore
import Primitives
import Stats

/// One listener as workers see it.
public struct ListenerConfig {
  public struct ListenerStats: Sendable {
    public let cxTotal, cxDestroy, cxOverflow, preCxTimeout, cxTransportTimeout, noFilterChainMatch: Counter
    public let cxActive, preCxActive: Gauge
    public let cxLengthMs: Histogram
    /// `worker_<i>.downstream_cx_total` and `_active`, by worker.
    public let workerCxTotal: FrozenList<Counter>
    public let workerCxActive: FrozenList<Gauge>
    public let proxyProtocolError: Counter

    public init(_ scope: StatsScope, workerNames: [String]) {
      cxTotal = scope.counter("downstream_cx_total")
      cxDestroy = scope.counter("downstream_cx_destroy")
      cxOverflow = scope.counter("downstream_cx_overflow")
      preCxTimeout = scope.counter("downstream_pre_cx_timeout")
      cxTransportTimeout = scope.counter("downstream_cx_transport_socket_connect_timeout")
      noFilterChainMatch = scope.counter("no_filter_chain_match")
      cxActive = scope.gauge("downstream_cx_active")
      preCxActive = scope.gauge("downstream_pre_cx_active")
      cxLengthMs = scope.histogram("downstream_cx_length_ms")
      workerCxTotal = FrozenList(
        workerNames.map { scope.counter("\($0).downstream_cx_total") })
      workerCxActive = FrozenList(
        workerNames.map { scope.gauge("\($0).downstream_cx_active") })
      proxyProtocolError = scope.counter("proxy_proto.downstream_cx_proxy_proto_error")
    }
  }

  /// `envoy.filters.listener.proxy_protocol`.
  public struct ProxyProtocol: Sendable {
    public var allowsRequestsWithout = false
    public init() {}
  }

  /// What reads a connection's first bytes before its chain is chosen, in this order.
  public struct ListenerFilters: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let proxyProtocol = ListenerFilters(rawValue: 1 << 0)
    public static let tlsInspector = ListenerFilters(rawValue: 1 << 1)
  }

  public struct TLSInspector: Sendable {
    public var helloBytesMax = 16 << 10
    /// Otherwise a hello that cannot be read is taken for plain bytes.
    public var closesOnMalformed = false
    public init() {}
  }

  /// Identifies the listener over configuration changes: its name.
  public var name: String
  /// The same in a number, for messages between workers.
  public var number: UInt32 = 0
  /// The addresses it is bound to; `sockets` of a worker are in the same order.
  public var addresses: [SocketAddress]
  /// By worker, then by address. A worker closes its own when the listener goes.
  public var sockets: [[Int32]]
  /// Changes when anything but the route tables changes: connections of an earlier version drain.
  public var version: UInt64
  public var stats: ListenerStats
  public var chains: FrozenList<Frozen<FilterChainConfig>>
  public var matcher: FilterChainMatcher
  /// Whether choosing a chain needs the address that the client connected to.
  public var needsDestination: Bool
  public var bufferLimitBytes = 1 << 20
  public var listenerFilters: ListenerFilters = []
  public var proxyProtocol = ProxyProtocol()
  public var tlsInspector = TLSInspector()
  /// With the TLS inspector.
  public var inspectorStats: TLSInspectorStats?
  /// 0 = off.
  public var listenerFiltersTimeoutNanoseconds: UInt64 = 15_000_000_000
  public var continueOnListenerFiltersTimeout = false
  public var accessLogs: AccessLogList
  /// `addresses` as log records want them.
  public var localEndpoints: FrozenList<StreamInfo.Endpoint>
  private let paths: [FrozenText]
  /// What must live as long as this configuration (``StatsScopeOwner``).
  public var owners: [AnyObject] = []

  public init(
    name: String, addresses: [SocketAddress], sockets: [[Int32]], version: UInt64,
    stats: ListenerStats, chains: [Frozen<FilterChainConfig>], matcher: FilterChainMatcher,
    accessLogs: AccessLogList
  ) {
    self.name = name
    self.addresses = addresses
    self.sockets = sockets
    self.version = version
    self.stats = stats
    self.chains = FrozenList(chains)
    self.matcher = matcher
    self.needsDestination = matcher.needsDestination
    self.accessLogs = accessLogs
    let paths = addresses.map { FrozenText($0.ip == nil ? $0.description : "") }
    self.paths = paths
    self.localEndpoints = FrozenList(
      zip(addresses, paths).map {
        StreamInfo.Endpoint(ip: $0.ip, port: $0.port ?? 0, path: $1.view)
      })
  }
}
