import HTTPCore
import Primitives

public typealias HTTP2StreamRef = UnsafeMutablePointer<HTTP2Stream>

/// One stream at a fixed address, which the library keeps as its user data. Trivial.
///
/// Whoever is told of a stream for the first time, by an event or by ``HTTP2Session/submitRequest``,
/// owns it until ``HTTP2Session/release(_:)``.
public struct HTTP2Stream {
  struct Flags: OptionSet {
    let rawValue: UInt32

    // Sending
    /// The owner said that no more of the body will come.
    static let offersEnd = Flags(rawValue: 1 << 0)
    /// The library waits for ``HTTP2Session/offer(_:bytes:ends:trailers:)``.
    static let isDeferred = Flags(rawValue: 1 << 1)
    /// END_STREAM was handed out.
    static let sendEnded = Flags(rawValue: 1 << 2)
    // Receiving
    /// END_STREAM came.
    static let receiveEnded = Flags(rawValue: 1 << 3)
    /// The request, or the final response, came: what follows are trailers.
    static let hasHead = Flags(rawValue: 1 << 4)
    /// Client: a response 1xx came.
    static let hasInterim = Flags(rawValue: 1 << 16)
    /// Client: the request was HEAD, so the response has no content.
    static let isHead = Flags(rawValue: 1 << 5)
    /// Client: the request was CONNECT.
    static let isConnect = Flags(rawValue: 1 << 6)
    /// Nothing but DATA may come (RFC 9113 section 8.5).
    static let isTunnel = Flags(rawValue: 1 << 7)
    // Ending
    /// Somebody was told of the stream and has to release it.
    static let isOwned = Flags(rawValue: 1 << 8)
    static let isReleased = Flags(rawValue: 1 << 9)
    /// The library has let go of it.
    static let isClosed = Flags(rawValue: 1 << 10)
    /// The owner reset it: it needs no telling.
    static let resetByUs = Flags(rawValue: 1 << 11)
    /// The owner was told how it ended.
    static let isReported = Flags(rawValue: 1 << 12)
    static let isInClosedList = Flags(rawValue: 1 << 13)
    static let isInSentList = Flags(rawValue: 1 << 14)
    /// In the list of what was sent: END_STREAM; otherwise the stream was closed.
    static let tellsEnd = Flags(rawValue: 1 << 15)
  }

  public let id: Int32
  var flags: Flags = []
  /// The proxy's stream, or nil.
  public var owner: UnsafeMutableRawPointer?
  /// Where header lists of this stream go (a response, trailers): the owner's arena.
  public var arena: UnsafeMutablePointer<Arena>?

  /// Bytes of body that the owner has and the library may take.
  public internal(set) var offeredBytes = 0
  var trailers: UnsafePointer<HeaderMap>?

  /// Bytes given to the owner and not given back to the peer's windows.
  public internal(set) var unconsumedBytes = 0
  /// What content-length says, -1 = nothing.
  var expectedBytes: Int64 = -1
  /// Bytes of DATA frames that have begun.
  var receivedBytes: Int64 = 0

  /// What the responses 1xx took of the arena, at least.
  var interimBytes = 0

  var closeCode = HTTP2Code.noError
  var nextClosed: HTTP2StreamRef?
  var nextSent: HTTP2StreamRef?
  // All streams of the session.
  var next: HTTP2StreamRef?
  var previous: HTTP2StreamRef?

  init(id: Int32) { self.id = id }

  /// The peer's side has ended: no more data and no trailers will come.
  public var hasReceivedEnd: Bool { flags.contains(.receiveEnded) }
  /// END_STREAM was handed out.
  public var hasSentEnd: Bool { flags.contains(.sendEnded) }
  /// The library has let go of the stream: nothing can be sent on it.
  public var isClosed: Bool { flags.contains(.isClosed) }

  /// Gives the stream to another owner, with the trailers that go with what it still sends.
  public mutating func move(
    to owner: UnsafeMutableRawPointer, arena: UnsafeMutablePointer<Arena>, trailers: UnsafePointer<HeaderMap>
  ) {
    self.owner = owner
    self.arena = arena
    if self.trailers != nil { self.trailers = trailers }
  }

  /// Nobody is to be told anything about it any more.
  var isSilent: Bool { !flags.isDisjoint(with: [.isReleased, .resetByUs, .isReported]) }
}
