import HTTP1
import HTTPCore
import Primitives
import Reactor

/// The request as HTTP/1 on its connection: head, body, trailers.
extension Worker {
  func http1WriteRequest(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef,
    _ config: UnsafeMutablePointer<ClusterConfig>
  ) {
    var options: HTTP1Writer.RequestOptions = []
    let isUpgrade = stream.pointee.has(.isUpgrade)
    let limit = config.pointee.maxRequestsPerConnection
    if isUpgrade {
      options.insert(.upgrade)
      addWebSocketKey(stream)
    } else if limit > 0, connection.pointee.requestCount >= limit {
      options.insert(.connectionClose)
    }
    if config.pointee.usesProperCaseHeaders { options.insert(.properCase) }
    let size = HTTP1Writer.requestHeadSize(stream.pointee.request, options: options)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeRequestHead(
      stream.pointee.request, framing: stream.pointee.upstream.framing, options: options,
      to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(written)
    stream.pointee.info.upstreamHeaderBytesSent &+= UInt64(written)
    stream.pointee.upstream.headWritten = true
    markDirty(connection)
    // What follows an upgrade waits until the host has accepted it.
    if isUpgrade { return }
    if !stream.pointee.upstream.waitingBody.isEmpty || stream.pointee.upstream.requestEnded {
      var waiting = stream.pointee.upstream.waitingBody
      stream.pointee.upstream.waitingBody = SegmentQueue()
      http1WriteRequestData(stream, connection, &waiting)
    }
  }

  func http1WriteRequestData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    let before = connection.pointee.output.byteCount
    let count = data.byteCount
    if count > 0 { stream.pointee.upstream.bodySent = true }
    if stream.pointee.upstream.framing == .chunked {
      if count > 0 {
        let room = HTTP1Writer.chunkHeadSize
        let target = segments.reserve(room, in: &connection.pointee.output)
        let written = HTTP1Writer.writeChunkHead(UInt64(count), to: target)
        segments.unreserve(room - written, in: &connection.pointee.output)
        append(&data, to: &connection.pointee.output)
        segments.copy(ByteView(HTTP1Writer.chunkEnd), to: &connection.pointee.output)
      }
      if stream.pointee.upstream.requestEnded { writeRequestEnd(stream, connection) }
    } else {
      append(&data, to: &connection.pointee.output)
      if stream.pointee.upstream.requestEnded, stream.pointee.upstream.framing == .untilClose {
        shutdownAfterFlush(connection)
      }
    }
    if stream.pointee.upstream.requestEnded { stream.pointee.info.upstreamRequestEnd = now }
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(
      connection.pointee.output.byteCount - before)
    markDirty(connection)
  }

  private func writeRequestEnd(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    let config = stream.pointee.upstream.cluster?.pointee.pointer
    guard stream.pointee.has(.hasRequestTrailers), config?.pointee.enableTrailers == true else {
      segments.copy(ByteView(HTTP1Writer.lastChunk), to: &connection.pointee.output)
      return
    }
    let size = HTTP1Writer.lastChunkSize(stream.pointee.requestTrailers)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeLastChunk(stream.pointee.requestTrailers, to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
  }
}
