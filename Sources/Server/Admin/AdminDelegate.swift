import ConfigSchema
import Primitives
import Proxy
import Stats
import Upstreams

/// What the admin pages show of the process and what they can make it do.
///
/// All calls come on the main thread, from within a request: each must return at once. What takes long
/// (a drain, an exit) is started, not awaited.
public protocol AdminDelegate: AnyObject {
  // What is.
  var state: AdminState { get }
  /// For example `1.0.0`.
  var version: String { get }
  var uptimeSeconds: UInt64 { get }
  /// The command line as `/server_info` prints it, in its order.
  var commandLineOptions: [AdminOption] { get }
  /// The configuration in use; nil before the first one.
  var configuration: AdminConfiguration? { get }
  /// Listeners that accept, with the ports that they really have.
  var listeners: [AdminListener] { get }
  /// In the order of the configuration.
  var clusters: [AdminCluster] { get }
  /// What checks and outlier detection say of a host.
  func facts(ofHost number: UInt32) -> AdminHostFacts
  /// Brings gauges up to date that nobody writes while things happen.
  func updateGauges()
  /// Success rates of a cluster with outlier detection.
  func outlierRates(ofCluster name: String) -> OutlierRates?
  /// Median of the hosts' times at the last sweep and what an outlier has passed, in milliseconds; nil where slow hosts are
  /// not looked for.
  func outlierLatency(ofCluster name: String) -> (median: Double?, threshold: Double?)?
  /// Which way a request would take now.
  func explain(_ request: ExplainedRequest) -> Explanation
  /// What TLS presents and trusts, one for each chain and cluster.
  var certificates: [TLSInventory] { get }
  var registry: StatsRegistry { get }
  /// Cells that no list of metrics shows: those of hosts.
  func value(of counter: Counter) -> UInt64
  func value(of gauge: Gauge) -> UInt64

  // What can be done.
  func setFailsHealthChecks(_ fails: Bool)
  func drainListeners(_ options: AdminDrainOptions)
  /// Ends the process in good order; the answer to the request goes out first if it can.
  func quit()
  func reopenLogs()
  func resetCounters()
  /// Loads the configuration again. An error is the whole text for the operator, and nothing has changed.
  func reload() -> AdminReloadOutcome
  var logLevels: any AdminLogLevels { get }
}

/// A host beside its configuration and flags.
public struct AdminHostFacts {
  public var outlier: OutlierFacts?
  public var checks: [CheckFacts] = []
}

/// `envoy.admin.v3.ServerInfo.State`.
public enum AdminState: String, Sendable {
  case live = "LIVE"
  case draining = "DRAINING"
  case preInitializing = "PRE_INITIALIZING"
  case initializing = "INITIALIZING"
}

/// One option of the command line, under Envoy's name where there is one.
public struct AdminOption: Sendable {
  public enum Value: Sendable {
    case text(String)
    case number(UInt64)
    case flag(Bool)
  }

  public let name: String
  public let value: Value

  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// A configuration and when it came into use.
public struct AdminConfiguration: Sendable {
  public let bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap
  /// Nanoseconds since 1970.
  public let loadedAtNanoseconds: Int64

  public init(bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap, loadedAtNanoseconds: Int64) {
    self.bootstrap = bootstrap
    self.loadedAtNanoseconds = loadedAtNanoseconds
  }
}

/// A cluster and the hosts that workers have of it.
public struct AdminCluster {
  public let config: Frozen<ClusterConfig>
  public let hosts: Frozen<HostSet>

  public init(config: Frozen<ClusterConfig>, hosts: Frozen<HostSet>) {
    self.config = config
    self.hosts = hosts
  }

  var name: String { config.pointer.pointee.name.view.string }
}

public struct AdminListener: Sendable {
  public let name: String
  /// The first is the listener's own, others are its `additional_addresses`.
  public let addresses: [SocketAddress]

  public init(name: String, addresses: [SocketAddress]) {
    self.name = name
    self.addresses = addresses
  }
}

/// `POST /drain_listeners`.
public struct AdminDrainOptions: Sendable, Equatable {
  /// Ask connections to end for a while before the listeners close.
  public var isGraceful = false
  /// Only listeners whose `traffic_direction` is INBOUND.
  public var isInboundOnly = false
  /// Ask connections to end, and go on accepting.
  public var skipsExit = false
  public init() {}
}

public enum AdminReloadOutcome: Sendable, Equatable {
  case applied
  case unchanged
  case refused(String)
}

/// The levels that `/logging` shows and sets.
public protocol AdminLogLevels: Sendable {
  /// In alphabetical order.
  var loggers: [(name: String, level: ProcessLog.Level)] { get }
  func setAll(_ level: ProcessLog.Level)
  /// False when there is no such logger.
  func set(_ logger: String, to level: ProcessLog.Level) -> Bool
}
