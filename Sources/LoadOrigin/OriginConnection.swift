import HTTP1
import HTTP2
import HTTPCore
import LoadBase
import Reactor

/// One client of the origin. Trivial; at one address, used again for later clients.
struct OriginConnection {
  enum Stage: UInt8 { case head, length, chunked }

  /// Why the next request has to wait.
  struct Obstacles: OptionSet {
    var rawValue: UInt8
    /// The answer is held back, or its body goes out slowly.
    static let answering = Obstacles(rawValue: 1)
    /// Much output waits for a slow reader.
    static let outputFull = Obstacles(rawValue: 2)
    /// Nothing more is answered.
    static let ending = Obstacles(rawValue: 4)
  }

  var socket: SocketRef?
  /// nil: not HTTP/2, or not known yet.
  var h2: HTTP2SessionRef?
  /// Too little has come to know what it speaks.
  var isFresh = true
  /// Counts the clients of this place.
  var serial: UInt32 = 0
  var nextFree: OriginRef?
  var stage = Stage.head
  var obstacles: Obstacles = []
  /// The peer sends no more; answers still go out.
  var hasEnded = false
  var remaining: UInt64 = 0
  var chunks = ChunkedDecoder()
  /// What came while an obstacle was there.
  var input = SegmentQueue()
  /// A head that comes in pieces.
  var held: UnsafeMutablePointer<UInt8>?
  var heldCount = 0
  var scanner = HeadScanner.request()
  var answer = OriginAnswer()
  /// Slow bodies: when the latest piece went.
  var pieceAt: UInt64 = 0

  // HTTP/2
  var streams: OriginStreamRef?
  var isToFlush = false
  var nextToFlush: OriginRef?
}

typealias OriginRef = UnsafeMutablePointer<OriginConnection>

/// The answer to the request that is being read or answered.
struct OriginAnswer {
  var status: UInt16 = 200
  var bodyBytes = 0
  /// Bytes of the body that have not been queued.
  var bodyLeft = 0
  var delay: UInt64 = 0
  var fault: OriginFault.Kind?
  var isHead = false
  var isHTTP10 = false
  var keepAlive = true
  var isChunked = false
  /// Of a call.
  var grpcStatus = GRPCStatus.ok
  /// Nothing in the path asks for another answer than the usual one.
  var isUsual = true

  var hasBody: Bool { !isHead && status != 204 && status != 304 }

  /// Another status than the usual one, for calls the one that clients make of it.
  mutating func setStatus(_ code: UInt16) {
    status = code
    grpcStatus = code < 300 ? .ok : GRPCStatus(httpStatus: code)
    isUsual = false
  }
}
