import HTTP2
import Primitives
import Reactor

extension Worker {
  /// The connection's output is sent at the end of the turn, so that what a turn writes leaves in
  /// one operation.
  @inline(__always)
  func markDirty(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.isDirty) else { return }
    connection.pointee.flags.insert(.isDirty)
    connection.pointee.nextDirty = dirty
    dirty = connection
  }

  func flushDirty() {
    var next = dirty
    dirty = nil
    while let connection = next {
      next = connection.pointee.nextDirty
      connection.pointee.nextDirty = nil
      connection.pointee.flags.remove(.isDirty)
      if connection.pointee.has(.closed) {
        finishClose(connection)
      } else {
        if connection.pointee.role == .http2 || connection.pointee.role == .upstreamHTTP2 {
          http2Flush(connection)
          if connection.pointee.has(.closed) {
            finishClose(connection)
            continue
          }
        }
        flush(connection)
      }
    }
  }

  private func flush(_ connection: ConnectionRef) {
    if !connection.pointee.flags.isDisjoint(with: [.sendInFlight, .connecting, .isTLS]) {
      if !connection.pointee.has(.sendInFlight), let tls = connection.pointee.tls { tlsFlush(connection, tls) }
      return
    }
    // What waits in the pipe goes first.
    if let splice = connection.pointee.fedBy, splice.pointee.heldBytes > 0 { return }
    guard let head = connection.pointee.output.head, !connection.pointee.output.isEmpty else {
      outputDrained(connection)
      return
    }
    connection.pointee.flags.insert(.sendInFlight)
    connection.pointee.inFlight &+= 1
    let token = connection.pointee.token(.send)
    if head.pointee.next != nil, let header = message.make(connection.pointee.output) {
      ring.send(connection.pointee.fd, message: header, token: token)
    } else {
      ring.send(
        connection.pointee.fd, ByteView(head.pointee.base, head.pointee.count), token: token)
    }
  }

  func onSent(_ connection: ConnectionRef, _ result: Int32) {
    connection.pointee.flags.remove(.sendInFlight)
    connection.pointee.inFlight &-= 1
    if connection.pointee.has(.closed) {
      finishClose(connection)
      return
    }
    guard result >= 0 else {
      segments.releaseAll(&connection.pointee.output)
      if let tls = connection.pointee.tls { segments.releaseAll(&tls.pointee.sending) }
      connectionFailed(connection, errno: -result)
      return
    }
    if connection.pointee.has(.isTLS), let tls = connection.pointee.tls {
      tlsSent(connection, tls, Int(result))
      return
    }
    countSent(connection, Int(result))
    connection.pointee.lastActivityAt = now
    segments.drop(Int(result), from: &connection.pointee.output)
    if connection.pointee.has(.outputBlocked),
      connection.pointee.output.byteCount <= connection.pointee.outputLimit / 2
    {
      connection.pointee.flags.remove(.outputBlocked)
      outputUnblocked(connection)
      if connection.pointee.has(.closed) { return }
    }
    if connection.pointee.output.isEmpty {
      outputDrained(connection)
    } else {
      markDirty(connection)
    }
  }

  /// Everything queued has been taken by the kernel.
  func outputDrained(_ connection: ConnectionRef) {
    if connection.pointee.has(.isTLS), let tls = connection.pointee.tls, tlsEndOutput(connection, tls) { return }
    if connection.pointee.has(.shutdownAfterFlush), !connection.pointee.has(.writeEnded) {
      connection.pointee.flags.insert(.writeEnded)
      connection.pointee.inFlight &+= 1
      ring.shutdownWrite(connection.pointee.fd, token: connection.pointee.token(.shutdown))
    }
    if connection.pointee.has(.closeAfterFlush) {
      close(connection, isLocal: true)
      return
    }
    // A splice waits for its turn.
    if let source = connection.pointee.fedBy?.pointee.source, source.pointee.has(.wantsRead) {
      armReceive(source)
    }
    switch connection.pointee.role {
    case .tcp, .upstreamTCP: tcpDrained(connection)
    case .http2, .upstreamHTTP2:
      if let h2 = http2(connection), h2.pointee.session.pointee.wantsOutput { markDirty(connection) }
    case .http1, .httpSniff, .listenerFilter, .tlsHandshake, .closing, .upstreamHTTP1, .upstreamTunnel,
      .internalClient, .probe, .free: break
    }
  }

  /// Call after adding output: says whether the source must pause.
  @inline(__always)
  func isOverLimit(_ connection: ConnectionRef) -> Bool {
    guard connection.pointee.output.byteCount > connection.pointee.outputLimit else { return false }
    connection.pointee.flags.insert(.outputBlocked)
    return true
  }

  func outputUnblocked(_ connection: ConnectionRef) {
    switch connection.pointee.role {
    case .http1: http1OutputUnblocked(connection)
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1OutputUnblocked(connection)
    case .tcp, .upstreamTCP: tcpOutputUnblocked(connection)
    case .listenerFilter, .tlsHandshake, .httpSniff, .http2, .upstreamHTTP2, .closing, .internalClient, .probe,
      .free: break
    }
  }

  func countSent(_ connection: ConnectionRef, _ count: Int) {
    switch connection.pointee.role {
    case .http1, .httpSniff:
      connection.pointee.record?.pointee.bytesSent &+= UInt64(count)
      httpCount(connection, sent: count)
    case .http2:
      connection.pointee.record?.pointee.bytesSent &+= UInt64(count)
      httpCount(connection, sent: count)
      http2Sent(connection, count)
    case .upstreamHTTP1, .upstreamTCP, .upstreamTunnel, .probe: upstreamCount(connection, sent: count)
    case .upstreamHTTP2:
      upstreamCount(connection, sent: count)
      http2Sent(connection, count)
    case .tcp: tcpCount(connection, sent: count)
    case .closing: connection.pointee.record?.pointee.bytesSent &+= UInt64(count)
    case .listenerFilter, .tlsHandshake, .internalClient, .free: break
    }
  }

  /// Ends our direction when everything queued is out.
  func shutdownAfterFlush(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.shutdownAfterFlush) else { return }
    connection.pointee.flags.insert(.shutdownAfterFlush)
    markDirty(connection)
  }
}
