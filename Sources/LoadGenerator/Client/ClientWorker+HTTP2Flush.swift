import HTTP2
import LoadBase
import LoadReport
import Primitives
import Reactor

/// What sessions have to say, into their sockets' output: once a turn, so that all of it leaves in one send.
extension ClientWorker {
  /// Output above this waits in the streams, so that they take turns.
  private static let outputMax = 256 << 10

  @inline(__always)
  func http2MarkForFlush(_ connection: ClientRef) {
    guard !connection.pointee.isToFlush else { return }
    connection.pointee.isToFlush = true
    connection.pointee.nextToFlush = firstToFlush
    firstToFlush = connection
  }

  /// At the end of a turn, also while a send is in flight: heads point into memory of the turn.
  /// - Returns: Whether requests have ended meanwhile, so that others may begin.
  @inline(__always)
  func http2FlushAll() -> Bool {
    guard firstToFlush != nil else { return false }
    let before = pendingTotal
    while let connection = firstToFlush {
      firstToFlush = connection.pointee.nextToFlush
      connection.pointee.isToFlush = false
      if let session = connection.pointee.h2, let socket = connection.pointee.socket {
        http2Flush(connection, session, socket)
      }
    }
    http2Turn.pointee.reset()
    return pendingTotal < before
  }

  private func http2Flush(_ connection: ClientRef, _ session: HTTP2SessionRef, _ socket: SocketRef) {
    var hasEnded = false
    while true {
      switch session.pointee.output(mayTakeData: socket.pointee.output.byteCount < Self.outputMax) {
      case .bytes(let view, _): segments.copy(view, to: &socket.pointee.output)
      case .data(let codec, let header, let count, _): put(codec, header, count, socket)
      case .ended: break
      case .closed(let codec, let code):
        hasEnded = true
        http2StreamClosed(connection, codec, code)
      case .failed(let error):
        markDirty(socket)
        http2Broken(connection, error)
        return
      case .idle:
        markDirty(socket)
        if hasEnded { http2Settle(connection) }
        return
      }
    }
  }

  /// One DATA frame: its nine bytes, then those of the request's body.
  private func put(
    _ codec: HTTP2StreamRef, _ header: InlineArray<9, UInt8>, _ count: Int, _ socket: SocketRef
  ) {
    let target = segments.reserve(9, in: &socket.pointee.output)
    for i in 0..<9 { target[i] = header[i] }
    // Whoever lets go of a stream resets it, so that none of its body is packed any more.
    guard let stream = loadStream(codec) else {
      assertionFailure("DATA of a request that is over")
      return
    }
    var left = count
    while left > 0, stream.pointee.prefixLeft > 0 {
      segments.reserve(1, in: &socket.pointee.output)[0] = stream.pointee.prefix[5 - stream.pointee.prefixLeft]
      stream.pointee.prefixLeft -= 1
      left -= 1
    }
    appendBody(stream.pointee.body.prefix(left), to: &socket.pointee.output, segments)
    stream.pointee.body = stream.pointee.body.dropFirst(left)
  }

  /// The kernel took bytes: bodies that waited for room go on.
  func http2Sent(_ connection: ClientRef, _ session: HTTP2SessionRef, _ socket: SocketRef) {
    if socket.pointee.output.byteCount < Self.outputMax, session.pointee.wantsOutput { http2MarkForFlush(connection) }
  }

  @inline(__always)
  func loadStream(_ codec: HTTP2StreamRef) -> LoadStreamRef? {
    codec.pointee.owner?.assumingMemoryBound(to: LoadStream.self)
  }
}
