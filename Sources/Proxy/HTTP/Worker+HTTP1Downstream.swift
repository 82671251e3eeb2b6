import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// The client side of HTTP/1: bytes to streams.
extension Worker {
  /// A client that speaks HTTP; which version is known at once or by its first bytes.
  func httpStart(_ connection: ConnectionRef) {
    guard let manager = httpManager(connection) else { return }
    connection.pointee.role = .http1
    connection.pointee.flags.insert(.isHTTPCounted)
    let stats = manager.pointee.stats
    slab.increment(stats.cxTotal)
    slab.increment(stats.cxActive)
    let idle = manager.pointee.idleTimeout
    if idle > 0 { ensureTimer(connection, by: now &+ idle) }
    let limit = manager.pointee.maxConnectionDuration
    if limit > 0 { ensureTimer(connection, by: now &+ limit) }
    let negotiated = connection.pointee.tls?.pointee.negotiated ?? .empty
    if manager.pointee.codec == .http2 || (manager.pointee.codec == .automatic && negotiated == "h2") {
      http2Start(connection)
      return
    }
    // ALPN has said it: no look at the first bytes.
    if negotiated == "http/1.1" { countHTTP1(connection, manager) }
    startReading(connection)
  }

  @inline(__always)
  func httpManager(_ connection: ConnectionRef) -> UnsafeMutablePointer<
    HTTPConnectionManagerConfig
  >? {
    connection.pointee.chain?.pointee.manager
  }

  /// Whether bytes can be handed on now; pipelined requests wait for the response before them.
  @inline(__always)
  func http1TakesInput(_ connection: ConnectionRef) -> Bool {
    guard let stream = httpStream(connection) else { return true }
    return !stream.pointee.has(.requestComplete)
  }

  func http1Received(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let stream = httpStream(connection) else {
      beginRequest(connection, segment)
      return
    }
    stream.pointee.lastActivityAt = now
    if !stream.pointee.has(.headDone) {
      continueHead(stream, segment)
    } else if !stream.pointee.has(.requestComplete) {
      decodeBody(stream, segment)
    } else {
      segments.parkFirst(segment, in: &connection.pointee.input)
    }
  }

  // MARK: Head

  private func beginRequest(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let manager = httpManager(connection) else {
      segments.release(segment)
      return
    }
    if connection.pointee.requestCount == 0, !begins(connection, manager, with: segment) { return }
    let view = ByteView(segment.pointee.base, segment.pointee.count)
    let outcome = HTTP1RequestParser.parse(
      view, limits: manager.pointee.limits, options: manager.pointee.options, table: &http.table,
      into: &http.requestHead)
    let stream = makeStream(connection, manager)
    connection.pointee.session = UnsafeMutableRawPointer(stream)
    if manager.pointee.requestHeadersTimeout > 0 {
      stream.pointee.headersDeadline = now &+ manager.pointee.requestHeadersTimeout
    }
    scheduleStreamTimer(stream)
    switch outcome {
    case .complete(let length):
      let copy = stream.pointee.arena.allocate(length)
      copy.update(from: view.base, count: length)
      segment.pointee.base += length
      segment.pointee.count -= length
      headComplete(stream, copy, rest: segment)
    case .needMore:
      stream.pointee.partial.append(view, arena: &stream.pointee.arena)
      segments.release(segment)
      if case .failed(let error) = stream.pointee.scanner.scan(
        stream.pointee.partial.view, limits: manager.pointee.limits)
      {
        protocolError(stream, error)
      }
    case .failed(let error):
      segments.release(segment)
      protocolError(stream, error)
    }
  }

  /// More of a head that came in pieces.
  private func continueHead(_ stream: HTTPStreamRef, _ segment: SegmentRef) {
    let manager = stream.pointee.manager
    let before = stream.pointee.partial.count
    // No more than a head can be: the rest of a large segment stays where it is.
    let room = max(0, Int(manager.pointee.limits.headBytesMax) - before)
    let taken = min(room, segment.pointee.count)
    stream.pointee.partial.append(
      ByteView(segment.pointee.base, taken), arena: &stream.pointee.arena)
    let view = stream.pointee.partial.view
    switch stream.pointee.scanner.scan(view, limits: manager.pointee.limits) {
    case .needMore:
      segments.release(segment)
    case .failed(let error):
      segments.release(segment)
      protocolError(stream, error)
    case .mayBeComplete:
      let outcome = HTTP1RequestParser.parse(
        view, limits: manager.pointee.limits, options: manager.pointee.options,
        table: &http.table, into: &http.requestHead)
      switch outcome {
      case .complete(let length):
        guard let base = stream.pointee.partial.base else { return }
        segment.pointee.base += length - before
        segment.pointee.count -= length - before
        stream.pointee.partial = PartialBytes()
        headComplete(stream, base, rest: segment)
      case .needMore:
        segments.release(segment)
        protocolError(stream, .badFieldName)
      case .failed(let error):
        segments.release(segment)
        protocolError(stream, error)
      }
    }
  }

  /// - Parameters:
  ///   - head: The head's bytes in the stream's arena.
  ///   - rest: What follows the head, perhaps nothing.
  private func headComplete(
    _ stream: HTTPStreamRef, _ head: UnsafeMutablePointer<UInt8>, rest: SegmentRef
  ) {
    let connection = stream.pointee.connection
    let manager = stream.pointee.manager
    stream.pointee.flags.insert([.headDone, .requestHeadCounted])
    stream.pointee.headersDeadline = 0
    slab.increment(manager.pointee.stats.rqTotal)
    slab.increment(manager.pointee.stats.rqHTTP1Total)
    slab.increment(manager.pointee.stats.rqActive)
    let parsed = http.requestHead
    let isConnect = parsed.method == .connect
    let isUpgrade = isConnect || parsed.isUpgrade && !namesHTTP2(head)
    HTTP1RequestParser.build(
      parsed, copied: head, table: http.table, keepUpgrade: isUpgrade && !isConnect, into: &stream.pointee.request)
    // Whatever framing an upgrade names: bytes behind its head are of the other protocol.
    stream.pointee.requestFraming = isUpgrade ? .untilClose : parsed.framing
    stream.pointee.requestMethod = parsed.method
    stream.pointee.info.version = parsed.isHTTP10 ? .http10 : .http11
    stream.pointee.info.downstreamWireBytesReceived = UInt64(parsed.length)
    stream.pointee.info.downstreamHeaderBytesReceived = UInt64(parsed.length)
    if parsed.isHTTP10 { stream.pointee.flags.insert(.isHTTP10) }
    if parsed.method == .head { stream.pointee.flags.insert(.isHead) }
    if !parsed.keepAlive { stream.pointee.flags.insert([.closesConnection, .clientCloses]) }
    let ends: Bool
    switch stream.pointee.requestFraming {
    case .none: ends = true
    case .length(let length):
      stream.pointee.requestLength = LengthDecoder(length: length)
      ends = false
    case .chunked, .untilClose: ends = false
    }
    if ends { http1RequestReceived(stream) }
    let expectsContinue = parsed.expectContinue && !ends
    // The head is taken: what follows is body, or the next request.
    if rest.pointee.count == 0 {
      segments.release(rest)
    } else {
      segments.parkFirst(rest, in: &connection.pointee.input)
    }
    handleRequest(stream, endsStream: ends, expectsContinue: expectsContinue, isUpgrade: isUpgrade)
    if connection.pointee.input.head != nil, !connection.pointee.has(.closed),
      connection.pointee.role == .http1
    {
      takeInput(connection)
    }
  }

  /// `Upgrade: h2c` may be ignored (RFC 9110 section 7.8), and is: HTTP/2 begins with its preface.
  private func namesHTTP2(_ head: UnsafeMutablePointer<UInt8>) -> Bool {
    let bytes = ByteView(head, Int(http.requestHead.length))
    for i in 0..<http.table.count where http.table[i].known == .upgrade {
      if !http.table[i].value(in: bytes).listContains("h2c") { return false }
    }
    return true
  }

  /// Hands on held input as far as it can be taken now.
  private func takeInput(_ connection: ConnectionRef) {
    while let stream = httpStream(connection), stream.pointee.has(.headDone),
      !stream.pointee.has(.requestComplete), connection.pointee.has(.wantsRead),
      let segment = connection.pointee.input.removeFirst()
    {
      decodeBody(stream, segment)
      if connection.pointee.has(.closed) || connection.pointee.role != .http1 { return }
    }
    if connection.pointee.session == nil, connection.pointee.input.head != nil {
      makeReady(connection)
    }
  }

  /// The last byte of the request is here.
  func http1RequestReceived(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.requestComplete)
    stream.pointee.info.requestEnd = now
    stream.pointee.requestDeadline = 0
  }

  // MARK: Body

  private func decodeBody(_ stream: HTTPStreamRef, _ segment: SegmentRef) {
    stream.pointee.info.downstreamWireBytesReceived &+= UInt64(segment.pointee.count)
    switch stream.pointee.requestFraming {
    case .length: decodeLength(stream, segment)
    case .chunked: decodeChunks(stream, segment)
    case .untilClose:
      stream.pointee.info.bytesReceived &+= UInt64(segment.pointee.count)
      var bytes = SegmentQueue()
      bytes.append(segment)
      decodeData(stream, &bytes, endsStream: false)
    case .none: segments.parkFirst(segment, in: &stream.pointee.connection.pointee.input)
    }
  }

  private func decodeLength(_ stream: HTTPStreamRef, _ segment: SegmentRef) {
    let available = segment.pointee.count
    let taken = stream.pointee.requestLength.take(available)
    var body = SegmentQueue()
    if taken == available {
      body.append(segment)
    } else {
      body.append(segments.split(segment, at: taken))
      segments.parkFirst(segment, in: &stream.pointee.connection.pointee.input)
    }
    let ends = stream.pointee.requestLength.isComplete
    stream.pointee.info.bytesReceived &+= UInt64(taken)
    if ends { http1RequestReceived(stream) }
    decodeData(stream, &body, endsStream: ends)
  }

  private func decodeChunks(_ stream: HTTPStreamRef, _ segment: SegmentRef) {
    let limits = stream.pointee.manager.pointee.limits
    var body = SegmentQueue()
    var rest: SegmentRef? = segment
    var ended = false
    var failure: HTTP1Error?
    while let current = rest {
      let view = ByteView(current.pointee.base, current.pointee.count)
      var offset = 0
      switch stream.pointee.requestChunks.next(view, &offset, limits: limits) {
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
        stream.pointee.partial.append(
          view.slice(from: from, to: to), arena: &stream.pointee.arena)
        current.pointee.base += offset
        current.pointee.count -= offset
      case .needMore:
        segments.release(current)
        rest = nil
      case .end:
        current.pointee.base += offset
        current.pointee.count -= offset
        if current.pointee.count == 0 {
          segments.release(current)
        } else {
          segments.parkFirst(current, in: &stream.pointee.connection.pointee.input)
        }
        rest = nil
        ended = true
      case .failed(let error):
        segments.release(current)
        rest = nil
        failure = error
      }
    }
    stream.pointee.info.bytesReceived &+= UInt64(body.byteCount)
    if let failure {
      segments.releaseAll(&body)
      protocolError(stream, failure)
      return
    }
    guard ended else {
      if !body.isEmpty { decodeData(stream, &body, endsStream: false) }
      return
    }
    http1RequestReceived(stream)
    let trailers = stream.pointee.partial.view
    if !trailers.isEmpty, stream.pointee.manager.pointee.enableTrailers,
      HTTP1Trailers.parse(trailers, limits: limits, table: &http.table) == nil,
      let base = stream.pointee.partial.base
    {
      HTTP1Trailers.build(
        copied: base, table: &http.table, into: &stream.pointee.requestTrailers)
    }
    if stream.pointee.requestTrailers.count > 0 {
      stream.pointee.flags.insert(.hasRequestTrailers)
      if !body.isEmpty { decodeData(stream, &body, endsStream: false) }
      if !stream.pointee.has(.finished) { decodeTrailers(stream) }
    } else {
      decodeData(stream, &body, endsStream: true)
    }
  }

  // MARK: Faults and the end

  /// The client broke the protocol: one answer, then the connection closes.
  private func protocolError(_ stream: HTTPStreamRef, _ error: HTTP1Error) {
    let connection = stream.pointee.connection
    // A head that is well formed but cannot be served is no fault of the codec.
    let isWellFormed =
      error == .missingHost || error == .fragmentInTarget || error == .http10Refused
    if !isWellFormed {
      slab.increment(stream.pointee.manager.pointee.stats.cxProtocolError)
      stream.pointee.info.flags.insert(.downstreamProtocolError)
    }
    stream.pointee.flags.insert(.closesConnection)
    if !stream.pointee.has(.headDone) {
      // Envoy counts and logs such a request too.
      stream.pointee.flags.insert(.requestHeadCounted)
      slab.increment(stream.pointee.manager.pointee.stats.rqTotal)
      slab.increment(stream.pointee.manager.pointee.stats.rqActive)
      stream.pointee.info.version = .http11
    }
    if error == .headTooLarge || error == .tooManyFields {
      slab.increment(stream.pointee.manager.pointee.stats.rqTooLarge)
    }
    segments.releaseAll(&connection.pointee.input)
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.responseCodeDetails = ByteView(error.detail)
      resetStream(stream, .protocolError)
    } else {
      sendLocalReply(
        stream, status: error.status,
        body: isWellFormed && error.status == 400
          ? .empty : ByteView(StatusText.reason(error.status)),
        details: error.detail, flags: isWellFormed ? [] : [.downstreamProtocolError])
    }
  }

  /// The client closed its direction: in HTTP, as a proxy that cannot know better, this ends the exchange.
  func http1ReadEnded(_ connection: ConnectionRef) {
    if let stream = httpStream(connection) {
      // Over TLS only close_notify is an end that nobody else can have made.
      let isTruncated = connection.pointee.tls.map { $0.pointee.isTruncated } ?? false
      if stream.pointee.has(.isTunnel), !isTruncated {
        tunnelClientEnded(stream)
        return
      }
      clientLeft(stream)
    }
    close(connection, isLocal: false)
  }

  func http1Failed(_ connection: ConnectionRef) {
    if let stream = httpStream(connection) { clientLeft(stream) }
    close(connection, isLocal: false)
  }

  private func clientLeft(_ stream: HTTPStreamRef) {
    let stats = stream.pointee.manager.pointee.stats
    slab.increment(stats.cxDestroyActiveRq)
    slab.increment(stats.cxDestroyRemoteActiveRq)
    slab.increment(stats.rqRxReset)
    stream.pointee.info.flags.insert(.downstreamConnectionTermination)
    stream.pointee.info.responseCodeDetails = ByteView("downstream_remote_disconnect")
    abandonUpstream(stream)
    endStream(stream)
  }

  /// The books of an HTTP connection that ends.
  func httpClosed(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    isLocal: Bool
  ) {
    let stats = manager.pointee.stats
    if connection.pointee.role == .http2 {
      http2Closed(connection)
    } else if let stream = httpStream(connection) {
      slab.increment(stats.cxDestroyActiveRq)
      slab.increment(stats.cxDestroyLocalActiveRq)
      abandonUpstream(stream)
      endStream(stream)
    }
    slab.increment(stats.cxDestroy)
    slab.increment(isLocal ? stats.cxDestroyLocal : stats.cxDestroyRemote)
    slab.decrement(stats.cxActive)
    if connection.pointee.has(.isHTTP1Counted) { slab.decrement(stats.cxHTTP1Active) }
    if connection.pointee.has(.isHTTP2Counted) { slab.decrement(stats.cxHTTP2Active) }
    slab.record(stats.cxLengthMs, (now &- connection.pointee.createdAt) / 1000)
  }

  func httpCount(_ connection: ConnectionRef, received count: Int) {
    guard let manager = httpManager(connection) else { return }
    slab.add(manager.pointee.stats.cxRxBytes, UInt64(count))
  }

  func httpCount(_ connection: ConnectionRef, sent count: Int) {
    guard let manager = httpManager(connection) else { return }
    slab.add(manager.pointee.stats.cxTxBytes, UInt64(count))
  }

  /// There is room again: the source of the response goes on.
  func http1OutputUnblocked(_ connection: ConnectionRef) {
    if let stream = httpStream(connection) { responseUnblocked(stream) }
  }

  func responseUnblocked(_ stream: HTTPStreamRef) {
    stream.pointee.lastActivityAt = now
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      terminal._withUnsafeGuaranteedRef { $0.writable(self, stream) }
    } else {
      resumeUpstream(stream)
    }
  }
}
