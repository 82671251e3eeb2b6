import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Answers health checks of load balancers, or watches them pass (`envoy.filters.http.health_check`).
public final class HealthCheckFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  /// A cluster whose share of healthy hosts decides the answer.
  public struct ClusterMinimum: Sendable {
    /// Nil: there is no cluster of this name, so the answer is 503.
    public var slot: UInt32?
    /// 0...100 of the cluster's hosts must be healthy.
    public var percent: Double

    public init(slot: UInt32?, percent: Double) {
      self.slot = slot
      self.percent = percent
    }
  }

  struct State {
    var isHealthCheck = false
    /// The filter answers it itself.
    var isHandled = false
    /// What the cache said when the request came.
    var cached: HealthCheckCache.Answer?
  }

  let passesThrough: Bool
  let headers: HeaderConditions
  let serviceCluster: FrozenText
  let clusterMinimums: FrozenList<ClusterMinimum>
  let cache: HealthCheckCache?
  let stats: HealthCheckFilterStats

  /// - Parameters:
  ///   - passesThrough: Health checks go on to the upstream; otherwise the filter answers them.
  ///   - headers: Which requests are health checks.
  ///   - serviceCluster: This proxy's own (`--service-cluster`), told to whoever checks.
  ///   - cacheTimeNanoseconds: How long an upstream's answer stands for all; only with
  ///     `passesThrough`. Nil: no cache.
  ///   - clusterMinimums: Only without `passesThrough`.
  ///   - scope: With the prefix `http.<stat_prefix>.`.
  public init(
    name: String, passesThrough: Bool, headers: HeaderConditions, serviceCluster: String,
    cacheTimeNanoseconds: UInt64? = nil, clusterMinimums: [ClusterMinimum] = [], scope: StatsScope
  ) {
    self.passesThrough = passesThrough
    self.headers = headers
    self.serviceCluster = FrozenText(serviceCluster)
    self.clusterMinimums = FrozenList(clusterMinimums)
    self.cache = cacheTimeNanoseconds.map { HealthCheckCache(timeNanoseconds: $0) }
    self.stats = HealthCheckFilterStats(scope)
    super.init(
      name: name, interests: [.decodeHeaders, .decodeData, .decodeTrailers, .encodeHeaders])
  }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard headers.match(context.requestHeaders) else { return .continue }
    let state = context.state(State.self, initial: State())
    state.pointee.isHealthCheck = true
    context.stream.pointee.info.isHealthCheck = true
    state.pointee.cached = cache?.answer(at: context.worker.now)
    guard !passesThrough || isFailing(context) || state.pointee.cached != nil else {
      return .continue
    }
    state.pointee.isHandled = true
    if endsStream { answer(context) }
    return .stop
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard isHandled(context) else { return .continue }
    // Nobody reads the body of a health check.
    context.discard(&data)
    guard endsStream else { return .stopAndWatermark }
    answer(context)
    return .continue
  }

  public override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard isHandled(context) else { return .continue }
    answer(context)
    return .stop
  }

  private func isHandled(_ context: FilterContext) -> Bool {
    context.existingState(State.self)?.pointee.isHandled ?? false
  }

  private func isFailing(_ context: FilterContext) -> Bool { context.worker.failsHealthChecks }

  // MARK: Answers

  private func answer(_ context: FilterContext) {
    let outcome = outcome(context)
    let slab = context.worker.slab
    slab.increment(stats.total)
    if (200..<300).contains(outcome.status) {
      slab.increment(stats.ok)
    } else {
      slab.increment(stats.failed)
    }
    if outcome.isDegraded { slab.increment(stats.degraded) }
    context.sendLocalReply(
      status: outcome.status, body: .empty, details: outcome.details,
      flags: (200..<300).contains(outcome.status) ? [] : [.failedLocalHealthCheck],
      decorate: outcome.isDegraded ? { $0.append(.envoyDegraded, .empty) } : nil)
  }

  private func outcome(_ context: FilterContext) -> HealthCheckOutcome {
    let outcome = outcome(
      isFailing: isFailing(context), cached: context.existingState(State.self)?.pointee.cached,
      members: { context.worker.membership(ofCluster: $0) })
    let slab = context.worker.slab
    switch outcome.reason {
    case .cached: slab.increment(stats.cached)
    case .noCluster: slab.increment(stats.clusterNotFound)
    case .emptyCluster: slab.increment(stats.clusterEmpty)
    case .unhealthyCluster: slab.increment(stats.clusterUnhealthy)
    case .failing, .healthyClusters, .nothingAgainst: break
    }
    return outcome
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    let response = context.responseHeaders
    if let state = context.existingState(State.self), state.pointee.isHealthCheck {
      if !state.pointee.isHandled {
        cache?.store(
          HealthCheckCache.Answer(
            status: response.pointee.statusCode,
            isDegraded: response.pointee.contains(.envoyDegraded)),
          at: context.worker.now)
      }
      response.pointee.set(.envoyUpstreamHealthcheckedCluster, serviceCluster.view)
    }
    if isFailing(context) {
      response.pointee.set(.envoyImmediateHealthCheckFail, ByteView("true"))
    }
    return .continue
  }
}

extension HeaderMap {
  /// The number in `:status`; 0 when there is none.
  fileprivate var statusCode: UInt16 {
    UInt16(clamping: value(.status)?.decimal(limit: 999) ?? 0)
  }
}
