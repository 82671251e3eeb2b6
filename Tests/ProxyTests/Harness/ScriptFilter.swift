import HTTPCore
import Primitives
import Reactor
import Synchronization

@testable import Proxy

/// Does at each event what the test says, and writes down what it saw.
final class ScriptFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable but for the record, which has a mutex.
  struct Script: Sendable {
    var decodeHeaders: HeadersStatus = .continue
    /// By piece; the last one stands for all further pieces.
    var decodeData: [DataStatus] = [.continue]
    /// Also for the last piece of a body.
    var decodeEnd: DataStatus?
    var decodeTrailers: TrailersStatus = .continue
    var encodeHeaders: HeadersStatus = .continue
    var encodeData: [DataStatus] = [.continue]
    var encodeEnd: DataStatus?
    var encodeTrailers: TrailersStatus = .continue
    /// Replies at this event instead.
    var replyAt: String?
    /// Goes on with whatever has stopped, so much later.
    var continueAfterNanoseconds: UInt64?
    var addsToBodies = ""
  }

  private struct State {
    var decodePieces = 0
    var encodePieces = 0
  }

  private let script: Script
  private let record: Mutex<[String]>
  private let interest: HTTPFilter.Interests

  static let all: HTTPFilter.Interests = [
    .decodeHeaders, .decodeData, .decodeTrailers, .encodeHeaders, .encodeData, .encodeTrailers,
    .streamEnded,
  ]

  init(_ name: String, _ script: Script, interests: HTTPFilter.Interests = ScriptFilter.all) {
    self.script = script
    self.record = Mutex([])
    self.interest = interests
    super.init(name: name, interests: interests)
  }

  /// What was seen so far, as `+` where the message ended there.
  var seen: [String] { record.withLock { $0 } }

  private func note(_ event: String, endsStream: Bool = false) {
    record.withLock { $0.append(endsStream ? event + "+" : event) }
  }

  /// True when the filter has replied.
  private func begin(_ context: FilterContext, _ event: String, stops: Bool) -> Bool {
    if script.replyAt == event, !context.stream.pointee.hasResponse || event.hasPrefix("encode") {
      context.sendLocalReply(
        status: 599, body: ByteView("scripted"), details: "scripted", flags: [.faultInjected])
      return true
    }
    if stops, let delay = script.continueAfterNanoseconds {
      context.setTimer(afterNanoseconds: delay)
    }
    return false
  }

  override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    note("decodeHeaders", endsStream: endsStream)
    _ = begin(context, "decodeHeaders", stops: script.decodeHeaders != .continue)
    return script.decodeHeaders
  }

  override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    note("decodeData", endsStream: endsStream)
    let state = context.state(State.self, initial: State())
    let status =
      endsStream && script.decodeEnd != nil
      ? script.decodeEnd ?? .continue
      : script.decodeData[min(state.pointee.decodePieces, script.decodeData.count - 1)]
    state.pointee.decodePieces += 1
    if begin(context, "decodeData", stops: status != .continue) { return status }
    if endsStream { append(context, &data) }
    return status
  }

  override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    note("decodeTrailers")
    _ = begin(context, "decodeTrailers", stops: script.decodeTrailers != .continue)
    return script.decodeTrailers
  }

  override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    note("encodeHeaders", endsStream: endsStream)
    _ = begin(context, "encodeHeaders", stops: script.encodeHeaders != .continue)
    return script.encodeHeaders
  }

  override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    note("encodeData", endsStream: endsStream)
    let state = context.state(State.self, initial: State())
    let status =
      endsStream && script.encodeEnd != nil
      ? script.encodeEnd ?? .continue
      : script.encodeData[min(state.pointee.encodePieces, script.encodeData.count - 1)]
    state.pointee.encodePieces += 1
    if begin(context, "encodeData", stops: status != .continue) { return status }
    if endsStream { append(context, &data) }
    return status
  }

  override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    note("encodeTrailers")
    _ = begin(context, "encodeTrailers", stops: script.encodeTrailers != .continue)
    return script.encodeTrailers
  }

  override func streamEnded(_ context: FilterContext) { note("streamEnded") }

  override func timerFired(_ context: FilterContext) {
    note("timerFired")
    context.continueDecoding()
    if !context.stream.pointee.has(.finished) { context.continueEncoding() }
  }

  private func append(_ context: FilterContext, _ data: inout SegmentQueue) {
    guard !script.addsToBodies.isEmpty else { return }
    for byte in script.addsToBodies.utf8 {
      let place = context.allocate(1)
      place.pointee = byte
      context.worker.segments.copy(ByteView(place, 1), to: &data)
    }
  }
}
