import Format
import HTTPCore
import Primitives
import Reactor
import Routing

/// What a filter can do to its stream.
extension FilterContext {
  /// Lets a request go on that this filter has stopped.
  public func continueDecoding() {
    worker.continueDecoding(stream, from: index)
  }

  /// Lets a response go on that this filter has stopped.
  public func continueEncoding() {
    worker.continueEncoding(stream, from: index)
  }

  /// Answers instead of the upstream. The stream may be over when this returns.
  ///
  /// - Parameters:
  ///   - body: Must live as long as the stream's arena. A gRPC client gets it as `grpc-message`.
  ///   - grpcStatus: What a gRPC client is told; nil = what `status` means to it.
  ///   - decorate: Adds headers before the answer passes the filters.
  public func sendLocalReply(
    status: UInt16, body: ByteView, details: StaticString, flags: ResponseFlags = [],
    grpcStatus: GRPCStatus? = nil, decorate: ((inout HeaderMap) -> Void)? = nil
  ) {
    worker.sendLocalReply(
      stream, status: status, body: body, details: details, flags: flags, grpcStatus: grpcStatus,
      decorate: decorate)
  }

  /// Answers as an upstream would, with headers only: no header of the route is added, and
  /// `local_reply_config` does not apply. Nothing happens when a response has begun.
  public func respond(
    status: UInt16, details: StaticString, _ decorate: (inout HeaderMap) -> Void
  ) {
    worker.respond(stream, status: status, details: details, decorate)
  }

  /// Memory of this filter for this stream: `initial` at the first call, gone with the stream. For
  /// trivial types: nothing is deinitialised.
  public func state<State>(_ type: State.Type, initial: State) -> UnsafeMutablePointer<State> {
    let count = stream.pointee.filters.pointee.count
    let states: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    if let existing = stream.pointee.filterStates {
      states = existing
    } else {
      states = stream.pointee.arena.allocate(of: UnsafeMutableRawPointer?.self, count: count)
      states.initialize(repeating: nil, count: count)
      stream.pointee.filterStates = states
    }
    if let existing = states[index] { return existing.assumingMemoryBound(to: State.self) }
    let made = stream.pointee.arena.allocate(of: State.self, count: 1)
    made.initialize(to: initial)
    states[index] = UnsafeMutableRawPointer(made)
    return made
  }

  /// This filter's state when it has made one.
  public func existingState<State>(_ type: State.Type) -> UnsafeMutablePointer<State>? {
    stream.pointee.filterStates?[index]?.assumingMemoryBound(to: State.self)
  }

  /// Memory that lives as long as the stream.
  public func allocate(_ count: Int) -> UnsafeMutablePointer<UInt8> {
    stream.pointee.arena.allocate(count)
  }

  /// Calls the filter's `timerFired` once. A filter has one timer a stream; setting it again moves
  /// it, and the stream's end stops it. Resolution: a millisecond, never early.
  public func setTimer(afterNanoseconds delay: UInt64) {
    worker.setFilterTimer(stream, filter: index, afterNanoseconds: delay)
  }

  public func cancelTimer() { worker.cancelFilterTimer(stream, filter: index) }

  /// Bytes of the request that this filter holds back.
  public var bufferedRequestBytes: Int { stream.pointee.decoding.heldBytes(at: index) }

  /// Bytes of the response that this filter holds back.
  public var bufferedResponseBytes: Int { stream.pointee.encoding.heldBytes(at: index) }

  /// Drops body bytes that nobody will want.
  public func discard(_ data: inout SegmentQueue) { worker.segments.releaseAll(&data) }

  /// Uniform in `0..<bound`; `bound` is at least 1.
  public func random(below bound: UInt32) -> UInt32 { worker.random.below(bound) }

  /// The route of the request, when there is one.
  public var hasRoute: Bool { stream.pointee.route.entry != nil }

  /// This filter's settings for the request's route, most specific first; nil when it has none.
  /// Counts a reference, which all workers share: see ``routeConfigReference(_:)``.
  public func routeConfig<Config: AnyObject>(_ type: Config.Type) -> Config? {
    stream.pointee.route.filterConfig(index).map { unsafeDowncast($0, to: type) }
  }

  /// The same without counting a reference; valid as long as the stream.
  public func routeConfigReference<Config: AnyObject>(_ type: Config.Type) -> Unmanaged<Config>? {
    stream.pointee.route.filterConfigReference(index).map { .fromOpaque($0.toOpaque()) }
  }

  /// Whether the route sends requests to a cluster, rather than answering itself.
  public var isForwarded: Bool { stream.pointee.route.entry?.pointee.kind == .forward }

  /// Name of the cluster that the route leads to; nil when it leads to none.
  public var routeClusterName: ByteView? { worker.routeCluster(stream)?.pointee.name.view }

  // MARK: Headers, by the place that they stay at

  public var requestHeaders: UnsafeMutablePointer<HeaderMap> { worker.requestMap(stream) }
  public var responseHeaders: UnsafeMutablePointer<HeaderMap> { worker.responseMap(stream) }
  /// The stream's memory.
  public var arena: UnsafeMutablePointer<Arena> { worker.arena(stream) }
  /// What formats may refer to.
  public var formatContext: FormatContext { worker.formatContext(stream) }

  // MARK: Limits

  /// How many bytes of the request may be held back for this stream, instead of the route's or the
  /// listener's limit; see ``DataStatus/stopAndBuffer``.
  public func setRequestBufferLimit(bytes: Int) {
    stream.pointee.requestBufferLimitBytes = bytes
  }

  /// Answers 413: the request does not fit into its buffer.
  public func rejectAsTooLarge() { worker.requestTooLarge(stream) }
}

extension HTTPStream {
  /// The end of the request has passed all filters.
  public var hasDecodedEverything: Bool { has(.decodeEnded) }
  /// The response has begun.
  public var hasResponse: Bool { has(.responseStarted) }
}
