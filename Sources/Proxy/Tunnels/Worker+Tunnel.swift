import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// A stream that has left HTTP: bytes both ways until both sides have ended.
///
/// Each direction ends by itself: a FIN is passed on as END_STREAM, and the other way round. The stream holds its
/// connection to the host until it has ended both.
extension Worker {
  /// What is left of a tunnel towards a host may take so long without progress when streams have no idle timeout.
  private static let flushNanosecondsMax: UInt64 = 300_000_000_000

  // MARK: Acceptance

  /// The host has switched protocols; the head that says so is in `response`.
  func acceptTunnel(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.isTunnel)
    stream.pointee.flags.remove(.isHead)
    // An answer was wanted in time, and is there. From here on only silence ends the stream.
    stream.pointee.routeDeadline = 0
    stream.pointee.upstream.perTryIdleTimeout = 0
    stream.pointee.response.remove(.contentLength)
    answerWebSocketKey(stream)
  }

  /// After the head: the client's bytes that have waited go to the host.
  func startTunnel(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard !stream.pointee.has(.finished), stream.pointee.upstream.connection == connection else { return }
    if connection.pointee.role == .upstreamHTTP2 {
      http2OfferHeldRequest(stream, connection)
    } else {
      var waiting = stream.pointee.upstream.waitingBody
      stream.pointee.upstream.waitingBody = SegmentQueue()
      if !waiting.isEmpty || stream.pointee.upstream.requestEnded {
        http1WriteRequestData(stream, connection, &waiting)
      }
    }
    if !isRequestBlocked(stream, connection) { resumeRequest(stream) }
    finishTunnelIfDone(stream)
  }

  // MARK: Client to host

  /// The client's bytes, in order: held until the host has accepted, for they are of the other protocol.
  func routeTunnelData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    guard stream.pointee.has(.isTunnel) else {
      if stream.pointee.upstream.h2 != nil { http2HoldRequestData(connection, data.byteCount) }
      segments.park(&data, in: &stream.pointee.upstream.waitingBody)
      pauseIfOverLimit(stream)
      return
    }
    codecWriteRequestData(stream, connection, &data)
    if isRequestBlocked(stream, connection), !stream.pointee.has(.pausedDownstream) {
      if let cluster = stream.pointee.upstream.cluster {
        slab.increment(cluster.pointee.pointer.pointee.stats.flowBackedUp)
      }
      pauseRequest(stream)
    }
    if stream.pointee.upstream.requestEnded { finishTunnelIfDone(stream) }
  }

  /// The client has ended its direction.
  func tunnelClientEnded(_ stream: HTTPStreamRef) {
    guard !stream.pointee.has(.requestComplete) else { return }
    http1RequestReceived(stream)
    var none = SegmentQueue()
    decodeData(stream, &none, endsStream: true)
  }

  // MARK: Host to client

  /// The host has ended its direction.
  func tunnelHostEnded(_ stream: HTTPStreamRef) {
    responseReceived(stream)
    var none = SegmentQueue()
    encodeData(stream, &none, endsStream: true)
  }

  /// The end of the host's direction is on its way to the client.
  func tunnelResponseWritten(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.tunnelResponseEnded)
    if !stream.pointee.has(.isHTTP2) { shutdownAfterFlush(stream.pointee.connection) }
    finishTunnelIfDone(stream)
  }

  // MARK: The end

  /// Both directions have ended: the stream lets go of its host, and ends.
  func finishTunnelIfDone(_ stream: HTTPStreamRef) {
    guard stream.pointee.flags.contains([.isTunnel, .tunnelResponseEnded]),
      stream.pointee.upstream.requestEnded, !stream.pointee.has(.finished)
    else { return }
    if let connection = stream.pointee.upstream.connection {
      if connection.pointee.role == .upstreamHTTP2 {
        // What the host has yet to take is the stream's; the session says when it is out.
        guard stream.pointee.upstream.h2.map({ $0.pointee.hasSentEnd }) ?? true else { return }
        detach(stream, isSuccess: true)
      } else {
        leaveTunnel(stream, connection, isSuccess: true)
      }
    }
    stream.pointee.flags.insert(.responseComplete)
    finishStreamIfDone(stream)
  }

  /// The connection closes when the host has taken what is queued.
  func leaveTunnel(_ stream: HTTPStreamRef, _ connection: ConnectionRef, isSuccess: Bool?) {
    let idle = stream.pointee.idleTimeout
    detach(stream, isSuccess: isSuccess)
    stopReading(connection)
    closeAfterFlush(connection, patience: idle > 0 ? idle : Self.flushNanosecondsMax)
  }
}
