import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats
import Synchronization

/// Responses as HTTP/2: what Worker+DownstreamCodec asks for.
extension Worker {
  func http2WriteHead(
    _ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool
  ) {
    let connection = stream.pointee.connection
    guard let h2 = http2(connection), let codec = stream.pointee.h2 else { return }
    if connection.pointee.has(.drains) || isDraining
      || environment.flags.failsHealthChecks.load(ordering: .relaxed)
    {
      http2BeginDrain(connection, h2)
    }
    if hasNoContent, code == 204 || code < 200 { stream.pointee.response.remove(.contentLength) }
    // 101 is not of HTTP/2: an upgrade that was accepted is a success (RFC 8441 section 5).
    if code == 101 { stream.pointee.response.set(.status, ByteView("200")) }
    let ends = hasNoContent || endsStream
    stream.pointee.responseFraming = ends ? .none : .chunked
    guard h2.pointee.session.pointee.submitResponse(codec, stream.pointee.response, ends: ends) else {
      // Longer than any peer takes.
      stream.pointee.info.responseCodeDetails = ByteView("response_headers_too_large")
      resetStream(stream, .internalError)
      return
    }
    let size = stream.pointee.response.wireBytes
    stream.pointee.info.downstreamWireBytesSent &+= UInt64(size)
    stream.pointee.info.downstreamHeaderBytesSent &+= UInt64(size)
    markDirty(connection)
  }

  func http2WriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    let connection = stream.pointee.connection
    guard let h2 = http2(connection), let codec = stream.pointee.h2 else {
      segments.releaseAll(&data)
      return
    }
    let count = data.byteCount
    http2Queued(connection, h2, count)
    segments.park(&data, in: &stream.pointee.responseQueue)
    let hasTrailers = endsStream && stream.pointee.has(.hasResponseTrailers)
    h2.pointee.session.pointee.offer(
      codec, bytes: count, ends: endsStream, trailers: hasTrailers ? trailers(stream) : nil)
    markDirty(connection)
  }

  @inline(__always)
  private func trailers(_ stream: HTTPStreamRef) -> UnsafePointer<HeaderMap> {
    let offset = MemoryLayout<HTTPStream>.offset(of: \.responseTrailers) ?? 0
    return (UnsafeRawPointer(stream) + offset).assumingMemoryBound(to: HeaderMap.self)
  }

  func http2WriteInterim(_ stream: HTTPStreamRef, _ status: UInt16, _ map: HeaderMap?) {
    guard let h2 = http2(stream.pointee.connection), let codec = stream.pointee.h2 else { return }
    let map = map ?? HeaderMap(unallocatedIn: arena(stream))
    _ = h2.pointee.session.pointee.submitInterim(codec, status: status, map)
    markDirty(stream.pointee.connection)
  }

  func http2ResumeRequest(_ stream: HTTPStreamRef) {
    guard let h2 = http2(stream.pointee.connection), let codec = stream.pointee.h2 else { return }
    h2.pointee.session.pointee.consume(codec, codec.pointee.unconsumedBytes)
    markDirty(stream.pointee.connection)
  }

  /// The response is offered whole; it is out when the session says so.
  func http2Finish(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.responseFlushed) else {
      http2ExtendFlush(stream)
      scheduleStreamTimer(stream)
      return
    }
    if !stream.pointee.has(.requestComplete), let h2 = http2(stream.pointee.connection),
      let codec = stream.pointee.h2
    {
      // After END_STREAM: whatever else the client sends of the request is not wanted (RFC 9113 section 8.1).
      h2.pointee.session.pointee.reset(codec, .noError)
    }
    endStream(stream)
  }

  /// The client has until then to take more of a complete response.
  func http2ExtendFlush(_ stream: HTTPStreamRef) {
    let limit = stream.pointee.manager.pointee.streamFlushTimeout ?? stream.pointee.idleTimeout
    stream.pointee.flushDeadline = limit > 0 ? now &+ limit : 0
  }

  /// The client did not take a complete response in time.
  func http2FlushTimedOut(_ stream: HTTPStreamRef) {
    http2Stats(stream.pointee.connection) { slab.increment($0.txFlushTimeout) }
    stream.pointee.info.flags.insert(.streamIdleTimeout)
    stream.pointee.info.responseCodeDetails = ByteView("stream_flush_timeout")
    resetStream(stream, .cancel)
  }

  func http2Reset(_ stream: HTTPStreamRef, _ code: HTTP2Code) {
    if let h2 = http2(stream.pointee.connection), let codec = stream.pointee.h2 {
      h2.pointee.session.pointee.reset(codec, code)
    }
    endStream(stream)
  }

  /// The library gave a stream up while it sent: a head that cannot be packed, or a connection that fails.
  func http2ClosedWhileSending(_ connection: ConnectionRef, _ codec: HTTP2StreamRef, _ code: HTTP2Code) {
    guard let stream = httpStream(codec) else { return }
    if connection.pointee.role == .http2 {
      stream.pointee.info.responseCodeDetails = ByteView("http2.local_reset")
      resetStream(stream, .internalError)
    } else {
      // A request whose head was queued when the host said GOAWAY never left.
      upstreamHTTP2Reset(connection, stream, code, isUnprocessed: code == .refusedStream)
    }
  }

  /// The stream is over: its connection knows it no more.
  func http2Detach(_ stream: HTTPStreamRef) {
    let connection = stream.pointee.connection
    guard let codec = stream.pointee.h2, let h2 = http2(connection) else { return }
    stream.pointee.h2 = nil
    if let previous = stream.pointee.previousStream {
      previous.pointee.nextStream = stream.pointee.nextStream
    } else {
      h2.pointee.first = stream.pointee.nextStream
    }
    if let next = stream.pointee.nextStream {
      next.pointee.previousStream = stream.pointee.previousStream
    } else {
      h2.pointee.last = stream.pointee.previousStream
    }
    stream.pointee.nextStream = nil
    stream.pointee.previousStream = nil
    h2.pointee.streamCount &-= 1
    h2.pointee.endedStreams &+= 1
    http2Unqueued(connection, h2, stream.pointee.responseQueue.byteCount)
    segments.releaseAll(&stream.pointee.responseQueue)
    h2.pointee.session.pointee.release(codec)
    http2Stats(connection) { slab.decrement($0.streamsActive) }
    connection.pointee.lastActivityAt = now
    if h2.pointee.streamCount == 0 {
      let idle = stream.pointee.manager.pointee.idleTimeout
      if idle > 0 { ensureTimer(connection, by: now &+ idle) }
    }
    if !connection.pointee.has(.closed) { markDirty(connection) }
  }
}
