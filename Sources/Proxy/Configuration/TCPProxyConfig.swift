import Primitives
import Stats

/// `envoy.filters.network.tcp_proxy`.
public struct TCPProxyConfig {
  public struct Target: Sendable {
    public var cluster: UInt32
    public var weight: UInt32

    public init(cluster: UInt32, weight: UInt32) {
      self.cluster = cluster
      self.weight = weight
    }
  }

  public struct ProxyStats: Sendable {
    public let cxTotal, cxNoRoute, cxTxBytes, cxRxBytes, flowPaused, flowResumed, idleTimeout,
      maxDuration, flushTotal: Counter
    public let cxTxBuffered, cxRxBuffered, flushActive: Gauge

    public init(_ scope: StatsScope) {
      cxTotal = scope.counter("downstream_cx_total")
      cxNoRoute = scope.counter("downstream_cx_no_route")
      cxTxBytes = scope.counter("downstream_cx_tx_bytes_total")
      cxRxBytes = scope.counter("downstream_cx_rx_bytes_total")
      cxTxBuffered = scope.gauge("downstream_cx_tx_bytes_buffered")
      cxRxBuffered = scope.gauge("downstream_cx_rx_bytes_buffered")
      flowPaused = scope.counter("downstream_flow_control_paused_reading_total")
      flowResumed = scope.counter("downstream_flow_control_resumed_reading_total")
      idleTimeout = scope.counter("idle_timeout")
      maxDuration = scope.counter("max_downstream_connection_duration")
      flushTotal = scope.counter("upstream_flush_total")
      flushActive = scope.gauge("upstream_flush_active")
    }
  }

  public var stats: ProxyStats
  /// One or more; chosen by weight.
  public var targets: FrozenList<Target>
  public var totalWeight: UInt32
  /// By target: what is wanted of hosts (`metadata_match`).
  public var matches = SubsetMatches([])
  /// 0 = off.
  public var idleTimeoutNanoseconds: UInt64 = 3_600_000_000_000
  public var maxConnectAttempts: UInt32 = 1
  /// The client's address decides which host of a cluster that hashes.
  public var hashesSourceIP = false
  /// 0 = none.
  public var maxDurationNanoseconds: UInt64 = 0
  public var accessLogs: AccessLogList
  /// A format of this listener tells of TLS to hosts.
  public var keepsUpstreamTLS = false
  /// A format of this listener says what went wrong.
  public var explainsFailures = false

  public init(stats: ProxyStats, targets: [Target], accessLogs: AccessLogList) {
    self.stats = stats
    self.targets = FrozenList(targets)
    self.totalWeight = targets.reduce(0) { $0 &+ $1.weight }
    self.accessLogs = accessLogs
  }
}
