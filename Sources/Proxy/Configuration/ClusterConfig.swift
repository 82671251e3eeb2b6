import HTTP2
import HTTPCore
import Primitives
import Routing
import Stats

/// The settings of one cluster as workers see them. Its hosts are in a ``HostSet``.
public struct ClusterConfig {
  /// What its hosts speak.
  public enum UpstreamProtocol: UInt8, Sendable {
    case http1
    case http2
    /// Whatever the client of the request does.
    case asDownstream
    /// What the host chooses in the TLS handshake (ALPN).
    case automatic
  }

  public struct Keepalive: Sendable, Equatable {
    /// 0 = the system's default.
    public var probes: Int32 = 0
    public var timeSeconds: Int32 = 0
    public var intervalSeconds: Int32 = 0
    public init() {}
  }

  /// Index into a snapshot's clusters; stays with the name.
  public var slot: UInt32
  public var name: FrozenText
  /// Label in statistics: `alt_stat_name` or the name.
  public var statName: String
  public var stats: ClusterStats
  public let shared: ClusterShared
  /// The same for workers, without the reference count.
  let sharedReference: Unmanaged<ClusterShared>
  public var connectTimeoutNanoseconds: UInt64 = 5_000_000_000
  public var bufferLimitBytes = 1 << 20
  /// Requests need hashes: hosts are chosen by them.
  public var hashesRequests = false
  /// What they are made of, in place of what the route says.
  public private(set) var hashPolicies: HashPolicyList?
  private var hashOwner: HashPolicies?
  public var normalLimits = ClusterLimits()
  public var highLimits = ClusterLimits()
  /// 0 = unlimited.
  public var maxRequestsPerConnection: UInt32 = 0
  public var keepalive: Keepalive?
  /// Idle pooled HTTP connections are closed after this; 0 = never.
  public var idleTimeoutNanoseconds: UInt64 = 3_600_000_000_000
  /// 0 = none.
  public var maxConnectionDurationNanoseconds: UInt64 = 0
  public var maxResponseHeadBytes = 80 * 1024
  public var maxResponseHeaders = 100
  public var enableTrailers = false
  /// TLS to its hosts, by what ``HostConfig/transport`` says; nil = plain.
  public var transports = FrozenList<TLSUpstreamTransport?>([])
  /// Requests for different names go to different TLS connections: the name comes from this header of the request
  /// (`:authority` as a rule). Nil = all requests ask for the same.
  public private(set) var nameHeader: FrozenText? { didSet { notePools() } }
  private(set) var nameHeaderKnown = KnownHeader.other
  public var upstreamProtocol = UpstreamProtocol.http1 { didSet { notePools() } }
  /// Whether its hosts have pools of several kinds. Stored: to ask a property that is computed, a request would copy
  /// all of this.
  private(set) var hasPools = false
  /// For clusters that may speak HTTP/2.
  public var http2Owner: Frozen<HTTP2Config>? {
    didSet { http2 = http2Owner?.pointer }
  }
  /// The same memory, without the reference count.
  public private(set) var http2: UnsafeMutablePointer<HTTP2Config>?
  /// Where its HTTP/2 connections count: also those that are left from before it stopped to speak HTTP/2.
  public var http2StatsOwner: Frozen<HTTP2Config>? {
    didSet { http2Stats = http2StatsOwner?.pointer }
  }
  private(set) var http2Stats: UnsafeMutablePointer<HTTP2Config>?
  /// `drop_overloads`: how many of a million requests are answered without a host.
  public var dropsPerMillion: UInt32 = 0 { didSet { noteRefusals() } }
  /// The same of a hundred: the runtime key `upstream.maintenance_mode.<cluster>`.
  public var maintenancePercent: UInt32 = 0 { didSet { noteRefusals() } }
  /// How many of a hundred repeats that are due are made: the runtime key `upstream.use_retry`.
  public var retryPercent: UInt32 = 100
  /// Of repeats whose policy has none of its own: the runtime key `upstream.base_retry_backoff_ms`.
  public var retryBackoff = RetryBackoff.standard
  /// Whether some requests are answered without a host whatever its limits.
  private(set) var refusesSome = false
  /// A request that found no connection goes once to another host.
  public var repeatsConnectFailures = true
  /// From a connection to the end of an attempt; 0 = none.
  public var maxStreamDurationNanoseconds: UInt64 = 0
  /// Header names go out as `Proper-Case`.
  public var usesProperCaseHeaders = false
  /// Sessions of TCP end with their host (`close_connections_on_host_health_failure`).
  public var closesOnHostFailure = false
  /// All connections are given up when hosts come or go (`common_lb_config.close_connections_on_host_set_change`).
  public var drainsOnHostSetChange = false
  /// With outlier detection.
  public var outlierCounting: OutlierCounting?
  /// Its hosts are checked: one may say of itself that it fails.
  public var hasActiveChecks = false
  /// What must live as long as this configuration (``StatsScopeOwner``).
  public var owners: [AnyObject] = []

  public mutating func setHash(_ policies: HashPolicies) {
    hashPolicies = policies.list
    hashOwner = policies
  }

  /// - Parameter header: In lower case.
  public mutating func takeName(from header: String) {
    let text = FrozenText(header)
    nameHeaderKnown = KnownHeaderTable.shared.find(text.view)
    nameHeader = text
  }

  private mutating func noteRefusals() { refusesSome = dropsPerMillion > 0 || maintenancePercent > 0 }

  private mutating func notePools() {
    hasPools =
      upstreamProtocol == .asDownstream || upstreamProtocol == .automatic || nameHeader != nil
  }

  /// How many requests a connection that is on its way will take.
  var streamsPerConnection: Int {
    Int(min(http2?.pointee.options.maxConcurrentStreams ?? 1, 100))
  }

  public init(
    slot: UInt32, name: String, statName: String, stats: ClusterStats, shared: ClusterShared
  ) {
    self.slot = slot
    self.name = FrozenText(name)
    self.statName = statName
    self.stats = stats
    self.shared = shared
    self.sharedReference = .passUnretained(shared)
  }
}
