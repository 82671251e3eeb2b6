import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats
import Synchronization

/// Responses onto the client's connection, and replies that the proxy makes itself.
extension Worker {
  func writeResponseHead(_ stream: HTTPStreamRef, endsStream: Bool) {
    let manager = stream.pointee.manager
    let code = stream.pointee.response.status
    stream.pointee.info.responseCode = code
    finishResponseHeaders(stream)
    let hasNoContent =
      (stream.pointee.has(.isHead) || code == 204 || code == 304 || code < 200) && !stream.pointee.has(.isTunnel)
    codecWriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    stream.pointee.info.downstreamResponseStart = now
    stream.pointee.flags.insert(.responseHeadWritten)
    manager.pointee.stats.codes.record(code, slab)
    manager.pointee.listenerCodes.record(code, slab)
    if endsStream { responseWritten(stream) }
  }

  func writeResponseData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if stream.pointee.has(.isHead) || stream.pointee.responseFraming == .none {
      segments.releaseAll(&data)
    } else {
      stream.pointee.info.bytesSent &+= UInt64(data.byteCount)
      codecWriteData(stream, &data, endsStream: endsStream)
    }
    if endsStream {
      responseWritten(stream)
    } else if isResponseBlocked(stream) {
      pauseUpstream(stream)
    }
  }

  private func responseWritten(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.isTunnel) {
      tunnelResponseWritten(stream)
      return
    }
    stream.pointee.flags.insert(.responseComplete)
    finishStreamIfDone(stream)
  }

  // MARK: Replies of the proxy

  /// Answers instead of the upstream; when the response has begun, the connection closes instead.
  ///
  /// - Parameters:
  ///   - body: Must live as long as the stream's arena.
  ///   - grpcStatus: What a gRPC client is told; nil = what `status` means to it.
  func sendLocalReply(
    _ stream: HTTPStreamRef, status: UInt16, body: ByteView, details: StaticString,
    flags: ResponseFlags, grpcStatus: GRPCStatus? = nil, decorate: ((inout HeaderMap) -> Void)? = nil
  ) {
    sendLocalReply(
      stream, status: status, body: body, details: ByteView(details), flags: flags, grpcStatus: grpcStatus,
      decorate: decorate)
  }

  func sendLocalReply(
    _ stream: HTTPStreamRef, status: UInt16, body: ByteView, details: ByteView,
    flags: ResponseFlags, grpcStatus: GRPCStatus? = nil, decorate: ((inout HeaderMap) -> Void)?
  ) {
    guard !stream.pointee.has(.finished) else { return }
    stream.pointee.info.flags.formUnion(flags)
    stream.pointee.info.responseCodeDetails = details
    if stream.pointee.has(.isInternalClient) {
      guard isBranch(stream) else {
        internalFailed(stream)
        return
      }
      if let client = answersBranch(stream) {
        sendLocalReply(
          client, status: status, body: client.pointee.arena.copy(body), details: client.pointee.arena.copy(details),
          flags: flags, grpcStatus: grpcStatus, decorate: decorate)
      }
      return
    }
    let filterCount = stream.pointee.filters.pointee.count
    if stream.pointee.has(.responseStarted) {
      guard !stream.pointee.has(.responseHeadWritten) else {
        slab.increment(stream.pointee.manager.pointee.stats.resetAfterResponseStarted)
        resetStream(stream, .internalError)
        return
      }
      // A filter holds the response back: this one takes its place, past the filters.
      stream.pointee.encoding.clear(filterCount: filterCount, segments: segments)
      stream.pointee.flags.insert(.bypassesEncoding)
    }
    abandonUpstream(stream)
    stream.pointee.flags.insert(.isLocalReply)
    stream.pointee.flags.remove(.isTunnel)
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
    if stream.pointee.has(.isGRPC) {
      makeGRPCReply(stream, grpcStatus, message: body)
      body = .empty
    } else if !body.isEmpty {
      stream.pointee.response.set(
        .contentLength, stream.pointee.response.decimal(UInt64(body.count)))
    }
    if !stream.pointee.info.failure.isEmpty { tellFailure(stream) }
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
      filterCount: stream.pointee.filters.pointee.count, segments: segments)
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    map.append(.status, map.decimal(UInt64(status)))
    decorate(&map)
    stream.pointee.response = map
    encodeHeaders(stream, endsStream: true)
  }
}
