import HTTP2
import Primitives
import Reactor

/// The one place that knows which protocol carries a request to its host.
extension Worker {
  /// A connection that can take one more request now.
  @inline(__always)
  func codecTakeConnection(_ pool: PoolRef) -> ConnectionRef? {
    guard let connection = pool.pointee.idle else { return nil }
    // One of HTTP/2 stays in the list as long as it has room.
    if !pool.pointee.isHTTP2 { removeIdle(connection, pool) }
    return connection
  }

  /// A connection that was taken and is not needed.
  func codecReturn(_ connection: ConnectionRef, _ pool: PoolRef) {
    if !pool.pointee.isHTTP2 { connectionFree(connection, pool) }
  }

  /// The connection works for the stream from here on.
  @inline(__always)
  func codecOccupy(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    if connection.pointee.role == .upstreamHTTP2 {
      upstreamHTTP2Occupy(connection, stream)
    } else {
      connection.pointee.session = UnsafeMutableRawPointer(stream)
    }
  }

  /// The connection is done with the stream; what becomes of it is the caller's affair.
  @inline(__always)
  func codecVacate(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    if connection.pointee.role == .upstreamHTTP2 {
      upstreamHTTP2Vacate(connection, stream)
      return
    }
    if let splice = connection.pointee.feeds { releaseSource(splice) }
    connection.pointee.session = nil
  }

  /// Writes the head, and what has come of the body.
  @inline(__always)
  func codecWriteRequest(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef,
    _ config: UnsafeMutablePointer<ClusterConfig>
  ) {
    if connection.pointee.role == .upstreamHTTP2 {
      http2WriteRequest(stream, connection)
    } else if connection.pointee.role == .upstreamTunnel {
      beginConnectTunnel(stream, connection)
    } else {
      http1WriteRequest(stream, connection, config)
    }
  }

  /// Writes more of the body, and its end when `requestEnded` says so.
  @inline(__always)
  func codecWriteRequestData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    if connection.pointee.role == .upstreamHTTP2 {
      http2WriteRequestData(stream, connection, &data)
    } else {
      http1WriteRequestData(stream, connection, &data)
    }
  }

  /// Whether the host takes the request more slowly than it comes.
  @inline(__always)
  func isRequestBlocked(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    connection.pointee.role == .upstreamHTTP2
      ? isHTTP2RequestBlocked(stream, connection) : isOverLimit(connection)
  }

  func codecPauseResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    // HTTP/2 stops to give windows back; what they allow still comes.
    if connection.pointee.role != .upstreamHTTP2 { stopReading(connection) }
  }

  func codecResumeResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    if connection.pointee.role == .upstreamHTTP2 {
      http2ResumeResponse(stream, connection)
    } else {
      startReading(connection)
    }
  }

  /// Nobody wants the response any more. HTTP/1 cannot say so: a connection in the middle of an exchange closes.
  func codecAbandon(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    if connection.pointee.role == .upstreamHTTP2 {
      http2Abandon(stream, connection)
      return
    }
    if stream.pointee.has(.isTunnel) {
      // What the client has sent is still delivered.
      leaveTunnel(stream, connection, isSuccess: nil)
      return
    }
    detach(stream, isSuccess: nil)
    connection.pointee.flags.insert(.endsUnderRequest)
    close(connection, isLocal: true)
  }

  /// Takes the body that an HTTP/2 connection has not sent back to the stream, before another attempt.
  func codecTakeBody(_ stream: HTTPStreamRef) {
    guard let connection = stream.pointee.upstream.connection, let codec = stream.pointee.upstream.h2,
      let h2 = http2(connection)
    else { return }
    http2Unqueued(connection, h2, stream.pointee.upstream.waitingBody.byteCount)
    stream.pointee.upstream.h2 = nil
    h2.pointee.session.pointee.release(codec)
  }
}
