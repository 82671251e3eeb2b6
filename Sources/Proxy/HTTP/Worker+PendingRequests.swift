import HTTPCore
import HostHealth
import Primitives
import Stats

/// Requests that wait for a connection to their host, and connections that wait for a request.
extension Worker {
  /// Takes a stream out of its pool's queue and gives its place in the limits back.
  func dequeue(_ stream: HTTPStreamRef) {
    guard stream.pointee.upstream.state == .pending, let cluster = stream.pointee.upstream.cluster else { return }
    // A stream whose connection is for it alone waits in nobody's queue.
    if let pool = stream.pointee.upstream.pool {
      pool.pointee.pending.remove(stream)
      releasePoolIfUnused(pool)
    }
    stream.pointee.upstream.state = .none
    if let host = stream.pointee.upstream.host { countInactive(host) }
    let config = cluster.pointee.pointer
    breakers(stream, config).releasePending()
    slab.decrement(config.pointee.stats.rqPendingActive)
    slab.record(
      stream.pointee.manager.pointee.stats.poolWait,
      (now &- stream.pointee.upstream.pendingSince) / 1000)
  }

  /// A connection of the host is gone: another pool may have its place in the limits.
  func connectPending(_ host: HostRef) {
    // Requests that fail here may start others, and these may free pools or the host.
    host.pointee.users += 1
    var next: PoolRef? = HostRuntime.mainPool(host)
    while let pool = next {
      next = pool.pointee.next
      next?.pointee.users += 1
      connectPending(pool)
      next?.pointee.users -= 1
    }
    host.pointee.users -= 1
  }

  /// Opens connections until every waiting request has one on the way, as far as the limits allow.
  func connectPending(_ pool: PoolRef) {
    let host = pool.pointee.host
    let isHigh = pool.pointee.isHigh
    while pool.pointee.pending.count > pool.pointee.expected, reserveConnection(host, pool, isHigh: isHigh) {
      let (connection, errno) = connect(
        host, pool, role: pool.pointee.isHTTP2 ? .upstreamHTTP2 : .upstreamHTTP1, isHigh: isHigh)
      if connection == nil {
        failPending(pool, .system(-errno))
        return
      }
    }
  }

  func upstreamHTTP1Connected(_ connection: ConnectionRef) {
    guard let pool = connection.pointee.pool else { return }
    connectionFree(connection, pool)
  }

  /// Gives a connection with nothing to do to the request that waits longest, or to the pool.
  func connectionFree(_ connection: ConnectionRef, _ pool: PoolRef) {
    if let stream = pool.pointee.pending.head {
      dequeue(stream)
      attach(stream, connection)
      return
    }
    let host = pool.pointee.host
    if isGivenUp(connection, host) {
      close(connection, isLocal: true)
      return
    }
    connection.pointee.lastActivityAt = now
    addIdle(connection, pool)
    let idle = host.pointee.cluster.pointee.pointer.pointee.idleTimeoutNanoseconds
    if idle > 0 { ensureTimer(connection, by: now &+ idle) }
  }

  func poolConnectFailed(_ connection: ConnectionRef, _ failure: TransportFailure) {
    guard let pool = connection.pointee.pool else { return }
    let host = pool.pointee.host
    host.pointee.users += 1
    // Whoever waits for this host learns it at once; new requests may try again.
    failPending(pool, failure)
    close(connection, isLocal: failure.isTimeout)
    host.pointee.users -= 1
    freeHostIfUnused(host)
  }

  private func failPending(_ pool: PoolRef, _ failure: TransportFailure) {
    var waiting = pool.pointee.pending.count
    while waiting > 0, let stream = pool.pointee.pending.head {
      waiting -= 1
      dequeue(stream)
      connectFailed(stream, failure)
    }
  }

  /// The request has waited for a connection in vain.
  func connectFailed(_ stream: HTTPStreamRef, _ failure: TransportFailure) {
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.rqPendingFailureEject)
    }
    let reason = stream.pointee.arena.copy(failure.view)
    stream.pointee.info.upstreamTransportFailureReason = reason
    attemptFailed(
      stream,
      AttemptFailure(
        cause: .connect, flag: .upstreamConnectionFailure,
        reason: failure.isTimeout ? "connection timeout" : "remote connection failure", transport: reason,
        errno: failure.errno, isHandshake: failure.isHandshake, isTimeout: failure.isTimeout, spent: failure.spent))
  }

  /// Puts a request onto a connection that is free for it.
  func attach(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let cluster = stream.pointee.upstream.cluster, let host = stream.pointee.upstream.host else { return }
    let config = cluster.pointee.pointer
    guard breakers(stream, config).reserveRequest() else {
      slab.increment(config.pointee.stats.rqActiveOverflow)
      if let pool = stream.pointee.upstream.pool {
        codecReturn(connection, pool)
      } else {
        stream.pointee.upstream.connection = nil
        connection.pointee.session = nil
        close(connection, isLocal: true)
      }
      overflow(stream, .requests)
      return
    }
    stream.pointee.flags.insert(.holdsRequestUnit)
    codecOccupy(connection, stream)
    if connection.pointee.requestCount > 0 { connection.pointee.flags.insert(.isReused) }
    connection.pointee.requestCount &+= 1
    connection.pointee.lastActivityAt = now
    stream.pointee.upstream.connection = connection
    stream.pointee.upstream.state = .active
    countActive(host)
    stream.pointee.info.upstreamConnectionID = connection.pointee.id
    if config.pointee.outlierCounting != nil { count(.connected, host) }
    if stream.pointee.manager.pointee.keepsUpstreamTLS { noteUpstreamTLS(stream, connection) }
    stream.pointee.info.upstreamConnected = now
    if stream.pointee.upstream.pendingSince > 0 {
      stream.pointee.info.upstreamPoolReadyDuration = now &- stream.pointee.upstream.pendingSince
    }
    stream.pointee.info.upstreamRequestStart = now
    let hostStats = host.pointee.pointer.pointee.stats
    slab.increment(config.pointee.stats.rqTotal)
    slab.increment(config.pointee.stats.rqActive)
    slab.increment(hostStats.rqTotal)
    slab.increment(hostStats.rqActive)
    countRouteScopes(stream) { slab.increment($0.rqTotal) }
    if config.pointee.maxStreamDurationNanoseconds > 0 { limitAttempt(stream, config) }
    if let plan = stream.pointee.upstream.plan { beginAttempt(stream, plan, connection) }
    codecWriteRequest(stream, connection, config)
    resumeRequest(stream)
  }
}
