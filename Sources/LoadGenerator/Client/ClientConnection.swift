import HTTP1
import HTTP2
import LoadBase
import Primitives

/// A request that was sent and has no whole answer yet.
struct PendingRequest {
  /// Nanoseconds of the monotonic clock: when it was due, and when it went. The same in closed loop.
  var intended: UInt64
  var sent: UInt64
  /// HTTP: which request it was. Echo: where in the pattern the message starts.
  var content: UInt32
}

/// A place for one connection at a time. Trivial; at one address while the worker lives.
struct ClientConnection {
  /// nil: not connected, not trying.
  var socket: SocketRef?
  /// nil: not HTTP/2, or not open.
  var h2: HTTP2SessionRef?
  /// In the list of connections that may take a request.
  var isListed = false
  /// HTTP/1: its answer ended the connection, which waits for the peer to close. HTTP/2: it takes no more requests.
  var isEnding = false
  var next: ClientRef?
  /// A ring of as many as pipelining allows; HTTP/2 has streams in its place.
  let pending: UnsafeMutablePointer<PendingRequest>
  var pendingFirst: UInt32 = 0
  var pendingCount: UInt32 = 0
  /// The number of a request that waits until it is known what the connection speaks.
  var heldSequence: UInt64 = 0
  /// Failed attempts to connect in a row.
  var failures: UInt32 = 0
  /// When its TLS handshake began, nanoseconds.
  var handshakeStart: UInt64 = 0
  /// When to connect again, nanoseconds.
  var retryAt: UInt64 = 0
  var answer = AnswerProgress()
  /// Bytes of a head that came in pieces.
  var held: UnsafeMutablePointer<UInt8>?
  var heldCount = 0

  // HTTP/2
  var firstStream: LoadStreamRef?
  var lastStream: LoadStreamRef?
  var isToFlush = false
  var nextToFlush: ClientRef?
  /// Of the peer's latest GOAWAY; -1: none.
  var goAwayCode: Int64 = -1
  /// When bytes came last, nanoseconds.
  var receivedAt: UInt64 = 0

  init(pipelining: Int) {
    pending = .allocate(capacity: pipelining)
  }

  func deallocate() {
    pending.deallocate()
    held?.deallocate()
  }
}

typealias ClientRef = UnsafeMutablePointer<ClientConnection>

/// How far the answer to the first pending request has been read.
struct AnswerProgress {
  enum Stage: UInt8 { case head, length, chunked, untilClose }

  var stage = Stage.head
  var head = ResponseHead()
  var scanner = HeadScanner.response()
  var chunks = ChunkedDecoder()
  /// Bytes of the body to come.
  var remaining: UInt64 = 0
  /// Echo: `bytes` are those of the message.
  var content = BodyProgress()
}
