import HTTP2
import Primitives
import Reactor
import Stats

extension Worker {
  /// The connection's timer fired; it may have been set for something that is over by now.
  func connectionTimerFired(_ connection: ConnectionRef) {
    if connection.pointee.has(.closed) { return }
    if connection.pointee.patienceMilliseconds > 0 {
      lingerTimerFired(connection)
      return
    }
    switch connection.pointee.role {
    case .listenerFilter:
      if isPast(connection.pointee.deadline) {
        listenerFilterTimedOut(connection)
      } else {
        rearm(connection)
      }
    case .closing:
      if isPast(connection.pointee.deadline) {
        close(connection, isLocal: true)
      } else {
        rearm(connection)
      }
    case .tlsHandshake: tlsHandshakeTimerFired(connection)
    case .http1: http1TimerFired(connection)
    case .httpSniff: httpSniffTimerFired(connection)
    case .http2: http2TimerFired(connection)
    case .tcp: tcpTimerFired(connection)
    case .upstreamHTTP1, .upstreamHTTP2, .upstreamTCP, .upstreamTunnel, .probe: upstreamTimerFired(connection)
    case .internalClient:
      if let stream = httpStream(connection) { _ = streamTimerFired(stream) }
    case .free: break
    }
  }

  private func isPast(_ deadline: UInt64) -> Bool { deadline > 0 && now >= deadline }

  private func rearm(_ connection: ConnectionRef) {
    if connection.pointee.deadline > 0 { ensureTimer(connection, by: connection.pointee.deadline) }
  }

  private func http1TimerFired(_ connection: ConnectionRef) {
    guard let config = httpManager(connection) else { return }
    if let stream = httpStream(connection) {
      if streamTimerFired(stream) { return }
    } else {
      let idle = config.pointee.idleTimeout
      if idle > 0 {
        if now >= connection.pointee.lastActivityAt &+ idle {
          slab.increment(config.pointee.stats.cxIdleTimeout)
          close(connection, isLocal: true)
          return
        }
        ensureTimer(connection, by: connection.pointee.lastActivityAt &+ idle)
      }
    }
    let limit = config.pointee.maxConnectionDuration
    if limit > 0, !connection.pointee.has(.drains) {
      if now >= connection.pointee.createdAt &+ limit {
        slab.increment(config.pointee.stats.cxMaxDurationReached)
        connection.pointee.flags.insert(.drains)
        if connection.pointee.session == nil { close(connection, isLocal: true) }
        return
      }
      ensureTimer(connection, by: connection.pointee.createdAt &+ limit)
    }
    if isPast(connection.pointee.deadline) {
      // The drain is over, whatever is still going on.
      if let stream = httpStream(connection) {
        resetStream(stream, .cancel)
      } else {
        close(connection, isLocal: true)
      }
      return
    }
    rearm(connection)
  }

  private func upstreamTimerFired(_ connection: ConnectionRef) {
    if connection.pointee.has(.connecting) {
      if isPast(connection.pointee.deadline) { connectTimedOut(connection) } else { rearm(connection) }
      return
    }
    guard let host = connection.pointee.host else { return }
    let cluster = host.pointee.cluster.pointee.pointer
    let limit = cluster.pointee.maxConnectionDurationNanoseconds
    if limit > 0 {
      if now >= connection.pointee.createdAt &+ limit {
        if !connection.pointee.has(.drains) {
          slab.increment(cluster.pointee.stats.cxMaxDurationReached)
          connection.pointee.flags.insert(.drains)
        }
        if connection.pointee.role == .upstreamHTTP2 {
          upstreamHTTP2Retire(connection)
          if connection.pointee.has(.closed) { return }
        } else if connection.pointee.has(.isPooled) {
          close(connection, isLocal: true)
          return
        }
      } else {
        ensureTimer(connection, by: connection.pointee.createdAt &+ limit)
      }
    }
    let idle = cluster.pointee.idleTimeoutNanoseconds
    if connection.pointee.role == .upstreamHTTP2 {
      if upstreamHTTP2TimerFired(connection) { return }
    }
    if idle > 0, connection.pointee.has(.isPooled) {
      if now >= connection.pointee.lastActivityAt &+ idle {
        slab.increment(cluster.pointee.stats.cxIdleTimeout)
        close(connection, isLocal: true)
        return
      }
      ensureTimer(connection, by: connection.pointee.lastActivityAt &+ idle)
    }
  }
}
