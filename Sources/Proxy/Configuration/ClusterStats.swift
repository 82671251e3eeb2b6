import Stats

/// Statistics of one cluster (`cluster.<name>.`), under Envoy's names.
public struct ClusterStats: Sendable {
  public let cxTotal, cxHTTP1Total, cxHTTP2Total, cxConnectFail, cxConnectTimeout, cxConnectAttemptsExceeded,
    cxIdleTimeout, cxMaxDurationReached, cxMaxRequests, cxOverflow, cxPoolOverflow, cxNoneHealthy, cxDestroy,
    cxDestroyLocal, cxDestroyRemote, cxDestroyWithActiveRq, cxDestroyLocalWithActiveRq,
    cxDestroyRemoteWithActiveRq, cxProtocolError, cxCloseNotify, cxRxBytes, cxTxBytes,
    bindErrors: Counter
  public let cxActive, cxRxBuffered, cxTxBuffered: Gauge
  public let cxConnectMs, cxLengthMs: Histogram

  public let rqTotal, rqPendingTotal, rqPendingOverflow, rqPendingFailureEject, rqActiveOverflow,
    rqCancelled, rqMaintenanceMode, rqDropOverload, rqTimeout, rqPerTryTimeout, rqMaxDurationReached, rqRxReset,
    rqTxReset, rqRetry, rqRetrySuccess, rqRetryOverflow, rqRetryLimitExceeded, rqRetryBackoffExponential,
    rqRetryBackoffRateLimited, rqRetryAbandoned, rqPerTryIdleTimeout, rqPerCx, internalRedirectSucceeded,
    internalRedirectFailed,
    flowPausedReading, flowResumedReading, flowBackedUp, flowDrained: Counter
  public let rqActive, rqPendingActive: Gauge
  public let rqTime: Histogram
  public let codes: ResponseCodeStats
  /// Requests of internal callers, and of others.
  public let internalRequests, externalRequests: RequestKindStats
  /// Requests that a canary answered: its host's metadata or the response says so.
  public let canaryRequests: RequestKindStats
  /// Responses that were dropped for another attempt.
  public let retryCodes: ResponseCodeStats
  public let membershipChange: Counter
  /// Choices in a level in panic.
  public let lbHealthyPanic: Counter
  public let zones: ZoneStats
  public let subsets: SubsetStats
  public let membershipTotal, membershipHealthy, membershipDegraded, membershipExcluded, maxHostWeight: Gauge
  public let defaultBreakers, highBreakers: BreakerStats

  public struct BreakerStats: Sendable {
    public let cxOpen, cxPoolOpen, rqPendingOpen, rqOpen, rqRetryOpen: Gauge

    init(_ scope: StatsScope, _ priority: String) {
      let prefix = "circuit_breakers.\(priority)."
      cxOpen = scope.gauge(prefix + "cx_open")
      cxPoolOpen = scope.gauge(prefix + "cx_pool_open")
      rqPendingOpen = scope.gauge(prefix + "rq_pending_open")
      rqOpen = scope.gauge(prefix + "rq_open")
      rqRetryOpen = scope.gauge(prefix + "rq_retry_open")
    }
  }

  /// With `track_remaining`.
  public struct RemainingStats: Sendable {
    public let connections, pending, requests, retries, pools: Gauge

    public init(_ scope: StatsScope, isHigh: Bool) {
      let prefix = "circuit_breakers.\(isHigh ? "high" : "default").remaining_"
      connections = scope.gauge(prefix + "cx")
      pending = scope.gauge(prefix + "pending")
      requests = scope.gauge(prefix + "rq")
      retries = scope.gauge(prefix + "retries")
      pools = scope.gauge(prefix + "cx_pools")
    }
  }

  public init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter(name) }
    cxTotal = counter("upstream_cx_total")
    cxHTTP1Total = counter("upstream_cx_http1_total")
    cxHTTP2Total = counter("upstream_cx_http2_total")
    cxConnectFail = counter("upstream_cx_connect_fail")
    cxConnectTimeout = counter("upstream_cx_connect_timeout")
    cxConnectAttemptsExceeded = counter("upstream_cx_connect_attempts_exceeded")
    cxIdleTimeout = counter("upstream_cx_idle_timeout")
    cxMaxDurationReached = counter("upstream_cx_max_duration_reached")
    cxMaxRequests = counter("upstream_cx_max_requests")
    cxOverflow = counter("upstream_cx_overflow")
    cxPoolOverflow = counter("upstream_cx_pool_overflow")
    cxNoneHealthy = counter("upstream_cx_none_healthy")
    cxDestroy = counter("upstream_cx_destroy")
    cxDestroyLocal = counter("upstream_cx_destroy_local")
    cxDestroyRemote = counter("upstream_cx_destroy_remote")
    cxDestroyWithActiveRq = counter("upstream_cx_destroy_with_active_rq")
    cxDestroyLocalWithActiveRq = counter("upstream_cx_destroy_local_with_active_rq")
    cxDestroyRemoteWithActiveRq = counter("upstream_cx_destroy_remote_with_active_rq")
    cxProtocolError = counter("upstream_cx_protocol_error")
    cxCloseNotify = counter("upstream_cx_close_notify")
    cxRxBytes = counter("upstream_cx_rx_bytes_total")
    cxTxBytes = counter("upstream_cx_tx_bytes_total")
    bindErrors = counter("bind_errors")
    cxActive = scope.gauge("upstream_cx_active")
    cxRxBuffered = scope.gauge("upstream_cx_rx_bytes_buffered")
    cxTxBuffered = scope.gauge("upstream_cx_tx_bytes_buffered")
    cxConnectMs = scope.histogram("upstream_cx_connect_ms")
    cxLengthMs = scope.histogram("upstream_cx_length_ms")
    rqTotal = counter("upstream_rq_total")
    rqPendingTotal = counter("upstream_rq_pending_total")
    rqPendingOverflow = counter("upstream_rq_pending_overflow")
    rqPendingFailureEject = counter("upstream_rq_pending_failure_eject")
    rqActiveOverflow = counter("upstream_rq_active_overflow")
    rqCancelled = counter("upstream_rq_cancelled")
    rqMaintenanceMode = counter("upstream_rq_maintenance_mode")
    rqDropOverload = counter("upstream_rq_drop_overload")
    rqTimeout = counter("upstream_rq_timeout")
    rqPerTryTimeout = counter("upstream_rq_per_try_timeout")
    rqMaxDurationReached = counter("upstream_rq_max_duration_reached")
    rqRxReset = counter("upstream_rq_rx_reset")
    rqTxReset = counter("upstream_rq_tx_reset")
    rqRetry = counter("upstream_rq_retry")
    rqRetrySuccess = counter("upstream_rq_retry_success")
    rqRetryOverflow = counter("upstream_rq_retry_overflow")
    rqRetryLimitExceeded = counter("upstream_rq_retry_limit_exceeded")
    rqRetryBackoffExponential = counter("upstream_rq_retry_backoff_exponential")
    rqRetryBackoffRateLimited = counter("upstream_rq_retry_backoff_ratelimited")
    rqRetryAbandoned = counter("retry_or_shadow_abandoned")
    rqPerTryIdleTimeout = counter("upstream_rq_per_try_idle_timeout")
    rqPerCx = counter("upstream_rq_per_cx")
    internalRedirectSucceeded = counter("upstream_internal_redirect_succeeded_total")
    internalRedirectFailed = counter("upstream_internal_redirect_failed_total")
    flowPausedReading = counter("upstream_flow_control_paused_reading_total")
    flowResumedReading = counter("upstream_flow_control_resumed_reading_total")
    flowBackedUp = counter("upstream_flow_control_backed_up_total")
    flowDrained = counter("upstream_flow_control_drained_total")
    rqActive = scope.gauge("upstream_rq_active")
    rqPendingActive = scope.gauge("upstream_rq_pending_active")
    rqTime = scope.histogram("upstream_rq_time")
    codes = ResponseCodeStats(scope, prefix: "upstream_rq_")
    internalRequests = RequestKindStats(scope, "internal.")
    externalRequests = RequestKindStats(scope, "external.")
    canaryRequests = RequestKindStats(scope, "canary.")
    retryCodes = ResponseCodeStats(scope, prefix: "retry.upstream_rq_")
    membershipChange = counter("membership_change")
    lbHealthyPanic = counter("lb_healthy_panic")
    zones = ZoneStats(scope)
    subsets = SubsetStats(scope)
    membershipTotal = scope.gauge("membership_total")
    membershipHealthy = scope.gauge("membership_healthy")
    membershipDegraded = scope.gauge("membership_degraded")
    membershipExcluded = scope.gauge("membership_excluded")
    maxHostWeight = scope.gauge("max_host_weight")
    defaultBreakers = BreakerStats(scope, "default")
    highBreakers = BreakerStats(scope, "high")
  }
}

/// `completed`, `1xx`...`5xx` and one counter a code.
public struct ResponseCodeStats: Sendable {
  public let completed, c1xx, c2xx, c3xx, c4xx, c5xx: Counter
  public let codes: CodeFamily?

  /// - Parameter withCodes: Whether every single code has a counter too (clusters do).
  public init(_ scope: StatsScope, prefix: String, withCodes: Bool = true) {
    completed = scope.counter(prefix + "completed")
    c1xx = scope.counter(prefix + "1xx")
    c2xx = scope.counter(prefix + "2xx")
    c3xx = scope.counter(prefix + "3xx")
    c4xx = scope.counter(prefix + "4xx")
    c5xx = scope.counter(prefix + "5xx")
    codes = withCodes ? scope.codeFamily(String(prefix.dropLast())) : nil
  }

  @inline(__always)
  func record(_ code: UInt16, _ slab: StatsSlab) {
    slab.increment(completed)
    recordClass(code, slab)
  }

  /// A response (1xx) that completes nothing.
  func recordInterim(_ code: UInt16, _ slab: StatsSlab) { recordClass(code, slab) }

  @inline(__always)
  private func recordClass(_ code: UInt16, _ slab: StatsSlab) {
    switch code / 100 {
    case 1: slab.increment(c1xx)
    case 2: slab.increment(c2xx)
    case 3: slab.increment(c3xx)
    case 4: slab.increment(c4xx)
    case 5: slab.increment(c5xx)
    default: break
    }
    if let codes { slab.increment(codes, code: code) }
  }
}
