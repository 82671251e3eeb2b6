import HTTP2
import LoadBase

/// One request on an HTTP/2 connection of the origin. Trivial; used again for later ones.
struct OriginStream {
  /// Counts the requests of this place.
  var serial: UInt32 = 0
  var connection: OriginRef
  var codec: HTTP2StreamRef
  var answer = OriginAnswer()
  /// Its head went out.
  var isAnswered = false
  /// Bytes of a message's prefix that have not been packed.
  var prefixLeft = 0
  /// Bytes of the body that have not been packed, of those that were offered.
  var unpacked = 0
  /// Slow bodies: when the latest piece went.
  var pieceAt: UInt64 = 0

  // The connection's, or the free ones.
  var next: OriginStreamRef?
  var previous: OriginStreamRef?
}

typealias OriginStreamRef = UnsafeMutablePointer<OriginStream>
