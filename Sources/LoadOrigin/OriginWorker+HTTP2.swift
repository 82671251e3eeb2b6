import HTTP2
import HTTPCore
import LoadBase
import Primitives
import Reactor

/// HTTP/2 connections: requests in.
extension OriginWorker {
  /// Looks at a connection's first bytes, which wait in its input: HTTP/2 begins with a preface of its own.
  func sniff(_ connection: OriginRef) {
    let match = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HTTP2Preface.bytes.count) { room in
      guard let base = room.baseAddress else { return HTTP2Preface.Match.no }
      var count = 0
      var next = connection.pointee.input.head
      while let segment = next, count < room.count {
        let part = min(segment.pointee.count, room.count - count)
        (base + count).update(from: segment.pointee.base, count: part)
        count += part
        next = segment.pointee.next
      }
      return HTTP2Preface.match(ByteView(base, count))
    }
    switch match {
    case .partial: return
    case .no: connection.pointee.isFresh = false
    case .yes:
      guard startHTTP2(connection) else { return end(connection) }
    }
    resume(connection)
  }

  /// - Returns: false when memory is short.
  func startHTTP2(_ connection: OriginRef) -> Bool {
    guard let session = HTTP2Session.makeServer(http2.options, http2.memory) else { return false }
    connection.pointee.isFresh = false
    connection.pointee.h2 = session
    http2MarkForFlush(connection)
    return true
  }

  /// Reads as many frames as the bytes hold.
  func http2Take(_ connection: OriginRef, _ session: HTTP2SessionRef, _ segment: SegmentRef) {
    let bytes = ByteView(segment.pointee.base, segment.pointee.count)
    var offset = 0
    defer { segments.release(segment) }
    http2MarkForFlush(connection)
    while true {
      switch session.pointee.next(bytes, &offset, now: now) {
      case .needMore: return
      case .head(let codec, let head): http2Request(connection, session, codec, head)
      case .data(let codec, let from, let to, let ends):
        session.pointee.consume(codec, to &- from)
        if ends, let stream = originStream(codec) { http2RequestDone(stream) }
      case .trailers(let codec): if let stream = originStream(codec) { http2RequestDone(stream) }
      case .reset(let codec, _, _, _): http2Ended(session, codec)
      case .malformed(let codec, _): if let codec { http2Ended(session, codec) }
      case .tooLarge(let codec, _):
        session.pointee.reset(codec, .refusedStream)
        http2Ended(session, codec)
      case .interim, .settings, .goAway, .pong: break
      // The flush says GOAWAY and ends the connection.
      case .failed: return
      }
      // A fault that the plan wants may have ended the connection.
      guard connection.pointee.h2 == session else { return }
    }
  }

  private func http2Request(
    _ connection: OriginRef, _ session: HTTP2SessionRef, _ codec: HTTP2StreamRef, _ head: HTTP2Head
  ) {
    let stream = makeStream(connection, codec)
    let isHead = head.method == .head
    stream.pointee.answer = plannedAnswer(session.pointee.headers.value(.path) ?? .empty, isHead: isHead)
    if head.ends {
      http2RequestDone(stream)
    } else if head.expectsContinue {
      let map = HeaderMap(unallocatedIn: http2.turn)
      _ = session.pointee.submitInterim(codec, status: 100, map)
    }
  }

  /// The whole request is there: it is answered now or later.
  private func http2RequestDone(_ stream: OriginStreamRef) {
    let delay = stream.pointee.answer.delay
    if delay == 0 {
      http2Answer(stream, now)
    } else {
      wait(for: stream, until: now &+ delay)
    }
  }

  /// The client, or a fault of it, ended the stream.
  private func http2Ended(_ session: HTTP2SessionRef, _ codec: HTTP2StreamRef) {
    if let stream = originStream(codec) {
      http2Release(stream)
    } else {
      session.pointee.release(codec)
    }
  }

  // MARK: Streams

  private func makeStream(_ connection: OriginRef, _ codec: HTTP2StreamRef) -> OriginStreamRef {
    let stream: OriginStreamRef
    if let free = freeStreams {
      freeStreams = free.pointee.next
      stream = free
      stream.pointee = OriginStream(serial: free.pointee.serial, connection: connection, codec: codec)
    } else {
      stream = .allocate(capacity: 1)
      stream.initialize(to: OriginStream(connection: connection, codec: codec))
      madeStreams.append(stream)
    }
    codec.pointee.owner = UnsafeMutableRawPointer(stream)
    stream.pointee.next = connection.pointee.streams
    connection.pointee.streams?.pointee.previous = stream
    connection.pointee.streams = stream
    return stream
  }

  /// The stream is over; its place is free again.
  func http2Release(_ stream: OriginStreamRef) {
    let connection = stream.pointee.connection
    if let previous = stream.pointee.previous {
      previous.pointee.next = stream.pointee.next
    } else {
      connection.pointee.streams = stream.pointee.next
    }
    stream.pointee.next?.pointee.previous = stream.pointee.previous
    connection.pointee.h2?.pointee.release(stream.pointee.codec)
    stream.pointee.serial &+= 1
    stream.pointee.next = freeStreams
    freeStreams = stream
  }

  @inline(__always)
  func originStream(_ codec: HTTP2StreamRef) -> OriginStreamRef? {
    codec.pointee.owner?.assumingMemoryBound(to: OriginStream.self)
  }

  func wait(for stream: OriginStreamRef, until time: UInt64) {
    due.insert(
      DueQueue.Entry(
        due: time, connection: stream.pointee.connection, stream: stream, serial: stream.pointee.serial))
  }

  /// The connection's place is given back: nothing of HTTP/2 is left.
  func http2Close(_ connection: OriginRef) {
    guard let session = connection.pointee.h2 else { return }
    while let stream = connection.pointee.streams { http2Release(stream) }
    connection.pointee.h2 = nil
    HTTP2Session.free(session)
  }
}
