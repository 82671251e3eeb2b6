import Stats

/// Statistics of one connection manager (`http.<stat_prefix>.`), under Envoy's names.
public struct HTTPStats: Sendable {
  public let cxTotal, cxHTTP1Total, cxHTTP2Total, cxDestroy, cxDestroyLocal, cxDestroyRemote, cxDestroyActiveRq,
    cxDestroyLocalActiveRq, cxDestroyRemoteActiveRq, cxProtocolError, cxRxBytes, cxTxBytes,
    cxDrainClose, cxDelayedCloseTimeout, cxIdleTimeout, cxMaxDurationReached, cxMaxRequestsReached, cxUpgradesTotal,
    flowPaused, flowResumed: Counter
  public let cxActive, cxHTTP1Active, cxHTTP2Active, cxUpgradesActive: Gauge
  public let cxLengthMs: Histogram
  public let rqTotal, rqHTTP1Total, rqHTTP2Total, rqTooManyPrematureResets, rqRxReset, rqTxReset, rqTimeout, rqHeaderTimeout, rqIdleTimeout,
    rqMaxDurationReached, rqNonRelativePath, rqTooLarge, rqResponseBeforeComplete,
    rqUpgradeRefused, rqFailedPathNormalization, rqRedirectedWithNormalizedPath, rsTooLarge: Counter
  public let rqActive: Gauge
  public let rqTime: Histogram
  public let codes: ResponseCodeStats
  // The router's
  public let noRoute, noCluster, routerTotal, redirect, directResponse,
    resetAfterResponseStarted: Counter
  // Redirects of hosts that were passed on, and why.
  public let redirectBadLocation, redirectUnsafeScheme, redirectTooMany, redirectNoRoute, redirectPredicate: Counter
  // Phases of every request: where the time went.
  public let poolWait: Histogram

  public init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter(name) }
    cxTotal = counter("downstream_cx_total")
    cxHTTP1Total = counter("downstream_cx_http1_total")
    cxHTTP2Total = counter("downstream_cx_http2_total")
    cxDestroy = counter("downstream_cx_destroy")
    cxDestroyLocal = counter("downstream_cx_destroy_local")
    cxDestroyRemote = counter("downstream_cx_destroy_remote")
    cxDestroyActiveRq = counter("downstream_cx_destroy_active_rq")
    cxDestroyLocalActiveRq = counter("downstream_cx_destroy_local_active_rq")
    cxDestroyRemoteActiveRq = counter("downstream_cx_destroy_remote_active_rq")
    cxProtocolError = counter("downstream_cx_protocol_error")
    cxRxBytes = counter("downstream_cx_rx_bytes_total")
    cxTxBytes = counter("downstream_cx_tx_bytes_total")
    cxDrainClose = counter("downstream_cx_drain_close")
    cxDelayedCloseTimeout = counter("downstream_cx_delayed_close_timeout")
    cxIdleTimeout = counter("downstream_cx_idle_timeout")
    cxMaxDurationReached = counter("downstream_cx_max_duration_reached")
    cxMaxRequestsReached = counter("downstream_cx_max_requests_reached")
    flowPaused = counter("downstream_flow_control_paused_reading_total")
    flowResumed = counter("downstream_flow_control_resumed_reading_total")
    cxActive = scope.gauge("downstream_cx_active")
    cxHTTP1Active = scope.gauge("downstream_cx_http1_active")
    cxHTTP2Active = scope.gauge("downstream_cx_http2_active")
    cxUpgradesTotal = counter("downstream_cx_upgrades_total")
    cxUpgradesActive = scope.gauge("downstream_cx_upgrades_active")
    cxLengthMs = scope.histogram("downstream_cx_length_ms")
    rqTotal = counter("downstream_rq_total")
    rqHTTP1Total = counter("downstream_rq_http1_total")
    rqHTTP2Total = counter("downstream_rq_http2_total")
    rqTooManyPrematureResets = counter("downstream_rq_too_many_premature_resets")
    rqRxReset = counter("downstream_rq_rx_reset")
    rqTxReset = counter("downstream_rq_tx_reset")
    rqTimeout = counter("downstream_rq_timeout")
    rqHeaderTimeout = counter("downstream_rq_header_timeout")
    rqIdleTimeout = counter("downstream_rq_idle_timeout")
    rqMaxDurationReached = counter("downstream_rq_max_duration_reached")
    rqNonRelativePath = counter("downstream_rq_non_relative_path")
    rqTooLarge = counter("downstream_rq_too_large")
    rqResponseBeforeComplete = counter("downstream_rq_response_before_rq_complete")
    rqUpgradeRefused = counter("downstream_rq_ws_on_non_ws_route")
    rqFailedPathNormalization = counter("downstream_rq_failed_path_normalization")
    rqRedirectedWithNormalizedPath = counter("downstream_rq_redirected_with_normalized_path")
    rsTooLarge = counter("rs_too_large")
    rqActive = scope.gauge("downstream_rq_active")
    rqTime = scope.histogram("downstream_rq_time")
    codes = ResponseCodeStats(scope, prefix: "downstream_rq_", withCodes: false)
    redirectBadLocation = counter("passthrough_internal_redirect_bad_location")
    redirectUnsafeScheme = counter("passthrough_internal_redirect_unsafe_scheme")
    redirectTooMany = counter("passthrough_internal_redirect_too_many_redirects")
    redirectNoRoute = counter("passthrough_internal_redirect_no_route")
    redirectPredicate = counter("passthrough_internal_redirect_predicate")
    noRoute = counter("no_route")
    noCluster = counter("no_cluster")
    routerTotal = counter("rq_total")
    redirect = counter("rq_redirect")
    directResponse = counter("rq_direct_response")
    resetAfterResponseStarted = counter("rq_reset_after_downstream_response_started")
    poolWait = scope.histogram("upstream_pool_wait")
  }
}
