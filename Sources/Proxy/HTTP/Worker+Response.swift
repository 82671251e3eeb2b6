import HTTP1
import HTTPCore
import Primitives
import Reactor
import Stats
import Synchronization

/// Responses onto the client's connection, and replies that the proxy makes itself.
extension Worker {
  /// Bodies up to this are copied behind the head, so that one plain send carries both and the
  /// receive buffer is free at once.
  private static let copyBytesMax = 2048

  func writeResponseHead(_ stream: HTTPStreamRef, endsStream: Bool) {
    let connection = stream.pointee.connection
    let manager = stream.pointee.manager
    let code = HTTP1Writer.status(of: stream.pointee.response)
    stream.pointee.info.responseCode = code
    finishResponseHeaders(stream)
    decideConnection(stream, endsStream: endsStream)
    let isHTTP10 = stream.pointee.has(.isHTTP10)
    let hasNoContent = stream.pointee.has(.isHead) || code == 204 || code == 304 || code < 200
    var framing = BodyFraming.none
    if hasNoContent {
      if code == 204 || code < 200 { stream.pointee.response.remove(.contentLength) }
    } else if endsStream {
      if !stream.pointee.response.contains(.contentLength) {
        stream.pointee.response.append(.contentLength, ByteView("0"))
      }
    } else if let length = stream.pointee.response.value(.contentLength)?.decimal() {
      framing = .length(length)
    } else if isHTTP10 {
      framing = .untilClose
      stream.pointee.flags.insert(.closesConnection)
    } else {
      framing = .chunked
    }
    stream.pointee.responseFraming = framing
    var options: HTTP1Writer.ResponseOptions = []
    if stream.pointee.has(.closesConnection) {
      options.insert(.connectionClose)
    } else if isHTTP10 {
      options.insert(.keepAlive)
    }
    if manager.pointee.usesProperCaseHeaders { options.insert(.properCase) }
    let size = HTTP1Writer.responseHeadSize(stream.pointee.response)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeResponseHead(
      stream.pointee.response, status: code, framing: framing, options: options, to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
    stream.pointee.info.downstreamWireBytesSent &+= UInt64(written)
    stream.pointee.info.downstreamHeaderBytesSent &+= UInt64(written)
    stream.pointee.info.downstreamResponseStart = now
    stream.pointee.flags.insert(.responseHeadWritten)
    manager.pointee.stats.codes.record(code, slab)
    manager.pointee.listenerCodes.record(code, slab)
    markDirty(connection)
    if endsStream { responseWritten(stream) }
  }

  /// Whether the connection lives after this response.
  private func decideConnection(_ stream: HTTPStreamRef, endsStream: Bool) {
    let connection = stream.pointee.connection
    let manager = stream.pointee.manager
    if connection.pointee.has(.drains) || isDraining
      || environment.flags.failsHealthChecks.load(ordering: .relaxed)
    {
      if !stream.pointee.has(.closesConnection) { slab.increment(manager.pointee.stats.cxDrainClose) }
      stream.pointee.flags.insert(.closesConnection)
    }
    let limit = manager.pointee.maxRequestsPerConnection
    if limit > 0, connection.pointee.requestCount >= limit {
      slab.increment(manager.pointee.stats.cxMaxRequestsReached)
      stream.pointee.flags.insert(.closesConnection)
    }
    if stream.pointee.has(.isLocalReply),
      !stream.pointee.has(.requestComplete) || stream.pointee.requestMethod == .connect
    {
      stream.pointee.flags.insert(.closesConnection)
    }
    if endsStream, !stream.pointee.has(.requestComplete) {
      stream.pointee.flags.insert(.closesConnection)
    }
  }

  func writeResponseData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    let connection = stream.pointee.connection
    let count = data.byteCount
    if stream.pointee.has(.isHead) || stream.pointee.responseFraming == .none {
      segments.releaseAll(&data)
    } else {
      stream.pointee.info.bytesSent &+= UInt64(count)
      let before = connection.pointee.output.byteCount
      if stream.pointee.responseFraming == .chunked {
        writeChunk(connection, &data)
        if endsStream { writeLastChunk(stream) }
      } else {
        append(&data, to: &connection.pointee.output)
      }
      let after = connection.pointee.output.byteCount
      stream.pointee.info.downstreamWireBytesSent &+= UInt64(after - before)
      markDirty(connection)
    }
    if endsStream {
      responseWritten(stream)
    } else if isOverLimit(connection) {
      pauseUpstream(stream)
    }
  }

  private func writeChunk(_ connection: ConnectionRef, _ data: inout SegmentQueue) {
    let count = data.byteCount
    guard count > 0 else { return }
    let room = HTTP1Writer.chunkHeadSize
    let target = segments.reserve(room, in: &connection.pointee.output)
    let written = HTTP1Writer.writeChunkHead(UInt64(count), to: target)
    segments.unreserve(room - written, in: &connection.pointee.output)
    append(&data, to: &connection.pointee.output)
    segments.copy(ByteView(HTTP1Writer.chunkEnd), to: &connection.pointee.output)
  }

  private func writeLastChunk(_ stream: HTTPStreamRef) {
    let connection = stream.pointee.connection
    guard stream.pointee.has(.hasResponseTrailers), stream.pointee.manager.pointee.enableTrailers
    else {
      segments.copy(ByteView(HTTP1Writer.lastChunk), to: &connection.pointee.output)
      return
    }
    let size = HTTP1Writer.lastChunkSize(stream.pointee.responseTrailers)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeLastChunk(stream.pointee.responseTrailers, to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
  }

  /// Moves body bytes into an output queue: small runs by copy, large ones as they are.
  func append(_ data: inout SegmentQueue, to output: inout SegmentQueue) {
    while let segment = data.removeFirst() {
      if segment.pointee.count <= Self.copyBytesMax {
        segments.copy(ByteView(segment.pointee.base, segment.pointee.count), to: &output)
        segments.release(segment)
      } else {
        segments.park(segment, in: &output)
      }
    }
  }

  private func responseWritten(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.responseComplete)
    finishStreamIfDone(stream)
  }

  /// An interim response (1xx) for the client, ahead of the real one.
  func writeInterim(_ stream: HTTPStreamRef, _ text: ByteView) {
    let connection = stream.pointee.connection
    segments.copy(text, to: &connection.pointee.output)
    markDirty(connection)
  }

  // MARK: Replies of the proxy

  /// Answers instead of the upstream; when the response has begun, the connection closes instead.
  ///
  /// - Parameter body: Must live as long as the stream's arena.
  func sendLocalReply(
    _ stream: HTTPStreamRef, status: UInt16, body: ByteView, details: StaticString,
    flags: ResponseFlags, decorate: ((inout HeaderMap) -> Void)? = nil
  ) {
    sendLocalReply(
      stream, status: status, body: body, details: ByteView(details), flags: flags,
      decorate: decorate)
  }

  func sendLocalReply(
    _ stream: HTTPStreamRef, status: UInt16, body: ByteView, details: ByteView,
    flags: ResponseFlags, decorate: ((inout HeaderMap) -> Void)?
  ) {
    guard !stream.pointee.has(.finished) else { return }
    stream.pointee.info.flags.formUnion(flags)
    stream.pointee.info.responseCodeDetails = details
    let filterCount = stream.pointee.manager.pointee.filters.view.count
    if stream.pointee.has(.responseStarted) {
      guard !stream.pointee.has(.responseHeadWritten) else {
        slab.increment(stream.pointee.manager.pointee.stats.resetAfterResponseStarted)
        resetStream(stream, isLocal: true)
        return
      }
      // A filter holds the response back: this one takes its place, past the filters.
      stream.pointee.encoding.clear(filterCount: filterCount, segments: segments)
      stream.pointee.flags.insert(.bypassesEncoding)
    }
    abandonUpstream(stream)
    stream.pointee.flags.insert(.isLocalReply)
    stream.pointee.routeDeadline = 0
    stream.pointee.decoding.clear(filterCount: filterCount, segments: segments)
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    map.append(.status, map.decimal(UInt64(status)))
    stream.pointee.response = map
    decorate?(&stream.pointee.response)
    stream.pointee.info.responseCode = status
    stream.pointee.info.localReplyBody = body
    var body = body
    if let mapping = stream.pointee.manager.pointee.localReplies {
      body = applyLocalReplies(mapping, stream, body)
    } else if !body.isEmpty, !stream.pointee.response.contains(.contentType) {
      stream.pointee.response.append(.contentType, ByteView("text/plain"))
    }
    if !body.isEmpty {
      stream.pointee.response.set(
        .contentLength, stream.pointee.response.decimal(UInt64(body.count)))
    }
    finalizeLocalReplyHeaders(stream)
    let hasBody = !body.isEmpty && !stream.pointee.has(.isHead)
    encodeHeaders(stream, endsStream: !hasBody)
    guard hasBody, !stream.pointee.has(.finished) else { return }
    var data = SegmentQueue()
    segments.copy(body, to: &data)
    encodeData(stream, &data, endsStream: true)
  }

  /// A response that a filter makes as an upstream would: without a body, without the route's headers
  /// and without `local_reply_config`.
  func respond(
    _ stream: HTTPStreamRef, status: UInt16, details: StaticString,
    _ decorate: (inout HeaderMap) -> Void
  ) {
    guard stream.pointee.flags.isDisjoint(with: [.finished, .responseStarted]) else { return }
    stream.pointee.info.responseCodeDetails = ByteView(details)
    stream.pointee.info.responseCode = status
    abandonUpstream(stream)
    stream.pointee.flags.insert(.isLocalReply)
    stream.pointee.routeDeadline = 0
    stream.pointee.decoding.clear(
      filterCount: stream.pointee.manager.pointee.filters.view.count, segments: segments)
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    map.append(.status, map.decimal(UInt64(status)))
    decorate(&map)
    stream.pointee.response = map
    encodeHeaders(stream, endsStream: true)
  }
}
