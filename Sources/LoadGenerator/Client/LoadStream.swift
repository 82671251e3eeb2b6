import HTTP2
import Primitives

/// A request on an HTTP/2 connection, and how far its answer has come. Trivial; used again for later requests.
struct LoadStream {
  let request: PendingRequest
  let connection: ClientRef
  /// nil: the session has not taken it.
  var codec: HTTP2StreamRef?

  /// What of the request's body is not packed yet, behind so many bytes of a message's prefix.
  var body = ByteView.empty
  var prefixLeft = 0
  var prefix = InlineArray<5, UInt8>(repeating: 0)

  // The answer
  var status = 0
  var content = BodyProgress()
  var message = GRPCMessageProgress()

  // The connection's, oldest first; or the free ones.
  var next: LoadStreamRef?
  var previous: LoadStreamRef?

  init(_ request: PendingRequest, _ connection: ClientRef) {
    self.request = request
    self.connection = connection
  }
}

typealias LoadStreamRef = UnsafeMutablePointer<LoadStream>

/// Streams of one thread. Memory grows with the largest number at once and is kept.
struct LoadStreamPool: ~Copyable {
  private static let perChunk = 64
  private var free: LoadStreamRef?
  private var chunks: [LoadStreamRef] = []

  deinit { for chunk in chunks { chunk.deallocate() } }

  mutating func take(_ value: LoadStream) -> LoadStreamRef {
    if free == nil { grow(value) }
    guard let stream = free else { preconditionFailure("the pool has just grown") }
    free = stream.pointee.next
    stream.pointee = value
    return stream
  }

  mutating func give(_ stream: LoadStreamRef) {
    stream.pointee.next = free
    free = stream
  }

  private mutating func grow(_ value: LoadStream) {
    let chunk = LoadStreamRef.allocate(capacity: Self.perChunk)
    chunks.append(chunk)
    for index in 0..<Self.perChunk {
      (chunk + index).initialize(to: value)
      give(chunk + index)
    }
  }
}
