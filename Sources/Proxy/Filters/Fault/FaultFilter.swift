import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Delays requests and answers them with errors, to see what their callers do
/// (`envoy.filters.http.fault`).
public final class FaultFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  struct State {
    /// One of the active faults is this stream's.
    var holdsFault = false
    /// The timer runs.
    var isDelayed = false
  }

  let settings: FaultSettings
  let stats: FaultStats
  /// Active faults of all workers.
  let active = ClusterShared.Limit()

  /// - Parameter scope: With the prefix `http.<stat_prefix>.`.
  public init(name: String, settings: FaultSettings, scope: StatsScope) {
    self.settings = settings
    self.stats = FaultStats(scope)
    super.init(
      name: name, interests: [.decodeHeaders, .decodeData, .decodeTrailers, .streamEnded])
  }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    withSettings(context) { settings in
      guard applies(settings, context) else { return .continue }
      if let delay = delayNanoseconds(settings, context), begin(settings, context) {
        let state = context.state(State.self, initial: State())
        state.pointee.isDelayed = true
        context.worker.slab.increment(stats.delaysInjected)
        context.stream.pointee.info.flags.insert(.delayInjected)
        context.setTimer(afterNanoseconds: delay)
        return .stop
      }
      if let status = abortStatus(settings, context), begin(settings, context) {
        abort(context, status)
        return .stop
      }
      return .continue
    }
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    isDelayed(context) ? .stopAndWatermark : .continue
  }

  public override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    isDelayed(context) ? .stop : .continue
  }

  public override func timerFired(_ context: FilterContext) {
    guard let state = context.existingState(State.self), state.pointee.isDelayed else { return }
    state.pointee.isDelayed = false
    let status = withSettings(context) { abortStatus($0, context) }
    if let status {
      abort(context, status)
    } else {
      context.continueDecoding()
    }
  }

  public override func streamEnded(_ context: FilterContext) {
    guard let state = context.existingState(State.self), state.pointee.holdsFault else { return }
    state.pointee.holdsFault = false
    active.release()
    context.worker.slab.decrement(stats.active)
  }

  private func isDelayed(_ context: FilterContext) -> Bool {
    context.existingState(State.self)?.pointee.isDelayed ?? false
  }

  // MARK: Whether

  private func withSettings<Result>(
    _ context: FilterContext, _ body: (FaultSettings) -> Result
  ) -> Result {
    guard let own = context.routeConfigReference(FaultRouteConfig.self) else {
      return body(settings)
    }
    return own._withUnsafeGuaranteedRef { body($0.settings) }
  }

  private func applies(_ settings: FaultSettings, _ context: FilterContext) -> Bool {
    let cluster = settings.upstreamCluster.view
    if !cluster.isEmpty {
      guard let name = context.routeClusterName, name == cluster else { return false }
    }
    let request = context.requestHeaders
    if !settings.downstreamNodes.buffer.isEmpty {
      guard let node = request.pointee.value(.envoyDownstreamServiceNode),
        settings.downstreamNodes.buffer.contains(where: { $0 == node })
      else { return false }
    }
    return settings.headers?.match(request) ?? true
  }

  /// Takes one of the active faults for the stream, which has it until it ends.
  private func begin(_ settings: FaultSettings, _ context: FilterContext) -> Bool {
    let state = context.state(State.self, initial: State())
    if state.pointee.holdsFault { return true }
    guard active.reserve(limit: UInt64(settings.maxActiveFaults)) else {
      context.worker.slab.increment(stats.overflow)
      return false
    }
    state.pointee.holdsFault = true
    context.worker.slab.increment(stats.active)
    return true
  }

  // MARK: What

  /// How long this request waits; nil: it does not.
  private func delayNanoseconds(_ settings: FaultSettings, _ context: FilterContext) -> UInt64? {
    switch settings.delay {
    case nil: return nil
    case .fixed(let nanoseconds):
      guard nanoseconds > 0, draw(settings.delayPercentage, context) else { return nil }
      return nanoseconds
    case .header:
      let request = context.requestHeaders
      let percentage = settings.delayPercentage.limited(
        by: request.pointee.value(.envoyFaultDelayRequestPercentage))
      guard let text = request.pointee.value(.envoyFaultDelayRequest),
        let milliseconds = text.decimal(limit: Self.delayMillisecondsMax), milliseconds > 0,
        draw(percentage, context)
      else { return nil }
      return milliseconds &* 1_000_000
    }
  }

  /// A request cannot ask for more than a day: the product stays far from overflow.
  private static let delayMillisecondsMax: UInt64 = 86_400_000

  /// The status that ends a request; nil: nothing does.
  private struct AbortStatus {
    var status: UInt16
    var grpcStatus: GRPCStatus?

    init(_ status: UInt16) { self.status = status }

    init(_ grpcStatus: GRPCStatus) {
      status = 200
      self.grpcStatus = grpcStatus
    }
  }

  private func abortStatus(_ settings: FaultSettings, _ context: FilterContext) -> AbortStatus? {
    switch settings.abort {
    case nil: return nil
    case .status(let status):
      return draw(settings.abortPercentage, context) ? AbortStatus(status) : nil
    case .grpcStatus(let status):
      return draw(settings.abortPercentage, context) ? AbortStatus(status) : nil
    case .header:
      let request = context.requestHeaders
      let percentage = settings.abortPercentage.limited(
        by: request.pointee.value(.envoyFaultAbortRequestPercentage))
      if let status = request.pointee.value(.envoyFaultAbortRequest)?.decimal(limit: 599), status >= 200 {
        return draw(percentage, context) ? AbortStatus(UInt16(clamping: status)) : nil
      }
      guard let text = request.pointee.value(name: Self.abortGRPCRequest, known: .other),
        let code = text.decimal(limit: UInt64(UInt32.max)), draw(percentage, context)
      else { return nil }
      return AbortStatus(GRPCStatus(code: UInt32(truncatingIfNeeded: code)))
    }
  }

  private static var abortGRPCRequest: ByteView { ByteView("x-envoy-fault-abort-grpc-request") }

  private func draw(_ percentage: FaultSettings.Percentage, _ context: FilterContext) -> Bool {
    context.random(below: percentage.denominator) < percentage.numerator
  }

  private func abort(_ context: FilterContext, _ abort: AbortStatus) {
    context.worker.slab.increment(stats.abortsInjected)
    context.sendLocalReply(
      status: abort.status, body: ByteView("fault filter abort"), details: "fault_filter_abort",
      flags: [.faultInjected], grpcStatus: abort.grpcStatus)
  }
}

extension FaultSettings.Percentage {
  /// A request may ask for less than the configuration allows, never for more.
  fileprivate func limited(by text: ByteView?) -> Self {
    guard let wanted = text?.decimal(limit: UInt64(UInt32.max)) else { return self }
    return Self(numerator: min(numerator, UInt32(clamping: wanted)), denominator: denominator)
  }
}
