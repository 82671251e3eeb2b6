import HTTP1
import HTTPCore
import Primitives
import Routing
import Stats

/// `envoy.filters.network.http_connection_manager`: how one filter chain speaks HTTP.
public struct HTTPConnectionManagerConfig {
  /// Which versions a client may speak.
  public enum Codec: UInt8, Sendable {
    /// What ALPN or the first bytes say.
    case automatic
    case http1
    case http2
  }

  /// A protocol that requests may switch to, or not.
  public struct Upgrade {
    public var type: FrozenText
    public var isEnabled: Bool
    /// A chain of its own; nil = the listener's.
    public var filters: FilterChain?
    /// Where this chain begins among the filters that route tables know.
    public var filterBase = 0

    public init(type: String, isEnabled: Bool) {
      self.type = FrozenText(type)
      self.isEnabled = isEnabled
    }
  }

  public enum ServerHeader: UInt8, Sendable { case overwrite, appendIfAbsent, passThrough }

  public var stats: HTTPStats
  public var listenerCodes: ResponseCodeStats
  public var codec = Codec.automatic
  private let http2Owner: Frozen<HTTP2Config>
  /// The same memory, without the reference count.
  public let http2: UnsafeMutablePointer<HTTP2Config>
  public var limits = HTTP1Limits()
  public var options = HTTP1RequestOptions()
  /// HTTP/1 trailers pass; otherwise they are dropped.
  public var enableTrailers = false
  public var usesProperCaseHeaders = false
  public var defaultHostForHTTP10: FrozenText?
  /// Index into a snapshot's route tables; the table may change while the chain stays.
  public var routeTable: UInt32
  public var filters: FilterChain
  /// Answers instead of the router; the admin page is one.
  public var terminal: HTTPTerminal? {
    didSet { terminalReference = terminal.map { .passUnretained($0) } }
  }
  /// The same for workers, without the reference count.
  private(set) var terminalReference: Unmanaged<HTTPTerminal>?

  // Timeouts in nanoseconds; 0 = off.
  public var idleTimeout: UInt64 = 3_600_000_000_000
  public var maxConnectionDuration: UInt64 = 0
  public var maxStreamDuration: UInt64 = 0
  public var streamIdleTimeout: UInt64 = 300_000_000_000
  public var requestTimeout: UInt64 = 0
  public var requestHeadersTimeout: UInt64 = 0
  public var delayedCloseTimeout: UInt64 = 1_000_000_000
  /// From the first GOAWAY of an HTTP/2 connection to the last.
  public var drainTimeout: UInt64 = 5_000_000_000
  /// How long a client may take nothing of a complete HTTP/2 response; nil = the stream's idle timeout.
  public var streamFlushTimeout: UInt64?
  /// 0 = unlimited.
  public var maxRequestsPerConnection: UInt32 = 0

  // Identity and forwarding (proxy-semantics: x-forwarded-for, x-request-id)
  public var useRemoteAddress = false
  public var trustedHops = 0
  public var skipXFFAppend = false
  public var appendForwardedPort = false
  public var via: FrozenText?
  public var serverName = FrozenText("envoy")
  public var serverHeader = ServerHeader.overwrite
  public var generateRequestID = true
  public var preserveExternalRequestID = false
  public var alwaysSetRequestIDInResponse = false
  public var packTraceReason = true
  public var internalRanges = FrozenList<AddressRange>([])
  public var internalUnixSockets = false
  /// `add_user_agent`: the service cluster and node of this proxy.
  public var addUserAgent = false
  public var serviceCluster = FrozenText("")
  public var serviceNode = FrozenText("")
  public var proxy100Continue = false
  /// `upgrade_configs`; a route's count more.
  public var upgrades = FrozenList<Upgrade>([])
  public var certificateForwarding = CertificateForwarding.sanitize
  /// A format of this listener tells of TLS to hosts.
  public var keepsUpstreamTLS = false
  /// `respect_expected_rq_timeout`
  public var respectsExpectedTimeout = false
  /// A format asks for sentences about failures.
  public var explainsFailures = false

  // The target
  public var pathRules = PathNormalization()
  public var hostRules = HostNormalization()

  public var localReplies: LocalReplyConfig?
  public var accessLogs: AccessLogList
  /// The router filter's own.
  public var suppressEnvoyHeaders = false

  public init(
    stats: HTTPStats, listenerCodes: ResponseCodeStats, http2: Frozen<HTTP2Config>,
    routeTable: UInt32, filters: FilterChain, accessLogs: AccessLogList
  ) {
    self.http2Owner = http2
    self.http2 = http2.pointer
    self.stats = stats
    self.listenerCodes = listenerCodes
    self.routeTable = routeTable
    self.filters = filters
    self.accessLogs = accessLogs
  }
}
