import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// An HTTP/2 connection in time: pings, timeouts, and its end in two steps.
extension Worker {
  @inline(__always)
  func http2TakesInput(_ connection: ConnectionRef) -> Bool {
    http2(connection).map { !$0.pointee.yields } ?? true
  }

  // MARK: The end in two steps (RFC 9113 section 6.8)

  /// Tells the client to open no more streams; what is on its way is served for `drain_timeout`.
  func http2BeginDrain(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.drain == .none, let manager = httpManager(connection) else { return }
    h2.pointee.drain = .announced
    slab.increment(manager.pointee.stats.cxDrainClose)
    slab.increment(manager.pointee.http2.pointee.stats.goawayGracefulSent)
    h2.pointee.session.pointee.announceShutdown()
    // When the process ends, a client that is idle needs no longer than a round trip.
    let isIdle = isDraining && h2.pointee.streamCount == 0
    h2.pointee.drainAt =
      now &+ (isIdle ? min(manager.pointee.drainTimeout, 1_000_000_000) : manager.pointee.drainTimeout)
    ensureTimer(connection, by: h2.pointee.drainAt)
    markDirty(connection)
  }

  private func http2FinishDrain(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    h2.pointee.drain = .final
    http2Stats(connection) { slab.increment($0.goawaySent) }
    h2.pointee.session.pointee.shutDown(.noError, "")
    markDirty(connection)
  }

  // MARK: Time

  func http2TimerFired(_ connection: ConnectionRef) {
    guard let h2 = http2(connection), let manager = httpManager(connection) else { return }
    if connection.pointee.deadline > 0, now >= connection.pointee.deadline {
      // The drain is over, whatever is still going on.
      while let stream = h2.pointee.first { resetStream(stream, .cancel) }
      if h2.pointee.drain != .final { http2FinishDrain(connection, h2) }
      return
    }
    if headIsLate(connection, h2, manager) || pingIsLate(connection, h2) { return }
    var next = h2.pointee.first
    while let stream = next {
      // A stream that ends takes only itself out of the list.
      next = stream.pointee.nextStream
      _ = streamTimerFired(stream)
    }
    if h2.pointee.streamCount == 0 { idleTimer(connection, h2, manager) }
    let limit = manager.pointee.maxConnectionDuration
    if limit > 0, h2.pointee.drain == .none {
      if now >= connection.pointee.createdAt &+ limit {
        slab.increment(manager.pointee.stats.cxMaxDurationReached)
        http2BeginDrain(connection, h2)
      } else {
        ensureTimer(connection, by: connection.pointee.createdAt &+ limit)
      }
    }
    if h2.pointee.drain == .announced {
      if now >= h2.pointee.drainAt {
        http2FinishDrain(connection, h2)
      } else {
        ensureTimer(connection, by: h2.pointee.drainAt)
      }
    }
    if connection.pointee.deadline > 0 { ensureTimer(connection, by: connection.pointee.deadline) }
  }

  private func idleTimer(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef,
    _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) {
    let idle = manager.pointee.idleTimeout
    guard idle > 0, h2.pointee.drain == .none else { return }
    guard now >= connection.pointee.lastActivityAt &+ idle else {
      ensureTimer(connection, by: connection.pointee.lastActivityAt &+ idle)
      return
    }
    slab.increment(manager.pointee.stats.cxIdleTimeout)
    http2BeginDrain(connection, h2)
  }

  // MARK: Heads in pieces

  /// After input: a block of header frames that has begun and not ended is timed.
  @inline(__always)
  func http2NoteHeadBlock(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.session.pointee.isMidHeaderBlock else {
      h2.pointee.headBegan = 0
      return
    }
    if h2.pointee.headBegan > 0 { return }
    h2.pointee.headBegan = now
    if connection.pointee.role == .http2, let manager = httpManager(connection),
      manager.pointee.requestHeadersTimeout > 0
    {
      ensureTimer(connection, by: now &+ manager.pointee.requestHeadersTimeout)
    }
  }

  private func headIsLate(
    _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef,
    _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) -> Bool {
    let limit = manager.pointee.requestHeadersTimeout
    guard limit > 0, h2.pointee.headBegan > 0 else { return false }
    guard now >= h2.pointee.headBegan &+ limit else {
      ensureTimer(connection, by: h2.pointee.headBegan &+ limit)
      return false
    }
    slab.increment(manager.pointee.stats.rqHeaderTimeout)
    let error = HTTP2Error(.shutDown, code: .noError, detail: "request_header_timeout")
    h2.pointee.session.pointee.shutDown(error.code, error.detail)
    http2Failed(connection, h2, error)
    return true
  }

  // MARK: Pings

  private func keepalive(_ connection: ConnectionRef) -> HTTP2Config.Keepalive? {
    if connection.pointee.role == .upstreamHTTP2 {
      return connection.pointee.host?.pointee.cluster.pointee.pointer.pointee.http2?.pointee.keepalive
    }
    return httpManager(connection)?.pointee.http2.pointee.keepalive
  }

  /// Plans the next PING.
  func http2SchedulePing(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard let keepalive = keepalive(connection), keepalive.interval > 0 else {
      h2.pointee.pingDue = 0
      return
    }
    var interval = keepalive.interval
    if keepalive.jitterPercent > 0 {
      let jitter = interval / 100 &* UInt64(keepalive.jitterPercent)
      if jitter > 0 { interval &+= random.next() % jitter }
    }
    h2.pointee.pingDue = now &+ interval
    ensureTimer(connection, by: h2.pointee.pingDue)
  }

  /// Sends a PING whose answer must come within the keepalive's timeout.
  func http2Ping(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.pingDeadline == 0, let keepalive = keepalive(connection) else { return }
    h2.pointee.pingDue = 0
    h2.pointee.pingDeadline = now &+ keepalive.timeout
    h2.pointee.session.pointee.ping(now)
    ensureTimer(connection, by: h2.pointee.pingDeadline)
    markDirty(connection)
  }

  /// Sends the PING that is due; true when the answer to the last one is not there in time and the connection is over.
  func pingIsLate(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) -> Bool {
    if h2.pointee.pingDeadline > 0 {
      guard now >= h2.pointee.pingDeadline else {
        ensureTimer(connection, by: h2.pointee.pingDeadline)
        return false
      }
      http2Stats(connection) { slab.increment($0.keepaliveTimeout) }
      let error = HTTP2Error(.shutDown, code: .noError, detail: "http2.keepalive_timeout")
      h2.pointee.session.pointee.shutDown(error.code, error.detail)
      http2Failed(connection, h2, error)
      return true
    }
    if h2.pointee.pingDue > 0 {
      if now >= h2.pointee.pingDue {
        http2Ping(connection, h2)
      } else {
        ensureTimer(connection, by: h2.pointee.pingDue)
      }
    }
    return false
  }
}
