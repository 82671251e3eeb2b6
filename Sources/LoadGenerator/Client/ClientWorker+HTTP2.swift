import HTTP2
import HTTPCore
import LoadBase
import LoadReport
import Primitives
import Reactor

/// HTTP/2 connections: each carries many requests at once.
extension ClientWorker {
  /// The connection speaks HTTP/2.
  /// - Returns: false when memory is short.
  func http2Open(_ connection: ClientRef) -> Bool {
    guard let http2, let session = HTTP2Session.makeClient(http2.options, http2.memory) else { return false }
    connection.pointee.h2 = session
    connection.pointee.receivedAt = now
    http2MarkForFlush(connection)
    return true
  }

  /// The connection's socket is gone. Its streams were ended before.
  func http2Close(_ connection: ClientRef) {
    guard let session = connection.pointee.h2 else { return }
    connection.pointee.h2 = nil
    HTTP2Session.free(session)
  }

  // MARK: Requests

  /// Sends a request that is counted already.
  func http2Send(
    _ connection: ClientRef, _ session: HTTP2SessionRef, _ request: PendingRequest, sequence: UInt64
  ) {
    let compiled = http2Compiled + Int(request.content)
    let stream = streams.take(LoadStream(request, connection))
    append(stream)
    let bodyBytes = compiled.pointee.body.drawCount(&random)
    stream.pointee.body = compiled.pointee.body.prefix(bodyBytes)
    if compiled.pointee.isGRPC { putPrefix(stream, bodyBytes) }
    let offered = bodyBytes + stream.pointee.prefixLeft
    let head = compiled.pointee.head(http2Turn, sequence: sequence, bodyBytes: bodyBytes, &random)
    http2MarkForFlush(connection)
    guard
      let codec = session.pointee.submitRequest(
        head, ends: offered == 0, owner: UnsafeMutableRawPointer(stream))
    else {
      // As many requests as a connection has numbers for: the next ones go on another.
      connection.pointee.isEnding = true
      http2Fail(stream, .other, note: "the connection takes no more requests")
      if connection.pointee.pendingCount == 0 { replace(connection) }
      return
    }
    stream.pointee.codec = codec
    if offered > 0 { session.pointee.offer(codec, bytes: offered, ends: true) }
  }

  private func putPrefix(_ stream: LoadStreamRef, _ count: Int) {
    stream.pointee.prefixLeft = 5
    let length = UInt32(truncatingIfNeeded: count).bigEndian
    withUnsafeBytes(of: length) { for i in 0..<4 { stream.pointee.prefix[i + 1] = $0[i] } }
  }

  @inline(__always)
  private func append(_ stream: LoadStreamRef) {
    let connection = stream.pointee.connection
    stream.pointee.previous = connection.pointee.lastStream
    if let last = connection.pointee.lastStream {
      last.pointee.next = stream
    } else {
      connection.pointee.firstStream = stream
    }
    connection.pointee.lastStream = stream
  }

  /// The stream is over, whatever became of it.
  @inline(__always)
  func http2Remove(_ stream: LoadStreamRef) {
    let connection = stream.pointee.connection
    if let previous = stream.pointee.previous {
      previous.pointee.next = stream.pointee.next
    } else {
      connection.pointee.firstStream = stream.pointee.next
    }
    if let next = stream.pointee.next {
      next.pointee.previous = stream.pointee.previous
    } else {
      connection.pointee.lastStream = stream.pointee.previous
    }
    connection.pointee.pendingCount &-= 1
    pendingTotal &-= 1
    if let codec = stream.pointee.codec, let session = connection.pointee.h2 {
      // The answer came before the request was out, or nobody waits for it any more.
      if !codec.pointee.hasSentEnd || !codec.pointee.hasReceivedEnd { session.pointee.reset(codec, .cancel) }
      session.pointee.release(codec)
      http2MarkForFlush(connection)
    }
    streams.give(stream)
  }

  /// There will be no whole answer.
  func http2Fail(_ stream: LoadStreamRef, _ kind: ErrorKind, note: String?) {
    if stream.pointee.request.intended >= measureFrom { record.tally.errors.add(kind) }
    remember(kind, note)
    http2Remove(stream)
  }

  /// All requests of the connection are lost: the oldest through `kind`, those behind it because their connection ends
  /// with it.
  func http2FailAll(_ connection: ClientRef, _ kind: ErrorKind, note: String?) {
    var kind = kind
    while let stream = connection.pointee.firstStream {
      http2Fail(stream, kind, note: note)
      if kind != .goaway, kind != .requestTimeout { kind = .closedEarly }
    }
  }

  // MARK: Time

  /// Requests whose time is over are cancelled, the others go on.
  func http2DeadlinePassed(_ connection: ClientRef) {
    while let stream = connection.pointee.firstStream, stream.pointee.request.sent &+ plan.timeout <= now {
      http2Fail(stream, .requestTimeout, note: nil)
    }
    // Nothing at all for so long: there is nobody at the other end.
    if now &- connection.pointee.receivedAt >= plan.timeout &* 2 {
      http2FailAll(connection, .requestTimeout, note: nil)
      replace(connection)
      return
    }
    http2Settle(connection)
  }

  /// After streams have ended: what the connection does next.
  func http2Settle(_ connection: ClientRef) {
    guard let socket = connection.pointee.socket else { return }
    if let oldest = connection.pointee.firstStream {
      wake(socket, at: oldest.pointee.request.sent &+ plan.timeout)
    } else {
      wake(socket, at: 0)
      if connection.pointee.isEnding || plan.newConnectionPerRequest {
        replace(connection)
        return
      }
    }
    if canTake(connection) { list(connection) }
  }
}
