import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor

/// The client's side of an internal request: what Worker+DownstreamCodec asks for, as calls of a sink.
extension Worker {
  private func sink(_ stream: HTTPStreamRef) -> ResponseSink? {
    // Held during the call: a sink may cancel its own request.
    internalExchange(stream)?.pointee.sink?.takeUnretainedValue()
  }

  func internalWriteHead(_ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool) {
    let ends = hasNoContent || endsStream
    stream.pointee.responseFraming = ends ? .none : .chunked
    sink(stream)?.head(
      self, internalRequest(stream), status: code, headers: stream.pointee.response, ends: ends)
  }

  func internalWriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    while let segment = data.removeFirst() {
      if segment.pointee.count > 0, !stream.pointee.has(.finished) {
        sink(stream)?.data(self, internalRequest(stream), ByteView(segment.pointee.base, segment.pointee.count))
      }
      segments.release(segment)
    }
    if endsStream, stream.pointee.has(.hasResponseTrailers), !stream.pointee.has(.finished) {
      sink(stream)?.trailers(self, internalRequest(stream), stream.pointee.responseTrailers)
    }
  }

  /// The host takes the request's body again.
  func internalResumeRequest(_ stream: HTTPStreamRef) {
    sink(stream)?.writable(self, internalRequest(stream))
  }

  // MARK: Ends

  /// The response is whole.
  func internalFinish(_ stream: HTTPStreamRef) { endInternal(stream, nil) }

  /// The response is not going to be whole.
  func internalReset(_ stream: HTTPStreamRef) { endInternal(stream, failure(stream)) }

  /// There is no response; what a client would be answered is in the stream's details.
  func internalFailed(_ stream: HTTPStreamRef) {
    abandonUpstream(stream)
    endInternal(stream, failure(stream))
  }

  func cancelInternal(_ stream: HTTPStreamRef) {
    let sink = internalExchange(stream)?.pointee.sink
    internalExchange(stream)?.pointee.sink = nil
    abandonUpstream(stream)
    endStream(stream)
    sink?.release()
  }

  /// The worker ends.
  func internalClientClosed(_ connection: ConnectionRef) {
    guard let stream = httpStream(connection) else { return }
    abandonUpstream(stream)
    endInternal(stream, .init(cause: .shutDown, details: .empty, transport: .empty))
  }

  private func endInternal(_ stream: HTTPStreamRef, _ failure: InternalRequest.Failure?) {
    guard !stream.pointee.has(.finished) else { return }
    let request = internalRequest(stream)
    let sink = internalExchange(stream)?.pointee.sink
    internalExchange(stream)?.pointee.sink = nil
    endStream(stream)
    guard let sink = sink?.takeRetainedValue() else { return }
    sink.ended(self, request, failure)
  }

  /// The stream is over: so is the connection that it had for a client.
  func internalDetach(_ stream: HTTPStreamRef) {
    let connection = stream.pointee.connection
    unlinkMirror(stream)
    unlinkBranch(stream)
    connection.pointee.session = nil
    connection.pointee.flags.insert(.closed)
    cancelTimer(connection)
    http.internalRequests -= 1
    finishClose(connection)
  }

  // MARK: Why

  private func failure(_ stream: HTTPStreamRef) -> InternalRequest.Failure {
    InternalRequest.Failure(
      cause: cause(stream.pointee.info.flags), details: stream.pointee.info.responseCodeDetails,
      transport: stream.pointee.info.upstreamTransportFailureReason)
  }

  private func cause(_ flags: ResponseFlags) -> InternalRequest.Failure.Cause {
    if flags.contains(.durationTimeout) { return .deadline }
    if flags.contains(.streamIdleTimeout) { return .idle }
    if flags.contains(.upstreamRequestTimeout) { return .timeout }
    if flags.contains(.noClusterFound) { return .noCluster }
    if flags.contains(.noHealthyUpstream) { return .noHost }
    if flags.contains(.upstreamConnectionFailure) { return .connect }
    if flags.contains(.upstreamConnectionTermination) { return .terminated }
    if flags.contains(.upstreamRemoteReset) { return .reset }
    if flags.contains(.upstreamOverflow) { return .overflow }
    return .protocolError
  }
}
