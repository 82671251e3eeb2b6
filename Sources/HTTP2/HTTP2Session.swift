import CNGHTTP2
import HTTPCore
import Primitives

/// A session's fixed address, which the library keeps as its user data.
public typealias HTTP2SessionRef = UnsafeMutablePointer<HTTP2Session>

/// One connection's HTTP/2 (RFC 9113), without sockets and without a clock: bytes in, events out;
/// heads and offers in, bytes out.
///
/// Made and freed by the static functions, used through its pointer. The library's callbacks only
/// write down what happened; so a caller is never called from within.
///
/// Everything that changes a session while the library runs goes through ``ref``, never through
/// `self`: an inout parameter promises that nobody else looks.
public struct HTTP2Session {
  let ref: HTTP2SessionRef
  let library: OpaquePointer
  let memory: UnsafeMutablePointer<MemoryCore>
  let isServer: Bool

  // Receiving
  var gate: FrameGate
  var builder: HeaderListBuilder
  /// Where a request's list is built, until the proxy takes it.
  var headerArena: Arena
  /// The stream of the DATA frame that is coming in, unless it is to be ignored.
  var dataStream: HTTP2StreamRef?
  /// What the library's callbacks said during the piece that is being fed.
  var record = Record()
  /// The address of the input whose piece is being fed; offsets in events count from here.
  var inputBase: UnsafePointer<UInt8>
  var closed = StreamList(.closed)

  // Sending
  var preface = InlineArray<24, UInt8>(repeating: 0)
  var owesPreface = false
  var mayTakeData = false
  /// The library is called to send: what it closes is told by ``output(mayTakeData:)``.
  var isSending = false
  var packed: PackedData?
  var sent = StreamList(.sent)

  // State
  var firstStream: HTTP2StreamRef?
  /// Why the connection is over, and whether the receiver and the sender were told.
  var failure: HTTP2Error?
  var failureIsToldToReceiver = false
  var failureWasSent = false
  /// Streams that the library has.
  public internal(set) var activeCount = 0
  /// How many streams the peer lets us have open.
  public internal(set) var peerMaxStreams: UInt32
  /// The peer takes extended CONNECT (RFC 8441).
  public internal(set) var peerAllowsConnect = false
  /// The peer's first SETTINGS came.
  public internal(set) var hasPeerSettings = false
  public internal(set) var counters = HTTP2Counters()

  /// The list of the last head, interim or trailers event (also of `malformed` and `tooLarge` of a
  /// head). A request's is valid until the next call of ``next(_:_:now:)``, unless it is taken with
  /// ``takeRequest(into:)``; others live in the stream's arena.
  public var headers: HeaderMap { builder.map }
  /// A header block has begun and not ended.
  public var isMidHeaderBlock: Bool { gate.isInHeaderBlock }

  /// What the library's callbacks said during one call.
  struct Record {
    var event = HTTP2Event.needMore
    var hasEvent = false
    /// The frame was taken to its end.
    var isComplete = false
    /// A fault for which the library has queued GOAWAY.
    var failure: HTTP2Error?
  }

  struct PackedData {
    var stream: HTTP2StreamRef
    var header: InlineArray<9, UInt8>
    var count: Int
    var ends: Bool
  }
}

/// Totals that have no event of their own, or not always one.
@frozen
public struct HTTP2Counters: Sendable, Equatable {
  /// RST_STREAM received.
  public var resetsReceived: UInt64 = 0
  /// RST_STREAM sent.
  public var resetsSent: UInt64 = 0
  /// Streams of the peer refused with REFUSED_STREAM because there were too many.
  public var streamsRefused: UInt64 = 0
  /// Fields dropped because of `_` in their name.
  public var underscoreFieldsDropped: UInt64 = 0
  /// Trailer sections received.
  public var trailers: UInt64 = 0
  /// DATA frames sent.
  public var dataFramesSent: UInt64 = 0

  public init() {}
}
