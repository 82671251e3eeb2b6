import HTTPCore
import Primitives
import Reactor
import Stats

/// Counts gRPC calls and their messages by cluster and method (`envoy.filters.http.grpc_stats`).
public final class GRPCStatsFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  public enum Methods: Sendable {
    /// All methods of a cluster count together.
    case together
    case each
    /// These count for themselves, by service; the others together.
    case listed([(service: String, methods: [String])])
  }

  private struct State {
    let stats: Unmanaged<GRPCCallStats>
    var requests = GRPCFrameCounter()
    var responses = GRPCFrameCounter()
    var countsResponses = false
  }

  private struct Listed {
    let service: FrozenText
    let name: FrozenText
  }

  private let table: GRPCStatsTable
  private let countsEach: Bool
  private let listed: FrozenList<Listed>
  private let measuresTime: Bool
  private let replacesDots: Bool

  /// - Parameters:
  ///   - measuresTime: How long the upstream takes is recorded too.
  ///   - replacesDots: `a.b.Service` is written `a_b_Service`.
  public init(
    name: String, methods: Methods, measuresTime: Bool, replacesDots: Bool, table: GRPCStatsTable
  ) {
    self.table = table
    self.measuresTime = measuresTime
    self.replacesDots = replacesDots
    switch methods {
    case .together:
      countsEach = false
      listed = FrozenList([])
    case .each:
      countsEach = true
      listed = FrozenList([])
    case .listed(let services):
      countsEach = false
      listed = FrozenList(
        services.flatMap { service in
          service.methods.map { Listed(service: FrozenText(service.service), name: FrozenText($0)) }
        })
    }
    super.init(
      name: name, interests: [.decodeHeaders, .decodeData, .encodeHeaders, .encodeData, .encodeTrailers])
  }

  private func state(_ context: FilterContext) -> UnsafeMutablePointer<State>? {
    context.existingState(State.self)
  }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard GRPC.isGRPC(contentType: context.requestContentType), let cluster = context.cluster,
      let method = GRPCMethod(path: context.requestHeaders.pointee.value(.path) ?? .empty),
      let stats = table.stats(
        cluster, "grpc", isNamed(method) ? method : nil, replacesDots: replacesDots, arena: &context.arena.pointee)
    else { return .continue }
    _ = context.state(State.self, initial: State(stats: stats))
    return .continue
  }

  private func isNamed(_ method: GRPCMethod) -> Bool {
    if countsEach { return true }
    for i in listed.buffer.indices
    where listed.buffer[i].service.view == method.service && listed.buffer[i].name.view == method.name {
      return true
    }
    return false
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context) else { return .continue }
    let count = state.pointee.requests.add(data)
    if count > 0 {
      state.pointee.stats._withUnsafeGuaranteedRef { context.worker.slab.add($0.requestMessages, count) }
    }
    return .continue
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard let state = state(context) else { return .continue }
    state.pointee.countsResponses = GRPC.isGRPC(contentType: context.responseContentType)
    if endsStream { count(context, state, context.responseHeaders.pointee.value(.grpcStatus)) }
    return .continue
  }

  public override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context), state.pointee.countsResponses else { return .continue }
    let count = state.pointee.responses.add(data)
    if count > 0 {
      state.pointee.stats._withUnsafeGuaranteedRef { context.worker.slab.add($0.responseMessages, count) }
    }
    return .continue
  }

  public override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    if let state = state(context) { count(context, state, context.responseTrailers.pointee.value(.grpcStatus)) }
    return .continue
  }

  /// The call is over.
  private func count(_ context: FilterContext, _ state: UnsafeMutablePointer<State>, _ text: ByteView?) {
    guard let text else { return }
    let code = text.decimal(limit: UInt64(UInt32.max)).map { UInt32(truncatingIfNeeded: $0) }
    let slab = context.worker.slab
    state.pointee.stats._withUnsafeGuaranteedRef { stats in
      slab.increment(stats.total)
      slab.increment(code == 0 ? stats.success : stats.failure)
      if let code, let counter = table.counter(ofStatus: code, stats) { slab.increment(counter) }
      let began = context.stream.pointee.info.upstreamRequestStart
      if measuresTime, began > 0 { slab.record(stats.upstreamTime, (context.worker.now &- began) / 1_000_000) }
    }
  }
}
