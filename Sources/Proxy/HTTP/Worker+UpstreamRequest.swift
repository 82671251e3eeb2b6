import HTTPCore
import Primitives
import Reactor
import Stats

/// The body of a request on its way, and who waits for whom.
extension Worker {
  /// Body bytes that have passed the filters.
  func routeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if stream.pointee.has(.finished) {
      segments.releaseAll(&data)
      return
    }
    if !stream.pointee.mirrors.isEmpty { mirrorData(stream, data, endsStream: endsStream) }
    if endsStream {
      stream.pointee.upstream.requestEnded = true
      startRouteTimer(stream)
    }
    switch stream.pointee.upstream.state {
    case .none, .pending, .backoff:
      segments.park(&data, in: &stream.pointee.upstream.waitingBody)
      pauseIfOverLimit(stream)
    case .active:
      guard let connection = stream.pointee.upstream.connection else { return }
      if stream.pointee.has(.isUpgrade) {
        routeTunnelData(stream, connection, &data)
        return
      }
      keepBody(stream, data)
      if endsStream { startPerTryTimer(stream) }
      codecWriteRequestData(stream, connection, &data)
      if isRequestBlocked(stream, connection), !stream.pointee.has(.pausedDownstream) {
        if let cluster = stream.pointee.upstream.cluster {
          slab.increment(cluster.pointee.pointer.pointee.stats.flowBackedUp)
        }
        pauseRequest(stream)
      }
    case .done:
      segments.releaseAll(&data)
    }
  }

  func upstreamHTTP1OutputUnblocked(_ connection: ConnectionRef) {
    if let stream = httpStream(connection) { requestUnblocked(stream) }
  }

  /// The host takes the request again.
  func requestUnblocked(_ stream: HTTPStreamRef) {
    stream.pointee.lastActivityAt = now
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowDrained)
    }
    resumeRequest(stream)
  }

  func pauseUpstream(_ stream: HTTPStreamRef) {
    guard let connection = stream.pointee.upstream.connection,
      !stream.pointee.upstream.pausedUpstream
    else { return }
    stream.pointee.upstream.pausedUpstream = true
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowPausedReading)
    }
    codecPauseResponse(stream, connection)
  }

  func resumeUpstream(_ stream: HTTPStreamRef) {
    guard stream.pointee.upstream.pausedUpstream,
      let connection = stream.pointee.upstream.connection
    else { return }
    stream.pointee.upstream.pausedUpstream = false
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowResumedReading)
    }
    codecResumeResponse(stream, connection)
  }
}
