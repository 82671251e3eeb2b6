import Primitives
import Reactor
import Stats

extension Worker {
  /// The socket broke (`errno`): tells the owner, who closes.
  func connectionFailed(_ connection: ConnectionRef, errno: Int32) {
    if connection.pointee.has(.isTLS), tlsSocketFailed(connection, errno: errno) { return }
    switch connection.pointee.role {
    case .http1: http1Failed(connection)
    case .http2: http2ReadEnded(connection, isBroken: true)
    case .upstreamHTTP2: upstreamHTTP2Ended(connection, errno: errno)
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1Failed(connection, errno: errno)
    case .tcp, .upstreamTCP: tcpFailed(connection, errno: errno)
    case .probe: probeEnded(connection, errno: errno)
    case .listenerFilter, .tlsHandshake, .httpSniff, .closing: close(connection, isLocal: false)
    case .free, .internalClient: break
    }
  }

  /// Ends a connection at once. The owner has let go of it; its books are closed here.
  ///
  /// - Parameter isLocal: We end it, rather than the peer.
  func close(_ connection: ConnectionRef, isLocal: Bool) {
    guard !connection.pointee.has(.closed) else { return }
    if connection.pointee.role == .internalClient {
      internalClientClosed(connection)
      return
    }
    if connection.pointee.has(.isTLS) { tlsSayGoodbye(connection) }
    connection.pointee.flags.insert(.closed)
    connection.pointee.flags.remove(.wantsRead)
    cancelTimer(connection)
    segments.releaseAll(&connection.pointee.input)
    leaveSplices(connection)
    slab.decrement(environment.stats.connections)
    switch connection.pointee.role {
    case .upstreamHTTP1, .upstreamHTTP2, .upstreamTCP, .upstreamTunnel: upstreamClosed(connection, isLocal: isLocal)
    case .probe:
      releaseProbe(connection)
      upstreamClosed(connection, isLocal: isLocal)
    case .listenerFilter, .tlsHandshake, .http1, .httpSniff, .http2, .tcp, .closing:
      downstreamClosed(connection, isLocal: isLocal)
    case .free, .internalClient: break
    }
    if connection.pointee.inFlight > 0 {
      ring.cancelAll(connection.pointee.fd, token: Token(.ignore, slot: 0, generation: 0))
    }
    finishClose(connection)
  }

  /// Buries the connection when no operation is in flight and no list holds it. The slot itself is
  /// freed at the end of the turn: whoever handles an event may look at the connection until then.
  func finishClose(_ connection: ConnectionRef) {
    guard connection.pointee.has(.closed), connection.pointee.inFlight == 0 else { return }
    if !connection.pointee.flags.isDisjoint(with: [.isDirty, .isReady, .isStarved, .isQueuedTLS, .isBuried]) {
      return
    }
    connection.pointee.flags.insert(.isBuried)
    graveyard.append(connection)
  }

  func freeClosed() {
    while let connection = graveyard.popLast() {
      segments.releaseAll(&connection.pointee.output)
      // What ended with the connection may have set it again.
      cancelTimer(connection)
      freeTLS(connection)
      if connection.pointee.fd >= 0 {
        ring.close(connection.pointee.fd, token: Token(.ignore, slot: 0, generation: 0))
      }
      connections.free(connection)
    }
  }

  /// An operation without a result of interest is over.
  func finishOperation(_ connection: ConnectionRef) {
    connection.pointee.inFlight &-= 1
    finishClose(connection)
  }
}
