import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// HTTP/2 connections, clients' and hosts' alike: bytes in, events out.
extension Worker {
  @inline(__always)
  func http2(_ connection: ConnectionRef) -> HTTP2ConnectionRef? {
    connection.pointee.session?.assumingMemoryBound(to: HTTP2Connection.self)
  }

  @inline(__always)
  func httpStream(_ stream: HTTP2StreamRef) -> HTTPStreamRef? {
    stream.pointee.owner?.assumingMemoryBound(to: HTTPStream.self)
  }

  /// Gives the connection a session; its first frames go out at the end of the turn.
  func http2Open(_ connection: ConnectionRef, _ options: HTTP2Options, isServer: Bool)
    -> HTTP2ConnectionRef?
  {
    let memory = http.sessionMemory(arenas)
    guard
      let session = isServer
        ? HTTP2Session.makeServer(options, memory) : HTTP2Session.makeClient(options, memory)
    else { return nil }
    let h2 = http.http2Connections.take()
    h2.initialize(to: HTTP2Connection(session: session))
    connection.pointee.session = UnsafeMutableRawPointer(h2)
    markDirty(connection)
    return h2
  }

  /// Takes the session from the connection. Its streams are over.
  func http2Free(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    assert(h2.pointee.streamCount == 0, "an HTTP/2 connection was freed with streams on it")
    http2Settle(connection, h2)
    connection.pointee.session = nil
    HTTP2Session.free(h2.pointee.session)
    h2.deinitialize(count: 1)
    http.http2Connections.give(h2)
  }

  // MARK: Input

  func http2Received(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let h2 = http2(connection) else {
      segments.release(segment)
      return
    }
    let session = h2.pointee.session
    let bytes = ByteView(segment.pointee.base, segment.pointee.count)
    var offset = 0
    // Of the bytes, what the segment no longer has.
    var taken = 0
    var rest: SegmentRef? = segment
    input: while true {
      let event = session.pointee.next(bytes, &offset, now: now)
      switch event {
      case .needMore: break input
      case .data(let stream, let from, let to, let ends):
        var body = SegmentQueue()
        if to > from, let current = rest {
          current.pointee.base += from - taken
          current.pointee.count -= from - taken
          taken = to
          if to == bytes.count {
            body.append(current)
            rest = nil
          } else {
            body.append(segments.split(current, at: to - from))
          }
        }
        http2Data(connection, h2, stream, &body, endsStream: ends)
      default: http2Event(connection, h2, event)
      }
      guard connection.pointee.session == UnsafeMutableRawPointer(h2) else {
        // The connection is over.
        if let rest { segments.release(rest) }
        return
      }
      if h2.pointee.yields {
        keepForNextTurn(connection, rest, offset - taken)
        rest = nil
        break input
      }
    }
    if let rest { segments.release(rest) }
    http2NoteHeadBlock(connection, h2)
    if session.pointee.wantsOutput { markDirty(connection) }
  }

  private func keepForNextTurn(_ connection: ConnectionRef, _ rest: SegmentRef?, _ used: Int) {
    markDirty(connection)
    guard let rest else { return }
    rest.pointee.base += used
    rest.pointee.count -= used
    if rest.pointee.count > 0 {
      segments.parkFirst(rest, in: &connection.pointee.input)
    } else {
      segments.release(rest)
    }
  }

  private func http2Data(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef,
    _ body: inout SegmentQueue, endsStream: Bool
  ) {
    guard let stream = httpStream(codec) else {
      segments.releaseAll(&body)
      return
    }
    if connection.pointee.role == .http2 {
      http2RequestData(stream, h2, codec, &body, endsStream: endsStream)
    } else {
      upstreamHTTP2Data(connection, stream, h2, codec, &body, endsStream: endsStream)
    }
  }

  private func http2Event(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ event: HTTP2Event
  ) {
    switch event {
    case .pong:
      h2.pointee.pingDeadline = 0
      http2SchedulePing(connection, h2)
    case .failed(let error): http2Failed(connection, h2, error)
    default:
      if connection.pointee.role == .http2 {
        http2DownstreamEvent(connection, h2, event)
      } else {
        upstreamHTTP2Event(connection, h2, event)
      }
    }
  }

  /// The connection cannot go on: its streams end, the peer is told why, and it closes.
  func http2Failed(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ error: HTTP2Error) {
    http2Stats(connection) { stats in
      if let counter = stats.counter(of: error.reason) { slab.increment(counter) }
      slab.increment(stats.goawaySent)
    }
    if connection.pointee.role == .http2 {
      http2ClientFailed(connection, h2, error)
    } else {
      upstreamHTTP2Failed(connection, h2, error)
    }
  }

  // MARK: Statistics

  /// Calls `body` with the statistics that the connection counts in.
  @inline(__always)
  func http2Stats(_ connection: ConnectionRef, _ body: (borrowing HTTP2Stats) -> Void) {
    if let host = connection.pointee.host {
      let cluster = host.pointee.cluster.pointee.pointer
      if let http2 = cluster.pointee.http2Stats { body(http2.pointee.stats) }
    } else if let manager = httpManager(connection) {
      body(manager.pointee.http2.pointee.stats)
    }
  }

  /// Brings the statistics up to what the session has counted.
  func http2Settle(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    let counters = h2.pointee.session.pointee.counters
    let before = h2.pointee.counted
    if counters == before { return }
    h2.pointee.counted = counters
    http2Stats(connection) { stats in
      slab.add(stats.rxReset, counters.resetsReceived &- before.resetsReceived)
      slab.add(stats.txReset, counters.resetsSent &- before.resetsSent)
      slab.add(stats.streamRefusedErrors, counters.streamsRefused &- before.streamsRefused)
      slab.add(
        stats.droppedHeadersWithUnderscores,
        counters.underscoreFieldsDropped &- before.underscoreFieldsDropped)
      slab.add(stats.trailers, counters.trailers &- before.trailers)
    }
  }

  /// Body bytes begin to wait for windows and room.
  @inline(__always)
  func http2Queued(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ count: Int) {
    if count == 0 { return }
    h2.pointee.queuedBytes += count
    http2Stats(connection) { slab.add($0.pendingSendBytes, UInt64(count)) }
  }

  /// They wait no longer.
  @inline(__always)
  func http2Unqueued(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ count: Int) {
    if count == 0 { return }
    h2.pointee.queuedBytes -= count
    assert(h2.pointee.queuedBytes >= 0)
    http2Stats(connection) { slab.subtract($0.pendingSendBytes, UInt64(count)) }
  }
}
