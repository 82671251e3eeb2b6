import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// The host side of HTTP/2: events to responses.
extension Worker {
  func upstreamHTTP2Event(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ event: HTTP2Event
  ) {
    switch event {
    case .head(let codec, let head):
      if let stream = httpStream(codec) { upstreamHTTP2Head(connection, h2, stream, head) }
    case .interim(let codec, let status):
      if let stream = httpStream(codec), interimArrived(stream, status) {
        codecWriteInterim(stream, status, h2.pointee.session.pointee.headers)
      }
    case .trailers(let codec):
      if let stream = httpStream(codec) { upstreamHTTP2Trailers(connection, h2, stream) }
    case .reset(let codec, let code, _, let isUnprocessed):
      if let stream = httpStream(codec) {
        upstreamHTTP2Reset(connection, stream, code, isUnprocessed: isUnprocessed)
      }
    case .malformed(let codec, let error):
      upstreamHTTP2Malformed(connection, codec.flatMap { httpStream($0) }, error)
    case .tooLarge(let codec, let error):
      upstreamHTTP2Malformed(connection, httpStream(codec), error)
    case .goAway:
      if let config = connection.pointee.host?.pointee.cluster.pointee.pointer, !h2.pointee.takesNoMore {
        slab.increment(config.pointee.stats.cxCloseNotify)
      }
      upstreamHTTP2Retire(connection)
    case .settings: upstreamHTTP2Settings(connection, h2)
    case .needMore, .data, .pong, .failed: break
    }
  }

  private func upstreamHTTP2Head(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ stream: HTTPStreamRef, _ head: HTTP2Head
  ) {
    connection.pointee.lastActivityAt = now
    stream.pointee.lastActivityAt = now
    stream.pointee.upstream.anyByteReceived = true
    stream.pointee.upstream.headDone = true
    stream.pointee.upstream.head.status = head.status
    stream.pointee.upstream.head.framing = head.ends ? .none : .chunked
    stream.pointee.response = h2.pointee.session.pointee.headers
    stream.pointee.info.upstreamVersion = .http2
    stream.pointee.info.upstreamResponseStart = now
    stream.pointee.info.upstreamWireBytesReceived &+= UInt64(head.wireBytes)
    stream.pointee.info.upstreamHeaderBytesReceived = UInt64(head.wireBytes)
    stream.pointee.info.responseCodeDetails = ByteView("via_upstream")
    countResult(stream, head.status)
    if holdsHead(stream, ends: head.ends) { return }
    upstreamHTTP2HeadGoesOn(connection, stream, head.status, ends: head.ends)
  }

  @inline(__always)
  func upstreamHTTP2HeadGoesOn(
    _ connection: ConnectionRef, _ stream: HTTPStreamRef, _ status: UInt16, ends: Bool
  ) {
    switch judge(stream, status) {
    case .isDropped(let stream, let due): dropHTTP2Response(stream, status, until: due)
    case .goesOn(let stream): http2ResponseGoesOn(connection, stream, status, ends: ends)
    }
  }

  @inline(__always)
  private func http2ResponseGoesOn(_ connection: ConnectionRef, _ stream: HTTPStreamRef, _ status: UInt16, ends: Bool) {
    if stream.pointee.has(.isUpgrade), status / 100 == 2, sentConnect(stream) {
      upstreamHTTP2Accepted(connection, stream, ends: ends)
      return
    }
    recordUpstreamCode(stream, status)
    prepareResponseHeaders(stream)
    if ends { upstreamHTTP2Complete(stream) }
    encodeHeaders(stream, endsStream: ends)
  }

  private func dropHTTP2Response(_ stream: HTTPStreamRef, _ status: UInt16, until due: UInt64) {
    resumeUpstream(stream)
    // Whose end has not come is reset.
    if let codec = stream.pointee.upstream.h2, !codec.pointee.hasReceivedEnd, let connection = stream.pointee.upstream.connection,
      let h2 = http2(connection), let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats
    {
      slab.increment(stats.rqTxReset)
      h2.pointee.session.pointee.reset(codec, .cancel)
    }
    leaveAttempt(stream, isSuccess: status < 500)
    awaitAttempt(stream, until: due)
  }

  /// Filters and routes may have made an ordinary request of an upgrade.
  private func sentConnect(_ stream: HTTPStreamRef) -> Bool {
    stream.pointee.requestMethod == .connect || stream.pointee.request.contains(.upgrade)
  }

  /// The host has accepted CONNECT. What was an upgrade gets the answer of one (RFC 8441 section 5).
  private func upstreamHTTP2Accepted(_ connection: ConnectionRef, _ stream: HTTPStreamRef, ends: Bool) {
    if let type = stream.pointee.request.value(.upgrade) {
      stream.pointee.upstream.head.status = 101
      stream.pointee.response.set(.status, ByteView("101"))
      stream.pointee.response.append(.upgrade, type)
    }
    acceptTunnel(stream)
    recordUpstreamCode(stream, stream.pointee.upstream.head.status)
    prepareResponseHeaders(stream)
    if ends { responseReceived(stream) }
    encodeHeaders(stream, endsStream: ends)
    startTunnel(stream, connection)
  }

  func upstreamHTTP2Data(
    _ connection: ConnectionRef, _ stream: HTTPStreamRef, _ h2: HTTP2ConnectionRef,
    _ codec: HTTP2StreamRef, _ body: inout SegmentQueue, endsStream: Bool
  ) {
    connection.pointee.lastActivityAt = now
    stream.pointee.lastActivityAt = now
    stream.pointee.info.upstreamWireBytesReceived &+= UInt64(body.byteCount + 9)
    if isHeadHeld(stream), !releaseHead(connection, stream) {
      segments.releaseAll(&body)
      return
    }
    if endsStream {
      if stream.pointee.has(.isTunnel) { responseReceived(stream) } else { upstreamHTTP2Complete(stream) }
    }
    encodeData(stream, &body, endsStream: endsStream)
    // The codec's stream is gone when the stream has let go of it.
    if stream.pointee.upstream.h2 == codec, !stream.pointee.upstream.pausedUpstream {
      h2.pointee.session.pointee.consume(codec, codec.pointee.unconsumedBytes)
    }
  }

  private func upstreamHTTP2Trailers(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ stream: HTTPStreamRef
  ) {
    stream.pointee.lastActivityAt = now
    stream.pointee.responseTrailers = h2.pointee.session.pointee.headers
    if isHeadHeld(stream) {
      if let due = repeatsAfterTrailers(stream) {
        dropHTTP2Response(stream, stream.pointee.upstream.head.status, until: due)
        return
      }
      guard releaseHead(connection, stream) else { return }
    }
    upstreamHTTP2Complete(stream)
    if stream.pointee.responseTrailers.count > 0 {
      encodeTrailers(stream)
    } else {
      var none = SegmentQueue()
      encodeData(stream, &none, endsStream: true)
    }
  }

  /// The last byte of the response is here: the connection has room for another request. What is not yet sent of this
  /// one nobody wants, and letting go of the codec's stream resets it.
  private func upstreamHTTP2Complete(_ stream: HTTPStreamRef) {
    responseReceived(stream)
    resumeUpstream(stream)
    detach(stream, isSuccess: stream.pointee.upstream.head.status < 500)
  }

  // MARK: Faults

  /// The host, or the library, gave one request up.
  func upstreamHTTP2Reset(
    _ connection: ConnectionRef, _ stream: HTTPStreamRef, _ code: HTTP2Code, isUnprocessed: Bool
  ) {
    if isUnprocessed, retryUpstream(stream, onNewConnection: false) { return }
    let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats
    if let stats { slab.increment(stats.rqRxReset) }
    leaveAttempt(stream, isSuccess: false)
    attemptFailed(
      stream,
      AttemptFailure(
        cause: isUnprocessed ? .refused : .remoteReset, flag: .upstreamRemoteReset,
        reason: isUnprocessed ? "remote refused stream reset" : "remote reset"))
  }

  private func upstreamHTTP2Malformed(
    _ connection: ConnectionRef, _ stream: HTTPStreamRef?, _ error: HTTP2Error
  ) {
    http2CountFault(connection, error)
    guard let stream else { return }
    failProtocol(stream, error)
  }

  private func failProtocol(_ stream: HTTPStreamRef, _ error: HTTP2Error) {
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.cxProtocolError)
      slab.increment(config.pointee.stats.rqTxReset)
    }
    if let connection = stream.pointee.upstream.connection, let h2 = http2(connection),
      let codec = stream.pointee.upstream.h2
    {
      h2.pointee.session.pointee.reset(codec, error.code)
    }
    leaveAttempt(stream, isSuccess: false)
    attemptFailed(stream, .protocolError(error.detail))
  }

  /// The connection cannot go on: the host broke its rules.
  func upstreamHTTP2Failed(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ error: HTTP2Error
  ) {
    upstreamHTTP2Retire(connection)
    if h2.pointee.requests.head != nil { connection.pointee.flags.insert(.endsUnderRequest) }
    while let stream = h2.pointee.requests.head {
      if error.reason == .shutDown {
        failTerminated(stream)
      } else {
        failProtocol(stream, error)
      }
    }
    http2PutLastFrames(connection, h2)
    closeAfterFlush(connection, patience: 1_000_000_000)
  }

  /// The host closed the connection, or its socket broke.
  func upstreamHTTP2Ended(_ connection: ConnectionRef, errno: Int32) {
    guard let h2 = http2(connection), let host = connection.pointee.host else {
      close(connection, isLocal: false)
      return
    }
    host.pointee.users += 1
    upstreamHTTP2Retire(connection)
    if h2.pointee.streamCount > 0 { connection.pointee.flags.insert(.endsUnderRequest) }
    while let stream = h2.pointee.requests.head {
      if mayBeStale(stream, connection), retryUpstream(stream, onNewConnection: true) { continue }
      failTerminated(stream, errno: errno)
    }
    close(connection, isLocal: false)
    host.pointee.users -= 1
    freeHostIfUnused(host)
  }

  /// The connection has ended, and the request with it.
  private func failTerminated(_ stream: HTTPStreamRef, errno: Int32 = 0) {
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      // So does Envoy, where a request waits until its stream has an answer.
      slab.increment(config.pointee.stats.rqPendingFailureEject)
    }
    leaveAttempt(stream, isSuccess: false)
    let transport = errno == 0 ? ByteView.empty : ErrnoText.view(errno)
    stream.pointee.info.upstreamTransportFailureReason = transport
    attemptFailed(stream, .terminated(transport, errno: errno))
  }

  /// The books of a connection that ends; requests on it fail.
  func upstreamHTTP2Closed(_ connection: ConnectionRef, _ pool: PoolRef) {
    guard let h2 = http2(connection) else { return }
    h2.pointee.takesNoMore = true
    if h2.pointee.isListed {
      // `removeIdle` has taken it out of the list.
      h2.pointee.isListed = false
    }
    while let stream = h2.pointee.requests.head { failTerminated(stream) }
    http2ForgetUnsent(connection, h2)
    http2Free(connection, h2)
  }

  // MARK: Time

  /// True when the connection is over or on its way out.
  func upstreamHTTP2TimerFired(_ connection: ConnectionRef) -> Bool {
    guard let h2 = http2(connection), let host = connection.pointee.host else { return true }
    if pingIsLate(connection, h2) { return true }
    guard h2.pointee.streamCount == 0 else { return true }
    let config = host.pointee.cluster.pointee.pointer
    let idle = config.pointee.idleTimeoutNanoseconds
    guard idle > 0 else { return true }
    if now >= connection.pointee.lastActivityAt &+ idle {
      slab.increment(config.pointee.stats.cxIdleTimeout)
      upstreamHTTP2Retire(connection)
    } else {
      ensureTimer(connection, by: connection.pointee.lastActivityAt &+ idle)
    }
    return true
  }
}
