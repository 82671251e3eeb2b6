import HTTPCore
import Primitives

/// What the bytes of a peer mean. Trivial; stream pointers are good until the stream is released.
public enum HTTP2Event {
  /// The input is used up.
  case needMore
  /// A request, or a final response: its list is in ``HTTP2Session/headers``.
  case head(HTTP2StreamRef, HTTP2Head)
  /// A response 1xx of an upstream.
  case interim(HTTP2StreamRef, status: UInt16)
  /// The trailer section; the stream's receiving side has ended.
  case trailers(HTTP2StreamRef)
  /// Offsets into the bytes of this call. With `ends` the range may be empty.
  case data(HTTP2StreamRef, from: Int, to: Int, ends: Bool)
  /// The stream is over, by the peer's RST_STREAM or GOAWAY, or by a fault of the peer that the
  /// session answered. `isUnprocessed`: the peer did nothing with the request (RFC 9113 section 8.7).
  case reset(HTTP2StreamRef, HTTP2Code, byPeer: Bool, isUnprocessed: Bool)
  /// A malformed message, already answered with RST_STREAM, or with GOAWAY when the options say so
  /// (then `failed` follows). A request that was not announced before comes with the part of its
  /// list that was good, for the log, and has to be released like any other.
  case malformed(HTTP2StreamRef?, HTTP2Error)
  /// A head above its limits: the proxy answers 431, or 502 and resets. `headers` has the part
  /// within the limits; ``HTTP2Stream/hasReceivedEnd`` says whether the message ended with it.
  case tooLarge(HTTP2StreamRef, HTTP2Error)
  /// The peer's settings changed: see ``HTTP2Session/peerMaxStreams`` and the like.
  case settings
  case goAway(last: Int32, HTTP2Code)
  /// The answer to ``HTTP2Session/ping(_:)``.
  case pong(UInt64)
  /// The connection is over: GOAWAY is queued, the rest of the input is nobody's.
  case failed(HTTP2Error)
}

/// What the codec knows of a head without another look at its fields.
@frozen
public struct HTTP2Head: Sendable, Equatable {
  public var method: RequestMethod = .other
  /// Of a response.
  public var status: UInt16 = 0
  /// -1 = none. Of a response without content (to HEAD, 304) it is what the field says.
  public var contentLength: Int64 = -1
  /// END_STREAM: there is no content and there are no trailers.
  public var ends = false
  /// `expect: 100-continue`.
  public var expectsContinue = false
  /// CONNECT with `:protocol` (RFC 8441).
  public var isExtendedConnect = false
  /// Bytes of the header block's frames.
  public var wireBytes: UInt32 = 0

  public init() {}
}

/// What is to be sent, in order. Trivial.
public enum HTTP2Output {
  /// Whole frames, to be copied now: valid until the next call. `isControl`: RST_STREAM, SETTINGS
  /// or PING, for the flood limits.
  case bytes(ByteView, isControl: Bool)
  /// The nine bytes of a DATA frame, behind which come `count` bytes of the owner's queue.
  case data(HTTP2StreamRef, header: InlineArray<9, UInt8>, count: Int, ends: Bool)
  /// The stream's END_STREAM is among what came out.
  case ended(HTTP2StreamRef)
  /// The stream could not be sent, or ended by a fault of the peer: the library let go of it.
  case closed(HTTP2StreamRef, HTTP2Code)
  /// A GOAWAY with an error went out: close when it is flushed.
  case failed(HTTP2Error)
  /// Nothing more until somebody submits, offers or feeds.
  case idle
}
