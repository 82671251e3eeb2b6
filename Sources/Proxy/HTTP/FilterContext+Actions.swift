import HTTPCore
import Primitives
import Reactor
import Routing

/// What a filter can do to its stream.
extension FilterContext {
  /// Lets a request go on that this filter has stopped.
  public func continueDecoding() {
    guard Int(stream.pointee.decodeStoppedAt) == index else { return }
    worker.continueDecoding(stream)
  }

  /// Lets a response go on that this filter has stopped.
  public func continueEncoding() {
    guard Int(stream.pointee.encodeStoppedAt) == index else { return }
    worker.continueEncoding(stream)
  }

  /// Answers instead of the upstream. The stream may be over when this returns.
  ///
  /// - Parameters:
  ///   - body: Must live as long as the stream's arena.
  ///   - decorate: Adds headers before the answer passes the filters.
  public func sendLocalReply(
    status: UInt16, body: ByteView, details: StaticString, flags: ResponseFlags = [],
    decorate: ((inout HeaderMap) -> Void)? = nil
  ) {
    worker.sendLocalReply(
      stream, status: status, body: body, details: details, flags: flags, decorate: decorate)
  }

  /// Memory of this filter for this stream: zeroed at the first call, gone with the stream.
  public func state<State>(_ type: State.Type, initial: State) -> UnsafeMutablePointer<State> {
    let count = stream.pointee.manager.pointee.filters.view.count
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

  /// Calls the filter's `timerFired` once. A stream has one such timer; setting it again moves it.
  public func setTimer(afterNanoseconds delay: UInt64) {
    worker.setFilterTimer(stream, filter: index, afterNanoseconds: delay)
  }

  /// Bytes of the request that are held back by stopped filters.
  public var bufferedRequestBytes: Int { stream.pointee.bufferedRequest.byteCount }

  /// The route of the request, when there is one.
  public var hasRoute: Bool { stream.pointee.route.entry != nil }

  /// This filter's settings for the request's route, most specific first; nil when it has none.
  public func routeConfig<Config: AnyObject>(_ type: Config.Type) -> Config? {
    stream.pointee.route.filterConfig(index).map { unsafeDowncast($0, to: type) }
  }
}

extension HTTPStream {
  /// The end of the request has passed all filters.
  public var hasDecodedEverything: Bool { has(.decodeEnded) }
  /// The response has begun.
  public var hasResponse: Bool { has(.responseStarted) }
}
