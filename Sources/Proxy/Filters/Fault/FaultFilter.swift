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
    settings.exemption(context.requestHeaders, cluster: { context.routeClusterName }) == nil
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
    guard let delay = settings.delay(context.requestHeaders), draw(delay.percentage, context) else { return nil }
    return delay.nanoseconds
  }

  /// The status that ends this request; nil: nothing does.
  private func abortStatus(_ settings: FaultSettings, _ context: FilterContext) -> FaultSettings.AbortStatus? {
    guard let abort = settings.abort(context.requestHeaders), draw(abort.percentage, context) else { return nil }
    return abort.status
  }

  private func draw(_ percentage: FaultSettings.Percentage, _ context: FilterContext) -> Bool {
    context.random(below: percentage.denominator) < percentage.numerator
  }

  private func abort(_ context: FilterContext, _ abort: FaultSettings.AbortStatus) {
    context.worker.slab.increment(stats.abortsInjected)
    context.sendLocalReply(
      status: abort.status, body: ByteView("fault filter abort"), details: "fault_filter_abort",
      flags: [.faultInjected], grpcStatus: abort.grpcStatus)
  }
}
