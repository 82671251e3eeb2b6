import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// What sessions have to say, into the connection's output.
extension Worker {
  /// Output above this waits in the streams, so that they take turns and control frames overtake.
  private static let roomMax = 256 << 10

  /// Empties the session, DATA as far as there is room. Runs at the end of a turn, also while a send is in flight: the
  /// heads in it point into arenas that go with their streams.
  func http2Flush(_ connection: ConnectionRef) {
    // A connection that closes has said everything.
    guard let h2 = http2(connection), !connection.pointee.has(.closeAfterFlush) else { return }
    if connection.pointee.role == .upstreamHTTP2 { upstreamHTTP2Serve(connection, h2) }
    guard http2Drain(connection, h2) else { return }
    http2Settle(connection, h2)
    if let flood = floods(connection, h2) {
      h2.pointee.session.pointee.shutDown(flood.code, flood.detail)
      http2Failed(connection, h2, flood)
      return
    }
    http2Relieve(connection, h2)
    if h2.pointee.yields {
      h2.pointee.yields = false
      if holdsInput(connection) { makeReady(connection) }
    }
    http2CloseIfDone(connection, h2)
  }

  /// - Returns: False when the connection is over.
  private func http2Drain(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) -> Bool {
    let room = min(connection.pointee.outputLimit, Self.roomMax)
    let session = h2.pointee.session
    while true {
      switch session.pointee.output(mayTakeData: connection.pointee.output.byteCount < room) {
      case .bytes(let view, let isControl):
        segments.copy(view, to: &connection.pointee.output)
        note(connection, h2, view.count, isControl: isControl)
      case .data(let codec, let header, let count, _):
        put(connection, h2, codec, header, count)
      case .ended(let codec):
        guard let stream = httpStream(codec) else { continue }
        if connection.pointee.role == .http2 {
          stream.pointee.flags.insert(.responseFlushed)
          finishStreamIfDone(stream)
        } else {
          finishTunnelIfDone(stream)
        }
      case .closed(let codec, let code): http2ClosedWhileSending(connection, codec, code)
      case .failed(let error):
        http2Failed(connection, h2, error)
        return false
      case .idle: return true
      }
    }
  }

  private func note(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ bytes: Int, isControl: Bool) {
    let before = (h2.pointee.unsent.frames, h2.pointee.unsent.controls)
    h2.pointee.unsent.queued(bytes: bytes, isControl: isControl)
    http2CountUnsent(connection, h2, before)
  }

  /// The gauges follow the marks.
  private func http2CountUnsent(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ before: (frames: UInt32, controls: UInt32)
  ) {
    let frames = Int64(h2.pointee.unsent.frames) - Int64(before.frames)
    let controls = Int64(h2.pointee.unsent.controls) - Int64(before.controls)
    if frames == 0, controls == 0 { return }
    http2Stats(connection) { stats in
      move(stats.outboundFramesActive, by: frames)
      move(stats.outboundControlFramesActive, by: controls)
    }
  }

  private func move(_ gauge: Gauge, by difference: Int64) {
    if difference > 0 {
      slab.add(gauge, UInt64(difference))
    } else if difference < 0 {
      slab.subtract(gauge, UInt64(-difference))
    }
  }

  /// Bytes of an HTTP/2 connection were sent.
  func http2Sent(_ connection: ConnectionRef, _ count: Int) {
    guard let h2 = http2(connection) else { return }
    let before = (h2.pointee.unsent.frames, h2.pointee.unsent.controls)
    h2.pointee.unsent.sent(count)
    http2CountUnsent(connection, h2, before)
  }

  /// The frames that are never sent are not waiting any more.
  func http2ForgetUnsent(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    let before = (h2.pointee.unsent.frames, h2.pointee.unsent.controls)
    h2.pointee.unsent = FrameMarks()
    http2CountUnsent(connection, h2, before)
  }

  /// One DATA frame: its nine bytes, then the owner's.
  private func put(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef,
    _ header: InlineArray<9, UInt8>, _ count: Int
  ) {
    let target = segments.reserve(9, in: &connection.pointee.output)
    for i in 0..<9 { target[i] = header[i] }
    note(connection, h2, count + 9, isControl: false)
    guard let stream = httpStream(codec) else {
      assertionFailure("DATA of a stream without an owner")
      return
    }
    stream.pointee.lastActivityAt = now
    if connection.pointee.role == .http2 {
      var piece = segments.take(count, from: &stream.pointee.responseQueue)
      append(&piece, to: &connection.pointee.output)
      stream.pointee.info.downstreamWireBytesSent &+= UInt64(count + 9)
      if stream.pointee.flushDeadline > 0 { http2ExtendFlush(stream) }
    } else {
      var piece = segments.take(count, from: &stream.pointee.upstream.waitingBody)
      append(&piece, to: &connection.pointee.output)
      stream.pointee.info.upstreamWireBytesSent &+= UInt64(count + 9)
      stream.pointee.upstream.bodySent = true
    }
    http2Unqueued(connection, h2, count)
    relieveIfSmall(connection, h2, stream)
  }

  /// Whether the peer makes us hold more frames than it reads (section 10.5 of RFC 9113).
  private func floods(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) -> HTTP2Error? {
    let frames = h2.pointee.unsent.frames
    let controls = h2.pointee.unsent.controls
    var framesMax = UInt32.max
    var controlsMax = UInt32.max
    if let manager = httpManager(connection), connection.pointee.role == .http2 {
      framesMax = manager.pointee.http2.pointee.outboundFramesMax
      controlsMax = manager.pointee.http2.pointee.outboundControlFramesMax
    } else if let http2 = connection.pointee.host?.pointee.cluster.pointee.pointer.pointee.http2 {
      framesMax = http2.pointee.outboundFramesMax
      controlsMax = http2.pointee.outboundControlFramesMax
    }
    if controls > controlsMax { return HTTP2Error(.outboundControlFramesFlood) }
    if frames > framesMax { return HTTP2Error(.outboundFramesFlood) }
    return nil
  }

  /// The last words of a session before it is freed.
  func http2PutLastFrames(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    while true {
      switch h2.pointee.session.pointee.output(mayTakeData: false) {
      case .bytes(let view, _): segments.copy(view, to: &connection.pointee.output)
      case .ended, .closed, .data: break
      case .failed, .idle: return
      }
    }
  }
}
