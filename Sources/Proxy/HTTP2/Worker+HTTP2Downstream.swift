import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// The client side of HTTP/2: events to streams.
extension Worker {
  /// New streams of one connection in one turn; more wait for the next, so that one packet full of tiny requests does
  /// not hold up everybody else.
  private static let streamsPerTurnMax: UInt32 = 64

  /// The connection speaks HTTP/2 from here on.
  func http2Start(_ connection: ConnectionRef) {
    guard let manager = httpManager(connection) else { return }
    connection.pointee.role = .http2
    let stats = manager.pointee.stats
    slab.increment(stats.cxHTTP2Total)
    slab.increment(stats.cxHTTP2Active)
    connection.pointee.flags.insert(.isHTTP2Counted)
    guard let h2 = http2Open(connection, manager.pointee.http2.pointee.options, isServer: true) else {
      close(connection, isLocal: true)
      return
    }
    connection.pointee.lastActivityAt = now
    http2SchedulePing(connection, h2)
    if connection.pointee.has(.drains) { http2BeginDrain(connection, h2) }
    startReading(connection)
  }

  func http2DownstreamEvent(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ event: HTTP2Event
  ) {
    switch event {
    case .head(let codec, let head): http2Request(connection, h2, codec, head)
    case .trailers(let codec):
      if let stream = httpStream(codec) { http2RequestTrailers(stream, h2) }
    case .reset(let codec, let code, let byPeer, _):
      if let stream = httpStream(codec) {
        http2ClientReset(connection, h2, stream, code, byPeer: byPeer)
      }
    case .malformed(let codec, let error): http2Malformed(connection, h2, codec, error)
    case .tooLarge(let codec, let error): http2HeadTooLarge(connection, h2, codec, error)
    case .goAway:
      // The client opens no more streams: when these are done, so is the connection.
      h2.pointee.drain = .final
      markDirty(connection)
    case .settings, .needMore, .data, .interim, .pong, .failed: break
    }
  }

  // MARK: Requests

  private func http2Request(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef, _ head: HTTP2Head
  ) {
    guard let stream = http2MakeStream(connection, h2, codec) else { return }
    stream.pointee.requestMethod = head.method
    stream.pointee.requestFraming =
      head.ends ? .none : head.contentLength >= 0 ? .length(UInt64(head.contentLength)) : .chunked
    stream.pointee.info.downstreamWireBytesReceived = UInt64(head.wireBytes)
    stream.pointee.info.downstreamHeaderBytesReceived = UInt64(head.wireBytes)
    if head.method == .head { stream.pointee.flags.insert(.isHead) }
    let isUpgrade = head.method == .connect
    if isUpgrade { unfoldExtendedConnect(stream) }
    if head.ends { http2RequestReceived(stream) }
    let limit = stream.pointee.manager.pointee.maxRequestsPerConnection
    if limit > 0, connection.pointee.requestCount >= limit, h2.pointee.drain == .none {
      slab.increment(stream.pointee.manager.pointee.stats.cxMaxRequestsReached)
      http2BeginDrain(connection, h2)
    }
    handleRequest(
      stream, endsStream: head.ends, expectsContinue: head.expectsContinue && !head.ends,
      isUpgrade: isUpgrade)
  }

  /// A stream for a head that has come, good or bad.
  private func http2MakeStream(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef
  ) -> HTTPStreamRef? {
    guard let manager = httpManager(connection) else { return nil }
    let stream = makeStream(connection, manager)
    stream.pointee.h2 = codec
    stream.pointee.flags.insert([.isHTTP2, .headDone, .requestHeadCounted])
    codec.pointee.owner = UnsafeMutableRawPointer(stream)
    codec.pointee.arena = arena(stream)
    stream.pointee.request = h2.pointee.session.pointee.takeRequest(into: arena(stream))
    stream.pointee.info.version = .http2
    link(stream, h2)
    let stats = manager.pointee.stats
    slab.increment(stats.rqTotal)
    slab.increment(stats.rqHTTP2Total)
    slab.increment(stats.rqActive)
    slab.increment(manager.pointee.http2.pointee.stats.streamsActive)
    if h2.pointee.turn != now {
      h2.pointee.turn = now
      h2.pointee.streamsThisTurn = 0
    }
    h2.pointee.streamsThisTurn &+= 1
    if h2.pointee.streamsThisTurn >= Self.streamsPerTurnMax { h2.pointee.yields = true }
    scheduleStreamTimer(stream)
    return stream
  }

  private func link(_ stream: HTTPStreamRef, _ h2: HTTP2ConnectionRef) {
    stream.pointee.previousStream = h2.pointee.last
    if let last = h2.pointee.last {
      last.pointee.nextStream = stream
    } else {
      h2.pointee.first = stream
    }
    h2.pointee.last = stream
    h2.pointee.streamCount &+= 1
  }

  private func http2RequestReceived(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.requestComplete)
    stream.pointee.info.requestEnd = now
    stream.pointee.requestDeadline = 0
  }

  func http2RequestData(
    _ stream: HTTPStreamRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef,
    _ body: inout SegmentQueue, endsStream: Bool
  ) {
    let count = body.byteCount
    stream.pointee.lastActivityAt = now
    stream.pointee.info.bytesReceived &+= UInt64(count)
    stream.pointee.info.downstreamWireBytesReceived &+= UInt64(count + 9)
    if endsStream { http2RequestReceived(stream) }
    decodeData(stream, &body, endsStream: endsStream)
    if !stream.pointee.has(.finished), !stream.pointee.has(.pausedDownstream) {
      h2.pointee.session.pointee.consume(codec, codec.pointee.unconsumedBytes)
    }
  }

  private func http2RequestTrailers(_ stream: HTTPStreamRef, _ h2: HTTP2ConnectionRef) {
    stream.pointee.lastActivityAt = now
    http2RequestReceived(stream)
    stream.pointee.requestTrailers = h2.pointee.session.pointee.headers
    if stream.pointee.requestTrailers.count > 0 {
      stream.pointee.flags.insert(.hasRequestTrailers)
      decodeTrailers(stream)
    } else {
      var none = SegmentQueue()
      decodeData(stream, &none, endsStream: true)
    }
  }

  // MARK: Faults

  private func http2Malformed(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef?,
    _ error: HTTP2Error
  ) {
    http2CountFault(connection, error)
    guard let codec, let stream = httpStream(codec) ?? http2MakeStream(connection, h2, codec) else {
      return
    }
    slab.increment(stream.pointee.manager.pointee.stats.cxProtocolError)
    stream.pointee.info.flags.insert(.downstreamProtocolError)
    stream.pointee.info.responseCodeDetails = ByteView(error.detail)
    abandonUpstream(stream)
    endStream(stream)
  }

  private func http2HeadTooLarge(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef,
    _ error: HTTP2Error
  ) {
    http2CountFault(connection, error)
    guard let stream = http2MakeStream(connection, h2, codec) else { return }
    slab.increment(stream.pointee.manager.pointee.stats.rqTooLarge)
    if codec.pointee.hasReceivedEnd { http2RequestReceived(stream) }
    sendLocalReply(
      stream, status: 431, body: ByteView(StatusText.reason(431)), details: error.detail,
      flags: [.downstreamProtocolError])
  }

  func http2CountFault(_ connection: ConnectionRef, _ error: HTTP2Error) {
    http2Stats(connection) { stats in
      if let counter = stats.counter(of: error.reason) { slab.increment(counter) }
    }
  }

  /// The client broke the connection's rules, or what we allow it.
  func http2ClientFailed(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ error: HTTP2Error
  ) {
    guard let manager = httpManager(connection) else { return }
    slab.increment(manager.pointee.stats.cxProtocolError)
    while let stream = h2.pointee.first {
      stream.pointee.info.flags.insert(.downstreamProtocolError)
      stream.pointee.info.responseCodeDetails = ByteView(error.detail)
      abandonUpstream(stream)
      endStream(stream)
    }
    http2End(connection, h2)
  }

  // MARK: Ends

  /// The client takes a request back.
  private func http2ClientReset(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ stream: HTTPStreamRef, _ code: HTTP2Code,
    byPeer: Bool
  ) {
    let manager = stream.pointee.manager
    slab.increment(manager.pointee.stats.rqRxReset)
    stream.pointee.info.flags.insert(.downstreamRemoteReset)
    stream.pointee.info.responseCodeDetails = ByteView(
      code == .refusedStream ? "http2.remote_refuse" : "http2.remote_reset")
    let isPremature =
      byPeer && !stream.pointee.has(.responseHeadWritten)
      && now &- stream.pointee.info.start < HTTP2Abuse.prematureNanoseconds
    abandonUpstream(stream)
    endStream(stream)
    guard isPremature else { return }
    h2.pointee.prematureResets &+= 1
    guard
      h2.pointee.prematureResets &* 2
        >= max(HTTP2Abuse.prematureStreamsMin, h2.pointee.endedStreams)
    else { return }
    slab.increment(manager.pointee.stats.rqTooManyPrematureResets)
    let error = HTTP2Error(
      .shutDown, code: .enhanceYourCalm, detail: "too_many_premature_resets")
    h2.pointee.session.pointee.shutDown(error.code, error.detail)
    http2Failed(connection, h2, error)
  }

  /// The client's direction ended, or its socket broke: nobody is there for the responses.
  func http2ReadEnded(_ connection: ConnectionRef, isBroken: Bool = false) {
    if let h2 = http2(connection) {
      http2ClientLeft(connection, h2, isBroken: isBroken)
      if h2.pointee.first != nil {
        h2.pointee.lingers = true
        return
      }
    }
    close(connection, isLocal: false)
  }

  private func http2ClientLeft(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, isBroken: Bool) {
    var isCounted = false
    var next = h2.pointee.first
    while let stream = next {
      next = stream.pointee.nextStream
      if !isBroken, isFlushingTunnel(stream) { continue }
      if !isCounted, let manager = httpManager(connection) {
        isCounted = true
        slab.increment(manager.pointee.stats.cxDestroyActiveRq)
        slab.increment(manager.pointee.stats.cxDestroyRemoteActiveRq)
      }
      slab.increment(stream.pointee.manager.pointee.stats.rqRxReset)
      stream.pointee.info.flags.insert(.downstreamConnectionTermination)
      stream.pointee.info.responseCodeDetails = ByteView("downstream_remote_disconnect")
      abandonUpstream(stream)
      endStream(stream)
    }
  }

  /// A client may go when a tunnel has ended both ways: its host still gets what was said.
  private func isFlushingTunnel(_ stream: HTTPStreamRef) -> Bool {
    stream.pointee.flags.contains([.isTunnel, .requestComplete, .tunnelResponseEnded])
  }

  /// The connection's books are closed: what is still open ends with it.
  func http2Closed(_ connection: ConnectionRef) {
    guard let h2 = http2(connection) else { return }
    if let manager = httpManager(connection), h2.pointee.first != nil {
      slab.increment(manager.pointee.stats.cxDestroyActiveRq)
      slab.increment(manager.pointee.stats.cxDestroyLocalActiveRq)
    }
    while let stream = h2.pointee.first {
      abandonUpstream(stream)
      endStream(stream)
    }
    http2ForgetUnsent(connection, h2)
    http2Free(connection, h2)
  }

  /// No stream is left: what is queued goes out, GOAWAY last, and the connection closes.
  func http2End(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    let patience = httpManager(connection)?.pointee.delayedCloseTimeout ?? 0
    http2PutLastFrames(connection, h2)
    http2ForgetUnsent(connection, h2)
    http2Free(connection, h2)
    segments.releaseAll(&connection.pointee.input)
    finishGracefully(connection, patience: patience)
  }

  /// After a flush: a connection that takes no more streams and has none is over.
  func http2CloseIfDone(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.streamCount == 0 else { return }
    if connection.pointee.role == .http2 {
      if h2.pointee.lingers {
        close(connection, isLocal: false)
      } else if h2.pointee.drain == .final {
        http2End(connection, h2)
      }
    } else {
      upstreamHTTP2CloseIfDone(connection, h2)
    }
  }
}

/// What clients may do before they are taken for attackers (Envoy's `overload.premature_reset_*`).
enum HTTP2Abuse {
  /// A stream that is taken back before its response began and is younger than this is premature.
  static let prematureNanoseconds: UInt64 = 1_000_000_000
  /// So many streams must be over before the proportion counts.
  static let prematureStreamsMin: UInt64 = 500
}
