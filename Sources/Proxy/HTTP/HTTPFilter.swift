import HTTPCore
import Primitives
import Reactor

/// What a filter sees: the worker it runs on, the stream, and its own place in the chain.
///
/// Lives on the stack of one call.
public struct FilterContext {
  public let worker: Worker
  public let stream: HTTPStreamRef
  /// Index of the filter in its chain.
  public let index: Int

  @inline(__always)
  init(worker: Worker, stream: HTTPStreamRef, index: Int) {
    self.worker = worker
    self.stream = stream
    self.index = index
  }
}

/// What happens after a filter has looked at headers.
public enum HeadersStatus: Sendable {
  case `continue`
  /// Later filters wait; this one still sees data, and goes on by returning `continue` for them or
  /// by calling ``FilterContext/continueDecoding()``.
  case stop
  /// Later filters wait and so does the data, within the buffer limit.
  case stopAll
}

/// What happens after a filter has looked at a piece of a body.
public enum DataStatus: Sendable {
  case `continue`
  /// Keep the data until the filter goes on; over the buffer limit the request fails with 413.
  case stopAndBuffer
  /// Keep the data; over the buffer limit the source is paused.
  case stopAndWatermark
}

public enum TrailersStatus: Sendable {
  case `continue`
  case stop
}

/// One HTTP filter of one chain: an immutable object that all workers share.
///
/// It keeps no per-stream state in itself: ``FilterContext/state(_:)`` gives memory in the stream's
/// arena. It is called only for the events it names, so a filter that has nothing to do on an event
/// costs nothing. Calls come on the worker's thread; nothing may block or allocate.
open class HTTPFilter: @unchecked Sendable {
  // Sendable: subclasses hold immutable configuration only.

  public struct Interests: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let decodeHeaders = Interests(rawValue: 1)
    public static let decodeData = Interests(rawValue: 2)
    public static let decodeTrailers = Interests(rawValue: 4)
    public static let encodeHeaders = Interests(rawValue: 8)
    public static let encodeData = Interests(rawValue: 16)
    public static let encodeTrailers = Interests(rawValue: 32)
    public static let streamEnded = Interests(rawValue: 64)
  }

  /// The filter's `name` in the configuration: the key of per-route settings.
  public let name: String
  public let interests: Interests

  public init(name: String, interests: Interests) {
    self.name = name
    self.interests = interests
  }

  /// The request's headers; `endsStream` when there is no body.
  open func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus { .continue }
  /// A piece of the request's body, which the filter may change.
  open func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus { .continue }
  open func decodeTrailers(_ context: FilterContext) -> TrailersStatus { .continue }
  open func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus { .continue }
  open func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus { .continue }
  open func encodeTrailers(_ context: FilterContext) -> TrailersStatus { .continue }
  /// The stream is over, however it ended; its memory goes after this call.
  open func streamEnded(_ context: FilterContext) {}
  /// A timer set by ``FilterContext/setTimer(afterNanoseconds:)`` fired.
  open func timerFired(_ context: FilterContext) {}
}

/// What answers a request when no router does: the end of a chain, such as the admin page.
open class HTTPTerminal: @unchecked Sendable {
  // Sendable: subclasses say what protects their state.
  public init() {}

  /// The request's headers have passed all filters.
  open func request(_ worker: Worker, _ stream: HTTPStreamRef, endsStream: Bool) {}
  /// A piece of its body.
  open func requestData(
    _ worker: Worker, _ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool
  ) {}
  /// The client took what was written: there is room for more of a streamed answer.
  open func writable(_ worker: Worker, _ stream: HTTPStreamRef) {}
  /// The stream is over.
  open func streamEnded(_ worker: Worker, _ stream: HTTPStreamRef) {}
}
