import HTTP1
import HTTPCore
import Primitives
import Reactor
import Stats
import Synchronization

/// Responses as HTTP/1 on the client's connection.
extension Worker {
  /// Bodies up to this are copied behind the head, so that one plain send carries both and the
  /// receive buffer is free at once.
  private static let copyBytesMax = 2048

  func http1WriteHead(
    _ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool
  ) {
    let connection = stream.pointee.connection
    decideConnection(stream, endsStream: endsStream)
    let framing = frameResponse(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    stream.pointee.responseFraming = framing
    var options: HTTP1Writer.ResponseOptions = []
    if stream.pointee.has(.isTunnel) {
      if code == 101 { options.insert(.upgrade) }
    } else if stream.pointee.has(.closesConnection) {
      options.insert(.connectionClose)
    } else if stream.pointee.has(.isHTTP10) {
      options.insert(.keepAlive)
    }
    if stream.pointee.manager.pointee.usesProperCaseHeaders { options.insert(.properCase) }
    let size = HTTP1Writer.responseHeadSize(stream.pointee.response)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeResponseHead(
      stream.pointee.response, status: code, framing: framing, options: options, to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
    stream.pointee.info.downstreamWireBytesSent &+= UInt64(written)
    stream.pointee.info.downstreamHeaderBytesSent &+= UInt64(written)
    markDirty(connection)
  }

  private func frameResponse(
    _ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool
  ) -> BodyFraming {
    if stream.pointee.has(.isTunnel) { return .untilClose }
    if hasNoContent {
      if code == 204 || code < 200 { stream.pointee.response.remove(.contentLength) }
      return .none
    }
    if endsStream {
      if !stream.pointee.response.contains(.contentLength) {
        stream.pointee.response.append(.contentLength, ByteView("0"))
      }
      return .none
    }
    if let length = stream.pointee.response.value(.contentLength)?.decimal() {
      return .length(length)
    }
    if stream.pointee.has(.isHTTP10) {
      stream.pointee.flags.insert(.closesConnection)
      return .untilClose
    }
    return .chunked
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
    // A client that hoped for an upgrade may have sent bytes that are not HTTP.
    if endsStream && !stream.pointee.has(.requestComplete) || stream.pointee.has(.isUpgrade) {
      stream.pointee.flags.insert(.closesConnection)
    }
  }

  func http1WriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    let connection = stream.pointee.connection
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

  /// - Parameter map: Fields of the response; nil = none.
  func http1WriteInterim(_ stream: HTTPStreamRef, _ status: UInt16, _ map: HeaderMap?) {
    let connection = stream.pointee.connection
    if let map {
      let size = HTTP1Writer.responseHeadSize(map)
      let target = segments.reserve(size, in: &connection.pointee.output)
      let written = HTTP1Writer.writeResponseHead(
        map, status: status, framing: .none, options: [], to: target)
      segments.unreserve(size - written, in: &connection.pointee.output)
    } else {
      segments.copy(ByteView(HTTP1Writer.continue100), to: &connection.pointee.output)
    }
    markDirty(connection)
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
}
