import Glibc
import Primitives
import Reactor
import Stats

extension Worker {
  /// Begins to connect to a host after ``reserveConnection(_:_:isHigh:)``.
  ///
  /// - Parameters:
  ///   - pool: The pool that the connection is for; nil when it is for one session alone.
  ///   - isHigh: The priority that it counts under.
  /// - Returns: nil and a negated errno when there is no socket to be had.
  func connect(
    _ host: HostRef, _ pool: PoolRef?, role: Connection.Role, isHigh: Bool
  ) -> (ConnectionRef?, Int32) {
    let cluster = host.pointee.cluster.pointee.pointer
    let config = host.pointee.pointer
    let stats = cluster.pointee.stats
    let fd = kernel.makeSocket(family: config.pointee.address.family)
    guard fd >= 0 else {
      releaseConnection(host, isHigh: isHigh)
      return (nil, fd)
    }
    guard let connection = connections.allocate() else {
      kernel.close(fd)
      releaseConnection(host, isHigh: isHigh)
      return (nil, -ENFILE)
    }
    if case .ip = config.pointee.address {
      _ = kernel.setOption(fd, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
      if let keepalive = cluster.pointee.keepalive { setKeepalive(fd, keepalive) }
    }
    connection.pointee.fd = fd
    connection.pointee.role = role
    connection.pointee.host = host
    connection.pointee.pool = pool
    connection.pointee.drainCount = host.pointee.drainCount
    connection.pointee.id = nextConnectionID
    nextConnectionID &+= 1
    connection.pointee.createdAt = now
    connection.pointee.lastActivityAt = now
    connection.pointee.outputLimit = cluster.pointee.bufferLimitBytes
    connection.pointee.flags.insert(.connecting)
    if isHigh { connection.pointee.flags.insert(.isHigh) }
    connection.pointee.inFlight &+= 1
    host.pointee.connectionCount += 1
    pool?.pointee.connectingCount += 1
    pool?.pointee.connectionCount += 1
    pool?.pointee.users += 1
    slab.increment(stats.cxTotal)
    slab.increment(stats.cxActive)
    if cluster.pointee.upstreamProtocol != .automatic { countProtocol(role, stats) }
    slab.increment(config.pointee.stats.cxTotal)
    slab.increment(config.pointee.stats.cxActive)
    slab.increment(environment.stats.connections)
    let address = UnsafeRawPointer(config)
      .advanced(by: Self.hostAddressOffset)
    ring.connect(
      fd, address: address, length: config.pointee.kernelAddress.length,
      token: connection.pointee.token(.connect))
    let timeout = cluster.pointee.connectTimeoutNanoseconds
    if timeout > 0 {
      connection.pointee.deadline = now &+ timeout
      ensureTimer(connection, by: connection.pointee.deadline)
    }
    return (connection, 0)
  }

  private func countProtocol(_ role: Connection.Role, _ stats: ClusterStats) {
    if role == .upstreamHTTP1 { slab.increment(stats.cxHTTP1Total) }
    if role == .upstreamHTTP2 { slab.increment(stats.cxHTTP2Total) }
  }

  // The socket address is the first field of KernelAddress; it lives as long as the host.
  @inline(__always)
  private static var hostAddressOffset: Int {
    MemoryLayout<HostConfig>.offset(of: \HostConfig.kernelAddress) ?? 0
  }

  private func setKeepalive(_ fd: Int32, _ keepalive: ClusterConfig.Keepalive) {
    _ = kernel.setOption(fd, level: SOL_SOCKET, name: SO_KEEPALIVE, value: 1)
    let tcp = Int32(IPPROTO_TCP)
    if keepalive.probes > 0 {
      _ = kernel.setOption(fd, level: tcp, name: TCP_KEEPCNT, value: keepalive.probes)
    }
    if keepalive.timeSeconds > 0 {
      _ = kernel.setOption(fd, level: tcp, name: TCP_KEEPIDLE, value: keepalive.timeSeconds)
    }
    if keepalive.intervalSeconds > 0 {
      _ = kernel.setOption(fd, level: tcp, name: TCP_KEEPINTVL, value: keepalive.intervalSeconds)
    }
  }

  func onConnected(_ connection: ConnectionRef, _ result: Int32) {
    connection.pointee.inFlight &-= 1
    if connection.pointee.has(.closed) {
      finishClose(connection)
      return
    }
    guard let host = connection.pointee.host else { return }
    guard result >= 0 else {
      upstreamUnreachable(connection, .system(-result))
      return
    }
    startReading(connection)
    if host.pointee.pointer.pointee.transport == 0 {
      upstreamReady(connection)
    } else {
      // The connect timeout covers the handshake too.
      tlsConnect(connection, host)
    }
  }

  /// The host can be spoken to.
  func upstreamReady(_ connection: ConnectionRef) {
    guard let host = connection.pointee.host else { return }
    connection.pointee.flags.remove(.connecting)
    connection.pointee.pool?.pointee.connectingCount -= 1
    connection.pointee.deadline = 0
    let config = host.pointee.cluster.pointee.pointer
    slab.record(config.pointee.stats.cxConnectMs, (now &- connection.pointee.createdAt) / 1000)
    if host.pointee.settings.pointee.upstreamProtocol == .automatic { countProtocol(connection.pointee.role, config.pointee.stats) }
    connection.pointee.lastActivityAt = now
    let limit = config.pointee.maxConnectionDurationNanoseconds
    if limit > 0 { ensureTimer(connection, by: connection.pointee.createdAt &+ limit) }
    switch connection.pointee.role {
    case .upstreamHTTP1: upstreamHTTP1Connected(connection)
    case .upstreamHTTP2: upstreamHTTP2Connected(connection)
    case .upstreamTCP: tcpConnected(connection)
    case .probe: probeConnected(connection)
    case .upstreamTunnel: tunnelConnected(connection)
    case .free, .listenerFilter, .tlsHandshake, .http1, .httpSniff, .http2, .tcp, .closing, .internalClient: break
    }
    if connection.pointee.output.head != nil || connection.pointee.has(.shutdownAfterFlush) { markDirty(connection) }
  }

  /// No connection, or no TLS on it.
  func upstreamUnreachable(_ connection: ConnectionRef, _ failure: TransportFailure) {
    guard let host = connection.pointee.host else { return }
    slab.increment(host.pointee.cluster.pointee.pointer.pointee.stats.cxConnectFail)
    slab.increment(host.pointee.pointer.pointee.stats.cxConnectFail)
    connection.pointee.flags.remove(.connecting)
    connection.pointee.pool?.pointee.connectingCount -= 1
    connectFailed(connection, failure)
  }

  func connectTimedOut(_ connection: ConnectionRef) {
    guard let host = connection.pointee.host else { return }
    let stats = host.pointee.cluster.pointee.pointer.pointee.stats
    slab.increment(stats.cxConnectTimeout)
    slab.increment(stats.cxConnectFail)
    slab.increment(host.pointee.pointer.pointee.stats.cxConnectFail)
    connectFailed(connection, .timeout)
  }

  private func connectFailed(_ connection: ConnectionRef, _ failure: TransportFailure) {
    var failure = failure
    failure.spent = now &- connection.pointee.createdAt
    failure.isHandshake = connection.pointee.tls != nil
    switch connection.pointee.role {
    case .upstreamHTTP1, .upstreamHTTP2: poolConnectFailed(connection, failure)
    case .upstreamTCP: tcpConnectFailed(connection, failure)
    case .probe: probeConnectFailed(connection, failure)
    case .upstreamTunnel: tunnelConnectFailed(connection, failure)
    case .free, .listenerFilter, .tlsHandshake, .http1, .httpSniff, .http2, .tcp, .closing, .internalClient: break
    }
  }

  /// The books of an upstream connection that ends.
  func upstreamClosed(_ connection: ConnectionRef, isLocal: Bool) {
    guard let host = connection.pointee.host else { return }
    let cluster = host.pointee.cluster.pointee.pointer
    let stats = cluster.pointee.stats
    if let pool = connection.pointee.pool {
      if connection.pointee.has(.isPooled) { removeIdle(connection, pool) }
      if connection.pointee.role == .upstreamHTTP2 { upstreamHTTP2Closed(connection, pool) }
      if connection.pointee.has(.connecting) { pool.pointee.connectingCount -= 1 }
      pool.pointee.connectionCount -= 1
      pool.pointee.users -= 1
      releasePoolIfUnused(pool)
    }
    host.pointee.connectionCount -= 1
    releaseConnection(host, isHigh: connection.pointee.has(.isHigh))
    slab.increment(stats.cxDestroy)
    slab.increment(isLocal ? stats.cxDestroyLocal : stats.cxDestroyRemote)
    if connection.pointee.session != nil || connection.pointee.has(.endsUnderRequest) {
      slab.increment(stats.cxDestroyWithActiveRq)
      slab.increment(
        isLocal ? stats.cxDestroyLocalWithActiveRq : stats.cxDestroyRemoteWithActiveRq)
    }
    slab.decrement(stats.cxActive)
    slab.decrement(host.pointee.pointer.pointee.stats.cxActive)
    slab.record(stats.cxLengthMs, (now &- connection.pointee.createdAt) / 1000)
    connection.pointee.host = nil
    connection.pointee.pool = nil
    connection.pointee.session = nil
    connectPending(host)
    freeHostIfUnused(host)
  }

  func upstreamCount(_ connection: ConnectionRef, received count: Int) {
    guard let host = connection.pointee.host else { return }
    slab.add(host.pointee.cluster.pointee.pointer.pointee.stats.cxRxBytes, UInt64(count))
  }

  func upstreamCount(_ connection: ConnectionRef, sent count: Int) {
    guard let host = connection.pointee.host else { return }
    slab.add(host.pointee.cluster.pointee.pointer.pointee.stats.cxTxBytes, UInt64(count))
  }
}
