import Primitives
import Reactor

/// What becomes of an HTTP/1 connection when its exchange is over.
extension Worker {
  /// The response is out: the connection waits for the next request, or ends.
  func http1Finish(_ stream: HTTPStreamRef) {
    let connection = stream.pointee.connection
    let manager = stream.pointee.manager
    let requestComplete = stream.pointee.has(.requestComplete)
    // After an early answer nothing sensible can follow: the client still sends the old request.
    let closes = stream.pointee.has(.closesConnection) || !requestComplete
    let clientCloses = stream.pointee.has(.clientCloses) && requestComplete
    endStream(stream)
    guard closes else {
      connection.pointee.lastActivityAt = now
      if stream.pointee.has(.pausedDownstream) { startReading(connection) }
      if holdsInput(connection) { makeReady(connection) }
      let idle = manager.pointee.idleTimeout
      if idle > 0 { ensureTimer(connection, by: now &+ idle) }
      return
    }
    if clientCloses, !holdsInput(connection) {
      // Nothing more can come, so no reset can overtake the response.
      connection.pointee.role = .closing
      closeAfterFlush(connection, patience: manager.pointee.delayedCloseTimeout)
    } else {
      finishGracefully(connection, patience: manager.pointee.delayedCloseTimeout)
    }
  }

  /// HTTP/1 can end a response early only with its connection.
  func http1Reset(_ stream: HTTPStreamRef) {
    let connection = stream.pointee.connection
    let patience = stream.pointee.manager.pointee.delayedCloseTimeout
    endStream(stream)
    stopReading(connection)
    connection.pointee.role = .closing
    closeAfterFlush(connection, patience: patience)
  }
}
