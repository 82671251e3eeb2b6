import HTTP1
import HTTP2
import Primitives
import Reactor
import Stats

/// Which HTTP a client speaks that did not say so: HTTP/2 begins with its preface (RFC 9113 section 3.4).
extension Worker {
  /// Looks at the first bytes of a connection.
  ///
  /// - Returns: False when they are not HTTP/1, or not yet: then the segment has been put back, ahead of what came after
  ///   it, and waits there for more or for HTTP/2.
  @inline(__always)
  func begins(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    with segment: SegmentRef
  ) -> Bool {
    if segment.pointee.base[0] == UInt8(ascii: "P"), manager.pointee.codec == .automatic,
      !connection.pointee.has(.isHTTP1Counted)
    {
      return beginsWithP(connection, manager, segment)
    }
    countHTTP1(connection, manager)
    return true
  }

  func countHTTP1(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) {
    if connection.pointee.has(.isHTTP1Counted) { return }
    connection.pointee.flags.insert(.isHTTP1Counted)
    slab.increment(manager.pointee.stats.cxHTTP1Total)
    slab.increment(manager.pointee.stats.cxHTTP1Active)
  }

  private func beginsWithP(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    _ segment: SegmentRef
  ) -> Bool {
    if case .no = HTTP2Preface.match(ByteView(segment.pointee.base, segment.pointee.count)) {
      countHTTP1(connection, manager)
      return true
    }
    segments.parkFirst(segment, in: &connection.pointee.input)
    connection.pointee.role = .httpSniff
    let limit = manager.pointee.requestHeadersTimeout
    if limit > 0 {
      connection.pointee.deadline = now &+ limit
      ensureTimer(connection, by: connection.pointee.deadline)
    }
    httpSniff(connection, manager)
    return false
  }

  /// More of what may become a preface.
  func httpSniffReceived(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let manager = httpManager(connection) else {
      segments.release(segment)
      return
    }
    segments.park(segment, in: &connection.pointee.input)
    httpSniff(connection, manager)
  }

  /// Decides by all that is held, if that is enough.
  private func httpSniff(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) {
    switch HTTP2Preface.match(contiguousInput(connection)) {
    case .partial: return
    case .yes: http2Start(connection)
    case .no:
      connection.pointee.role = .http1
      countHTTP1(connection, manager)
    }
    connection.pointee.deadline = 0
    if !connection.pointee.has(.closed) { makeReady(connection) }
  }

  func httpSniffTimerFired(_ connection: ConnectionRef) {
    guard let manager = httpManager(connection) else { return }
    if connection.pointee.deadline > 0, now >= connection.pointee.deadline {
      slab.increment(manager.pointee.stats.rqHeaderTimeout)
      close(connection, isLocal: true)
      return
    }
    let idle = manager.pointee.idleTimeout
    if idle > 0, now >= connection.pointee.lastActivityAt &+ idle {
      slab.increment(manager.pointee.stats.cxIdleTimeout)
      close(connection, isLocal: true)
      return
    }
    if connection.pointee.deadline > 0 { ensureTimer(connection, by: connection.pointee.deadline) }
    if idle > 0 { ensureTimer(connection, by: connection.pointee.lastActivityAt &+ idle) }
  }
}
