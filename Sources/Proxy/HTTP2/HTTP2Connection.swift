import HTTP2
import Reactor

/// What a worker keeps for one HTTP/2 connection beside its session. `Connection.session` leads here.
struct HTTP2Connection {
  enum DrainStage: UInt8 {
    case none
    /// The peer knows that it should open no more streams; those on their way are served.
    case announced
    /// Later streams are ignored; the connection closes with its last one.
    case final
  }

  let session: HTTP2SessionRef
  // Downstream: its streams, oldest first.
  var first: HTTPStreamRef?
  var last: HTTPStreamRef?
  /// Upstream: its requests.
  var requests = StreamQueue()
  /// Both kinds.
  var streamCount: UInt32 = 0
  /// Body bytes that wait for windows and room, of all streams.
  var queuedBytes = 0
  /// Streams that have handed out enough of their bodies for the source to go on, to be told after the flush.
  var relieved: HTTPStreamRef?
  var unsent = FrameMarks()

  // Streams opened in the turn that began at `turn`.
  var turn: UInt64 = 0
  var streamsThisTurn: UInt32 = 0
  /// The rest of the input waits for the next turn.
  var yields = false

  var drain = DrainStage.none
  /// When the final GOAWAY is due.
  var drainAt: UInt64 = 0
  /// A head has begun and not ended, since then; 0 = no.
  var headBegan: UInt64 = 0

  /// Downstream: the client has ended, and the connection closes with its last stream.
  var lingers = false

  // Keepalive: 0 = none under way.
  var pingDue: UInt64 = 0
  var pingDeadline: UInt64 = 0

  /// Downstream: streams that are over, and those that the client took back early.
  var endedStreams: UInt64 = 0
  var prematureResets: UInt64 = 0

  /// Statistics of the session that are counted already.
  var counted = HTTP2Counters()

  // Upstream
  /// In its pool's list of connections with room.
  var isListed = false
  /// No more requests: GOAWAY, age, or their number.
  var takesNoMore = false

  init(session: HTTP2SessionRef) { self.session = session }
}

typealias HTTP2ConnectionRef = UnsafeMutablePointer<HTTP2Connection>
