import HTTPCore
import Primitives
import Stats

/// Requests that wait for a connection to their host, and connections that wait for a request.
extension Worker {
  func enqueue(_ stream: HTTPStreamRef, _ host: HostRef) {
    stream.pointee.pendingNext = nil
    stream.pointee.pendingPrevious = host.pointee.pendingTail
    if let tail = host.pointee.pendingTail {
      tail.pointee.pendingNext = stream
    } else {
      host.pointee.pendingHead = stream
    }
    host.pointee.pendingTail = stream
    host.pointee.pendingCount += 1
  }

  /// Takes a stream out of its host's queue and gives its place in the limits back.
  func dequeue(_ stream: HTTPStreamRef) {
    guard stream.pointee.upstream.state == .pending, let host = stream.pointee.upstream.host,
      let cluster = stream.pointee.upstream.cluster
    else { return }
    stream.pointee.pendingNext?.pointee.pendingPrevious = stream.pointee.pendingPrevious
    if let previous = stream.pointee.pendingPrevious {
      previous.pointee.pendingNext = stream.pointee.pendingNext
    } else {
      host.pointee.pendingHead = stream.pointee.pendingNext
    }
    if host.pointee.pendingTail == stream {
      host.pointee.pendingTail = stream.pointee.pendingPrevious
    }
    stream.pointee.pendingNext = nil
    stream.pointee.pendingPrevious = nil
    host.pointee.pendingCount -= 1
    stream.pointee.upstream.state = .none
    let config = cluster.pointee.pointer
    breakers(stream, config).releasePending()
    slab.decrement(config.pointee.stats.rqPendingActive)
    slab.record(
      stream.pointee.manager.pointee.stats.poolWait,
      (now &- stream.pointee.upstream.pendingSince) / 1000)
  }

  /// Opens connections until every waiting request has one on the way, as far as the limits allow.
  func connectPending(_ host: HostRef) {
    while host.pointee.pendingCount > host.pointee.connectingCount, reserveConnection(host) {
      let (connection, errno) = connect(host, role: .upstreamHTTP1)
      if connection == nil {
        failPending(host, errno: -errno, isTimeout: false)
        return
      }
    }
  }

  func upstreamHTTP1Connected(_ connection: ConnectionRef) {
    guard let host = connection.pointee.host else { return }
    connectionFree(connection, host)
  }

  /// Gives a connection with nothing to do to the request that waits longest, or to the pool.
  func connectionFree(_ connection: ConnectionRef, _ host: HostRef) {
    if let stream = host.pointee.pendingHead {
      dequeue(stream)
      attach(stream, connection)
      return
    }
    if host.pointee.isRemoved {
      close(connection, isLocal: true)
      return
    }
    connection.pointee.lastActivityAt = now
    addIdle(connection, host)
    let idle = host.pointee.cluster.pointee.pointer.pointee.idleTimeoutNanoseconds
    if idle > 0 { ensureTimer(connection, by: now &+ idle) }
  }

  func upstreamHTTP1ConnectFailed(_ connection: ConnectionRef, errno: Int32, isTimeout: Bool) {
    guard let host = connection.pointee.host else { return }
    host.pointee.users += 1
    // Whoever waits for this host learns it at once; new requests may try again.
    failPending(host, errno: errno, isTimeout: isTimeout)
    close(connection, isLocal: isTimeout)
    host.pointee.users -= 1
    freeHostIfUnused(host)
  }

  private func failPending(_ host: HostRef, errno: Int32, isTimeout: Bool) {
    var waiting = host.pointee.pendingCount
    while waiting > 0, let stream = host.pointee.pendingHead {
      waiting -= 1
      dequeue(stream)
      if let cluster = stream.pointee.upstream.cluster {
        slab.increment(cluster.pointee.pointer.pointee.stats.rqPendingFailureEject)
      }
      let reason = ErrnoText.view(errno)
      stream.pointee.info.upstreamTransportFailureReason = reason
      upstreamFailed(
        stream, flag: .upstreamConnectionFailure,
        reason: isTimeout ? "connection timeout" : "remote connection failure",
        transportReason: isTimeout ? .empty : reason)
    }
  }

  /// Puts a request onto a connection that is free for it.
  func attach(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let cluster = stream.pointee.upstream.cluster, let host = stream.pointee.upstream.host
    else { return }
    let config = cluster.pointee.pointer
    let limits = isHighPriority(stream) ? config.pointee.highLimits : config.pointee.normalLimits
    guard breakers(stream, config).reserveRequest(limits.requests) else {
      slab.increment(config.pointee.stats.rqActiveOverflow)
      connectionFree(connection, host)
      overflow(stream)
      return
    }
    stream.pointee.flags.insert(.holdsRequestUnit)
    connection.pointee.session = UnsafeMutableRawPointer(stream)
    if connection.pointee.requestCount > 0 { connection.pointee.flags.insert(.isReused) }
    connection.pointee.requestCount &+= 1
    connection.pointee.lastActivityAt = now
    stream.pointee.upstream.connection = connection
    stream.pointee.upstream.state = .active
    stream.pointee.info.upstreamConnectionID = connection.pointee.id
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
    writeRequest(stream, connection, config)
    resumeRequest(stream)
  }
}
