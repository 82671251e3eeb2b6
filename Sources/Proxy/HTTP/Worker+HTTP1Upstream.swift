import HTTP1
import HTTPCore
import Primitives
import Reactor
import Stats

/// The host side of HTTP/1: bytes to a response.
extension Worker {
  func upstreamHTTP1Received(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let stream = httpStream(connection) else {
      // Bytes nobody asked for: the connection cannot be trusted with a request.
      segments.release(segment)
      if let host = connection.pointee.host {
        slab.increment(host.pointee.cluster.pointee.pointer.pointee.stats.cxProtocolError)
      }
      close(connection, isLocal: true)
      return
    }
    stream.pointee.lastActivityAt = now
    stream.pointee.upstream.anyByteReceived = true
    stream.pointee.info.upstreamWireBytesReceived &+= UInt64(segment.pointee.count)
    if stream.pointee.upstream.headDone {
      decodeResponseBody(stream, connection, segment)
    } else {
      decodeResponseHead(stream, connection, segment)
    }
  }

  private func responseLimits(_ stream: HTTPStreamRef) -> HTTP1Limits {
    guard let config = stream.pointee.upstream.cluster?.pointee.pointer else { return HTTP1Limits() }
    return HTTP1Limits(
      headBytesMax: UInt32(config.pointee.maxResponseHeadBytes),
      fieldCountMax: UInt32(config.pointee.maxResponseHeaders))
  }

  // MARK: Head

  private func decodeResponseHead(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ segment: SegmentRef
  ) {
    let limits = responseLimits(stream)
    while true {
      let head: UnsafeMutablePointer<UInt8>
      if stream.pointee.upstream.partial.count == 0 {
        let view = ByteView(segment.pointee.base, segment.pointee.count)
        switch HTTP1ResponseParser.parse(
          view, method: stream.pointee.requestMethod, limits: limits, table: &http.table,
          into: &http.responseHead)
        {
        case .complete(let length):
          head = stream.pointee.arena.allocate(length)
          head.update(from: view.base, count: length)
          segment.pointee.base += length
          segment.pointee.count -= length
        case .needMore:
          stream.pointee.upstream.partial.append(view, arena: &stream.pointee.arena)
          segments.release(segment)
          if case .failed(let error) = stream.pointee.upstream.scanner.scan(
            stream.pointee.upstream.partial.view, limits: limits)
          {
            responseError(stream, connection, error)
          }
          return
        case .failed(let error):
          segments.release(segment)
          responseError(stream, connection, error)
          return
        }
      } else {
        guard let whole = continueResponseHead(stream, connection, segment, limits) else { return }
        head = whole
      }
      if http.responseHead.isInterim {
        http1Interim(stream, head)
        stream.pointee.upstream.partial = PartialBytes()
        stream.pointee.upstream.scanner = .response()
        if segment.pointee.count == 0 {
          segments.release(segment)
          return
        }
        continue
      }
      responseHeadComplete(stream, connection, head, segment)
      return
    }
  }

  /// More of a head that came in pieces: the whole of it, or nil when there is nothing to do yet.
  private func continueResponseHead(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ segment: SegmentRef,
    _ limits: HTTP1Limits
  ) -> UnsafeMutablePointer<UInt8>? {
    let before = stream.pointee.upstream.partial.count
    let taken = min(max(0, Int(limits.headBytesMax) - before), segment.pointee.count)
    stream.pointee.upstream.partial.append(
      ByteView(segment.pointee.base, taken), arena: &stream.pointee.arena)
    let view = stream.pointee.upstream.partial.view
    switch stream.pointee.upstream.scanner.scan(view, limits: limits) {
    case .needMore:
      segments.release(segment)
    case .failed(let error):
      segments.release(segment)
      responseError(stream, connection, error)
    case .mayBeComplete:
      let outcome = HTTP1ResponseParser.parse(
        view, method: stream.pointee.requestMethod, limits: limits, table: &http.table,
        into: &http.responseHead)
      if case .complete(let length) = outcome, let base = stream.pointee.upstream.partial.base {
        segment.pointee.base += length - before
        segment.pointee.count -= length - before
        return base
      }
      segments.release(segment)
      if case .failed(let error) = outcome {
        responseError(stream, connection, error)
      } else {
        responseError(stream, connection, .badStatusLine)
      }
    }
    return nil
  }

  private func http1Interim(_ stream: HTTPStreamRef, _ head: UnsafeMutablePointer<UInt8>) {
    let status = http.responseHead.status
    guard interimArrived(stream, status) else { return }
    if status == 100 {
      codecWriteInterim(stream, 100, nil)
      return
    }
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    HTTP1ResponseParser.build(
      http.responseHead, copied: head, table: http.table, keepUpgrade: false, into: &map)
    codecWriteInterim(stream, status, map)
  }

  /// A host's 1xx: counted, and passed on when that is configured.
  ///
  /// - Returns: Whether the client gets it.
  func interimArrived(_ stream: HTTPStreamRef, _ status: UInt16) -> Bool {
    guard status == 100 || (status >= 102 && status <= 104) else { return false }
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      config.pointee.stats.codes.recordInterim(status, slab)
      countRouteScopes(stream) { $0.codes.recordInterim(status, slab) }
    }
    guard stream.pointee.manager.pointee.proxy100Continue, !stream.pointee.has(.isHTTP10) else { return false }
    stream.pointee.upstream.passedInterim = true
    // Its answer must be the same host's.
    if let plan = stream.pointee.upstream.plan { dropBranches(plan) }
    return true
  }

  private func responseHeadComplete(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ head: UnsafeMutablePointer<UInt8>,
    _ rest: SegmentRef
  ) {
    let parsed = http.responseHead
    stream.pointee.upstream.headDone = true
    stream.pointee.upstream.head = parsed
    stream.pointee.upstream.partial = PartialBytes()
    stream.pointee.info.upstreamVersion = parsed.isHTTP10 ? .http10 : .http11
    stream.pointee.info.upstreamResponseStart = now
    stream.pointee.info.upstreamHeaderBytesReceived = UInt64(parsed.length)
    if parsed.saysClose, let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.cxCloseNotify)
    }
    HTTP1ResponseParser.build(
      parsed, copied: head, table: http.table, keepUpgrade: parsed.isTunnel, into: &stream.pointee.response)
    let ends: Bool
    switch parsed.framing {
    case .none: ends = true
    case .length(let length):
      stream.pointee.upstream.length = LengthDecoder(length: length)
      ends = false
    case .chunked, .untilClose: ends = false
    }
    countResult(stream, parsed.status)
    switch judge(stream, parsed.status) {
    case .isDropped(let stream, let due):
      dropResponse(stream, connection, rest)
      awaitAttempt(stream, until: due)
    case .goesOn(let stream): responseGoesOn(stream, connection, parsed, rest, ends: ends)
    }
  }

  @inline(__always)
  private func responseGoesOn(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ parsed: ResponseHead, _ rest: SegmentRef, ends: Bool
  ) {
    if parsed.isTunnel {
      guard answersUpgrade(stream, parsed.status) else {
        segments.release(rest)
        responseError(stream, connection, .badStatusLine)
        return
      }
      acceptTunnel(stream)
    }
    stream.pointee.info.responseCodeDetails = ByteView("via_upstream")
    recordUpstreamCode(stream, parsed.status)
    prepareResponseHeaders(stream)
    if ends {
      let leftover = rest.pointee.count
      segments.release(rest)
      upstreamResponseComplete(stream, connection, leftover: leftover)
      encodeHeaders(stream, endsStream: true)
      return
    }
    encodeHeaders(stream, endsStream: false)
    // A filter may have answered instead: the connection is no longer the stream's, which may go on for a while.
    if rest.pointee.count == 0 || stream.pointee.upstream.connection != connection {
      segments.release(rest)
      if case .length = parsed.framing { spliceIfLarge(stream, connection) }
    } else {
      decodeResponseBody(stream, connection, rest)
    }
    if parsed.isTunnel { startTunnel(stream, connection) }
  }

  /// Whether a head that makes the connection a tunnel is what was asked for: 101 for an upgrade, 2xx for CONNECT.
  private func answersUpgrade(_ stream: HTTPStreamRef, _ status: UInt16) -> Bool {
    guard stream.pointee.has(.isUpgrade) else { return false }
    if stream.pointee.requestMethod == .connect { return status != 101 }
    return stream.pointee.response.contains(.upgrade)
  }

  // MARK: Body

  private func decodeResponseBody(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ segment: SegmentRef
  ) {
    switch stream.pointee.upstream.head.framing {
    case .length:
      let available = segment.pointee.count
      let taken = stream.pointee.upstream.length.take(available)
      var body = SegmentQueue()
      if taken == available {
        body.append(segment)
      } else if taken > 0 {
        body.append(segments.split(segment, at: taken))
        segments.release(segment)
      } else {
        segments.release(segment)
      }
      let ends = stream.pointee.upstream.length.isComplete
      if ends { upstreamResponseComplete(stream, connection, leftover: available - taken) }
      encodeData(stream, &body, endsStream: ends)
      if !ends { spliceIfLarge(stream, connection) }
    case .chunked:
      decodeResponseChunks(stream, connection, segment)
    case .untilClose:
      var body = SegmentQueue()
      body.append(segment)
      encodeData(stream, &body, endsStream: false)
      if connection.pointee.has(.isBulk) { spliceIfLarge(stream, connection) }
    case .none:
      segments.release(segment)
    }
  }

  /// The rest of the body goes to the client inside the kernel, when it is worth it and nobody in
  /// between wants to see it.
  private func spliceIfLarge(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard upstreamHTTP1Spliceable(connection) >= Self.spliceBytesMin,
      connection.pointee.feeds == nil, !stream.pointee.has(.finished),
      stream.pointee.has(.responseHeadWritten), !stream.pointee.has(.responseComplete),
      stream.pointee.upstream.connection == connection,
      !stream.pointee.filters.pointee.encodesData, !stream.pointee.encoding.isStopped
    else { return }
    switch stream.pointee.responseFraming {
    case .length, .untilClose:
      beginSplice(from: connection, to: stream.pointee.connection)
    case .none, .chunked: break
    }
  }

  /// Bytes of the body that are still to come; `.max` = it ends with the connection.
  func upstreamHTTP1Spliceable(_ connection: ConnectionRef) -> UInt64 {
    guard let stream = httpStream(connection) else { return 0 }
    switch stream.pointee.upstream.head.framing {
    case .length: return stream.pointee.upstream.length.remaining
    case .untilClose: return .max
    case .none, .chunked: return 0
    }
  }

  /// Body bytes have gone to the client through a pipe.
  func upstreamHTTP1Spliced(_ connection: ConnectionRef, _ count: Int) {
    guard let stream = httpStream(connection) else { return }
    stream.pointee.lastActivityAt = now
    stream.pointee.info.upstreamWireBytesReceived &+= UInt64(count)
    stream.pointee.info.bytesSent &+= UInt64(count)
    stream.pointee.info.downstreamWireBytesSent &+= UInt64(count)
    guard case .length = stream.pointee.upstream.head.framing else {
      if stream.pointee.has(.isTunnel) { endSpliceIfSmall(connection, count) }
      return
    }
    _ = stream.pointee.upstream.length.take(count)
    guard stream.pointee.upstream.length.isComplete else { return }
    upstreamResponseComplete(stream, connection, leftover: 0)
    var none = SegmentQueue()
    encodeData(stream, &none, endsStream: true)
  }

  private func decodeResponseChunks(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ segment: SegmentRef
  ) {
    let limits = responseLimits(stream)
    var body = SegmentQueue()
    var rest: SegmentRef? = segment
    var ended = false
    var leftover = 0
    var failure: HTTP1Error?
    while let current = rest {
      let view = ByteView(current.pointee.base, current.pointee.count)
      var offset = 0
      switch stream.pointee.upstream.chunks.next(view, &offset, limits: limits) {
      case .data(let from, let to):
        current.pointee.base += from
        current.pointee.count -= from
        if to - from == current.pointee.count {
          body.append(current)
          rest = nil
        } else {
          body.append(segments.split(current, at: to - from))
        }
      case .trailerBytes(let from, let to):
        stream.pointee.upstream.partial.append(
          view.slice(from: from, to: to), arena: &stream.pointee.arena)
        current.pointee.base += offset
        current.pointee.count -= offset
      case .needMore:
        segments.release(current)
        rest = nil
      case .end:
        leftover = current.pointee.count - offset
        segments.release(current)
        rest = nil
        ended = true
      case .failed(let error):
        segments.release(current)
        rest = nil
        failure = error
      }
    }
    if let failure {
      if !body.isEmpty { encodeData(stream, &body, endsStream: false) }
      if stream.pointee.upstream.connection == connection { responseError(stream, connection, failure) }
      return
    }
    guard ended else {
      if !body.isEmpty { encodeData(stream, &body, endsStream: false) }
      return
    }
    let trailers = stream.pointee.upstream.partial.view
    if !trailers.isEmpty,
      stream.pointee.upstream.cluster?.pointee.pointer.pointee.enableTrailers == true,
      HTTP1Trailers.parse(trailers, limits: limits, table: &http.table) == nil,
      let base = stream.pointee.upstream.partial.base
    {
      HTTP1Trailers.build(
        copied: base, table: &http.table, into: &stream.pointee.responseTrailers)
    }
    upstreamResponseComplete(stream, connection, leftover: leftover)
    if stream.pointee.responseTrailers.count > 0 {
      if !body.isEmpty { encodeData(stream, &body, endsStream: false) }
      if !stream.pointee.has(.finished) { encodeTrailers(stream) }
    } else {
      encodeData(stream, &body, endsStream: true)
    }
  }

  // MARK: Endings

  /// The last byte of the response is here: the connection goes back to its pool, or closes.
  private func upstreamResponseComplete(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, leftover: Int
  ) {
    responseReceived(stream)
    endExchange(stream, connection, leftover: leftover, isWhole: true)
  }

  /// Nobody wants the response whose head has come. A small one is here as a whole, and the connection stays.
  private func dropResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef, _ rest: SegmentRef) {
    var leftover = rest.pointee.count
    segments.release(rest)
    switch stream.pointee.upstream.head.framing {
    case .none: break
    case .length(let length): leftover -= Int(clamping: length)
    case .chunked, .untilClose: leftover = -1
    }
    endExchange(stream, connection, leftover: max(0, leftover), isWhole: leftover >= 0)
  }

  private func endExchange(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, leftover: Int, isWhole: Bool
  ) {
    guard let host = stream.pointee.upstream.host, let config = stream.pointee.upstream.cluster?.pointee.pointer
    else { return }
    let pool = stream.pointee.upstream.pool
    let head = stream.pointee.upstream.head
    let requestEnded = stream.pointee.upstream.requestEnded
    // Paused by the client's slowness: the next request must not inherit that.
    resumeUpstream(stream)
    detach(stream, isSuccess: head.status < 500)
    let limit = config.pointee.maxRequestsPerConnection
    var reusable =
      isWhole && head.keepAlive && requestEnded && leftover == 0 && !isGivenUp(connection, host)
      && !connection.pointee.has(.drains) && !connection.pointee.has(.readEnded)
    if limit > 0, connection.pointee.requestCount >= limit {
      slab.increment(config.pointee.stats.cxMaxRequests)
      reusable = false
    }
    if leftover > 0 { slab.increment(config.pointee.stats.cxProtocolError) }
    if !requestEnded, stream.pointee.upstream.plan == nil { segments.releaseAll(&stream.pointee.upstream.waitingBody) }
    if reusable, let pool, connection.pointee.output.isEmpty, connection.pointee.input.head == nil {
      connectionFree(connection, pool)
    } else {
      if !requestEnded || !isWhole { connection.pointee.flags.insert(.endsUnderRequest) }
      host.pointee.users += 1
      close(connection, isLocal: true)
      host.pointee.users -= 1
    }
  }

  /// - Parameter isLocal: The host has not closed the connection itself.
  private func responseError(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ error: HTTP1Error, isLocal: Bool = true
  ) {
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.cxProtocolError)
    }
    detach(stream, isSuccess: false)
    connection.pointee.flags.insert(.endsUnderRequest)
    close(connection, isLocal: isLocal)
    attemptFailed(stream, .protocolError(error.detail))
  }

  func upstreamHTTP1ReadEnded(_ connection: ConnectionRef) {
    guard let stream = httpStream(connection) else {
      close(connection, isLocal: false)
      return
    }
    // Over TLS only close_notify says that the body is whole (RFC 9112 section 9.8).
    let isTruncated = connection.pointee.tls.map { $0.pointee.isTruncated } ?? false
    if stream.pointee.upstream.headDone, stream.pointee.upstream.head.framing == .untilClose, !isTruncated {
      if stream.pointee.has(.isTunnel) {
        tunnelHostEnded(stream)
        return
      }
      upstreamResponseComplete(stream, connection, leftover: 0)
      var none = SegmentQueue()
      encodeData(stream, &none, endsStream: true)
      return
    }
    upstreamBroke(stream, connection, errno: 0)
  }

  func upstreamHTTP1Failed(_ connection: ConnectionRef, errno: Int32) {
    guard let stream = httpStream(connection) else {
      close(connection, isLocal: false)
      return
    }
    upstreamBroke(stream, connection, errno: errno)
  }

  private func upstreamBroke(_ stream: HTTPStreamRef, _ connection: ConnectionRef, errno: Int32) {
    closeOlderIdle(stream, connection)
    if mayBeStale(stream, connection) {
      // The stream leaves the connection before it closes.
      let closes = connection
      if retryUpstream(stream, onNewConnection: true) {
        close(closes, isLocal: false)
        return
      }
    }
    if stream.pointee.upstream.partial.count > 0, !stream.pointee.upstream.headDone {
      // Half a head is a broken message, not an absent one.
      responseError(stream, connection, .badStatusLine, isLocal: false)
      return
    }
    if let config = stream.pointee.upstream.cluster?.pointee.pointer { slab.increment(config.pointee.stats.rqRxReset) }
    detach(stream, isSuccess: false)
    connection.pointee.flags.insert(.endsUnderRequest)
    close(connection, isLocal: false)
    let transport = errno == 0 ? ByteView.empty : ErrnoText.view(errno)
    stream.pointee.info.upstreamTransportFailureReason = transport
    attemptFailed(stream, .terminated(transport, errno: errno))
  }
}
