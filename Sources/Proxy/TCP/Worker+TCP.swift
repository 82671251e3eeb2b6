import Glibc
import HTTPCore
import HostHealth
import Primitives
import Reactor
import Routing
import Stats

/// `tcp_proxy`: bytes in, a host, bytes out; half closes are passed on.
extension Worker {
  func tcpStart(_ connection: ConnectionRef) {
    guard let chain = connection.pointee.chain, let config = chain.pointee.tcpProxy else { return }
    connection.pointee.role = .tcp
    let session = tcpSessions.take()
    session.initialize(
      to: TCPSession(config: config, generation: generation, downstream: connection, now: now))
    generation.pointee.streamCount &+= 1
    connection.pointee.session = UnsafeMutableRawPointer(session)
    slab.increment(config.pointee.stats.cxTotal)
    fillInfo(session, connection, chain)
    if config.pointee.maxDurationNanoseconds > 0 {
      connection.pointee.deadline = now &+ config.pointee.maxDurationNanoseconds
      ensureTimer(connection, by: connection.pointee.deadline)
    }
    if config.pointee.idleTimeoutNanoseconds > 0 {
      ensureTimer(connection, by: now &+ config.pointee.idleTimeoutNanoseconds)
    }
    let target = chooseTarget(config)
    session.pointee.cluster = cluster(of: config.pointee.targets.buffer[target])
    session.pointee.match = config.pointee.matches.match(target)
    guard let cluster = session.pointee.cluster else {
      slab.increment(config.pointee.stats.cxNoRoute)
      session.pointee.info.flags.insert(.noRouteFound)
      closeSession(session)
      return
    }
    session.pointee.info.upstreamCluster = cluster.pointee.pointer.pointee.name.view
    if cluster.pointee.pointer.pointee.hashesRequests {
      session.pointee.hash = sessionHash(session, cluster.pointee.pointer.pointee.hashPolicies)
    }
    // Bytes wait in the kernel until the upstream side is there.
    stopReading(connection)
    tcpConnect(session)
  }

  /// Of a connection there is nothing but its client's address.
  private func sessionHash(_ session: TCPSessionRef, _ policies: HashPolicyList?) -> UInt64? {
    guard let address = session.pointee.info.downstreamRemote.ip else { return nil }
    if let policies { return policies.hash(ofConnectionFrom: address) }
    return session.pointee.config.pointee.hashesSourceIP ? HashPolicyList.hash(address) : nil
  }

  /// The number of the target that a connection goes to; there is at least one.
  private func chooseTarget(_ config: UnsafeMutablePointer<TCPProxyConfig>) -> Int {
    let targets = config.pointee.targets.buffer
    guard targets.count > 1, config.pointee.totalWeight > 0 else { return 0 }
    var left = random.below(config.pointee.totalWeight)
    for index in targets.indices {
      if left < targets[index].weight { return index }
      left -= targets[index].weight
    }
    return targets.count - 1
  }

  private func cluster(of target: TCPProxyConfig.Target) -> ClusterRef? {
    Int(target.cluster) < clusters.count ? clusters[Int(target.cluster)] : nil
  }

  private func fillInfo(
    _ session: TCPSessionRef, _ connection: ConnectionRef,
    _ chain: UnsafeMutablePointer<FilterChainConfig>
  ) {
    session.pointee.info.start = connection.pointee.createdAt
    session.pointee.info.startWallNanoseconds = wallNow
    session.pointee.info.connectionID = connection.pointee.id
    session.pointee.info.filterChainName = chain.pointee.name.view
    session.pointee.info.downstreamRemote = clientEndpoint(connection)
    session.pointee.info.downstreamDirectRemote = peerEndpoint(connection)
    session.pointee.info.downstreamLocal = localEndpoint(connection)
    noteTLS(connection, in: &session.pointee.info)
  }

  private func tcpConnect(_ session: TCPSessionRef) {
    guard let cluster = session.pointee.cluster else { return }
    let config = cluster.pointee.pointer
    let stats = config.pointee.stats
    guard let host = chooseHost(cluster, HostWish(hash: session.pointee.hash, match: session.pointee.match)) else {
      session.pointee.info.flags.insert(.noHealthyUpstream)
      noteNoHost(session, cluster)
      closeSession(session)
      return
    }
    guard reserveConnection(host, nil, isHigh: false) else {
      refuse(session, config, .connections)
      return
    }
    guard beginWait(session, config) else {
      releaseConnection(host, isHigh: false)
      refuse(session, config, .pending)
      return
    }
    session.pointee.connectAttempts += 1
    session.pointee.info.upstreamAttempts = session.pointee.connectAttempts
    setHost(session, host)
    let (made, code) = connect(host, nil, role: .upstreamTCP, isHigh: false)
    guard let upstream = made else {
      slab.increment(stats.cxConnectFail)
      waitFailed(session)
      noteFailure(session, .system(-code))
      tcpRetry(session)
      return
    }
    upstream.pointee.session = UnsafeMutableRawPointer(session)
    session.pointee.upstream = upstream
  }

  /// A limit of the cluster refuses the session.
  private func refuse(_ session: TCPSessionRef, _ config: UnsafeMutablePointer<ClusterConfig>, _ refusal: Refusal) {
    session.pointee.info.flags.insert(.upstreamOverflow)
    noteOverflow(session, config, refusal)
    closeSession(session)
  }

  // MARK: Waiting for a host

  /// A session that has no connection yet counts as a request that waits; false when there may be no more of them.
  private func beginWait(_ session: TCPSessionRef, _ config: UnsafeMutablePointer<ClusterConfig>) -> Bool {
    guard BreakerReference(config: config, isHigh: false).reservePending() else {
      slab.increment(config.pointee.stats.rqPendingOverflow)
      return false
    }
    session.pointee.isWaiting = true
    slab.increment(config.pointee.stats.rqPendingTotal)
    slab.increment(config.pointee.stats.rqPendingActive)
    return true
  }

  private func endWait(_ session: TCPSessionRef) {
    guard session.pointee.isWaiting, let config = session.pointee.cluster?.pointee.pointer else { return }
    session.pointee.isWaiting = false
    BreakerReference(config: config, isHigh: false).releasePending()
    slab.decrement(config.pointee.stats.rqPendingActive)
  }

  private func waitFailed(_ session: TCPSessionRef) {
    endWait(session)
    if let config = session.pointee.cluster?.pointee.pointer { slab.increment(config.pointee.stats.rqPendingFailureEject) }
  }

  private func setHost(_ session: TCPSessionRef, _ host: HostRef?) {
    let old = session.pointee.host
    session.pointee.host = host
    if let host {
      host.pointee.users += 1
      countActive(host)
      session.pointee.info.upstreamHost = hostEndpoint(host)
      session.pointee.info.upstreamHostName = host.pointee.pointer.pointee.hostname.view
    }
    if let old {
      old.pointee.users -= 1
      countInactive(old)
      freeHostIfUnused(old)
    }
  }

  func tcpConnectFailed(_ upstream: ConnectionRef, _ failure: TransportFailure) {
    if let host = upstream.pointee.host {
      count(failure.isTimeout ? .localOriginTimeout(status: 504) : .localOriginFailure, host)
    }
    guard let session = tcpSession(upstream) else {
      close(upstream, isLocal: failure.isTimeout)
      return
    }
    upstream.pointee.session = nil
    session.pointee.upstream = nil
    waitFailed(session)
    noteFailure(session, failure)
    close(upstream, isLocal: failure.isTimeout)
    tcpRetry(session)
  }

  /// The record tells of a host that failed though another may serve in the end.
  private func noteFailure(_ session: TCPSessionRef, _ failure: TransportFailure) {
    session.pointee.info.flags.insert(.upstreamConnectionFailure)
    session.pointee.info.upstreamTransportFailureReason = .empty
    noteNotConnected(session, failure)
    if failure.view.isEmpty { return }
    let memory = session.pointee.failureText ?? failureTexts.take()
    session.pointee.failureText = memory
    session.pointee.info.upstreamTransportFailureReason = TransportFailureText.keep(
      failure.view, in: memory)
  }

  /// Another host when attempts are left, else the end.
  private func tcpRetry(_ session: TCPSessionRef) {
    if session.pointee.connectAttempts < session.pointee.config.pointee.maxConnectAttempts {
      tcpConnect(session)
      return
    }
    if let cluster = session.pointee.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.cxConnectAttemptsExceeded)
    }
    // Also when there was only one: so does Envoy.
    session.pointee.info.flags.insert(.upstreamRetryLimitExceeded)
    closeSession(session)
  }

  func tcpConnected(_ upstream: ConnectionRef) {
    guard let session = tcpSession(upstream) else { return }
    session.pointee.isConnected = true
    if let host = upstream.pointee.host { count(.connectedFinally, host) }
    session.pointee.info.upstreamConnected = now
    session.pointee.info.upstreamConnectionID = upstream.pointee.id
    if session.pointee.config.pointee.keepsUpstreamTLS, let tls = upstream.pointee.tls {
      session.pointee.info.upstreamTLS = withArena(session) { TLSConnection.facts(tls).pointee.copied(to: &$0) }
    }
    endWait(session)
    if let cluster = session.pointee.cluster {
      let stats = cluster.pointee.pointer.pointee.stats
      slab.increment(stats.rqTotal)
      slab.increment(stats.rqActive)
      if let host = session.pointee.host { slab.increment(host.pointee.pointer.pointee.stats.rqTotal) }
    }
    if let downstream = session.pointee.downstream { startReading(downstream) }
  }

  @inline(__always)
  private func tcpSession(_ connection: ConnectionRef) -> TCPSessionRef? {
    connection.pointee.session?.assumingMemoryBound(to: TCPSession.self)
  }

  private func other(_ session: TCPSessionRef, _ connection: ConnectionRef) -> ConnectionRef? {
    connection.pointee.role == .tcp ? session.pointee.upstream : session.pointee.downstream
  }

  // MARK: Bytes

  func tcpReceived(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let session = tcpSession(connection), let target = other(session, connection) else {
      segments.release(segment)
      return
    }
    session.pointee.lastActivityAt = now
    segments.park(segment, in: &target.pointee.output)
    markDirty(target)
    if connection.pointee.has(.isBulk) { beginSplice(from: connection, to: target) }
    if isOverLimit(target) {
      noteFlow(session, connection, isPaused: true)
      stopReading(connection)
    }
  }

  func tcpOutputUnblocked(_ connection: ConnectionRef) {
    guard let session = tcpSession(connection), let source = other(session, connection) else {
      return
    }
    noteFlow(session, source, isPaused: false)
    startReading(source)
  }

  private func noteFlow(_ session: TCPSessionRef, _ source: ConnectionRef, isPaused: Bool) {
    if source.pointee.role == .tcp {
      let stats = session.pointee.config.pointee.stats
      slab.increment(isPaused ? stats.flowPaused : stats.flowResumed)
    } else if let cluster = session.pointee.cluster {
      let stats = cluster.pointee.pointer.pointee.stats
      slab.increment(isPaused ? stats.flowPausedReading : stats.flowResumedReading)
    }
  }

  /// The client's bytes wait for the upstream side, in a pipe.
  func tcpNoteFlow(_ connection: ConnectionRef, isPaused: Bool) {
    if let session = tcpSession(connection) { noteFlow(session, connection, isPaused: isPaused) }
  }

  /// Bytes have gone past through a pipe.
  func tcpSpliced(_ connection: ConnectionRef, _ count: Int) {
    guard let session = tcpSession(connection) else { return }
    session.pointee.lastActivityAt = now
    endSpliceIfSmall(connection, count)
  }

  func tcpCount(_ connection: ConnectionRef, received count: Int) {
    guard let session = tcpSession(connection) else { return }
    session.pointee.info.bytesReceived &+= UInt64(count)
    session.pointee.info.downstreamWireBytesReceived &+= UInt64(count)
    slab.add(session.pointee.config.pointee.stats.cxRxBytes, UInt64(count))
  }

  func tcpCount(_ connection: ConnectionRef, sent count: Int) {
    guard let session = tcpSession(connection) else { return }
    session.pointee.lastActivityAt = now
    session.pointee.info.bytesSent &+= UInt64(count)
    session.pointee.info.downstreamWireBytesSent &+= UInt64(count)
    slab.add(session.pointee.config.pointee.stats.cxTxBytes, UInt64(count))
  }

  // MARK: The end

  func tcpReadEnded(_ connection: ConnectionRef) {
    guard let session = tcpSession(connection) else {
      close(connection, isLocal: false)
      return
    }
    if let target = other(session, connection) {
      shutdownAfterFlush(target)
      tcpFinishIfDone(session)
    } else if connection.pointee.role == .upstreamTCP || session.pointee.isConnected {
      closeSession(session)
    } else {
      // The client left before the upstream side was there.
      session.pointee.info.flags.insert(.downstreamConnectionTermination)
      closeSession(session)
    }
  }

  func tcpDrained(_ connection: ConnectionRef) {
    guard let session = tcpSession(connection) else { return }
    if let downstream = session.pointee.downstream, let upstream = session.pointee.upstream,
      downstream.pointee.has(.drains), upstream.pointee.has(.readEnded),
      !downstream.pointee.hasUnsent
    {
      // The answer is delivered and the proxy is leaving: no use in waiting for the client.
      closeSession(session)
      return
    }
    tcpFinishIfDone(session)
  }

  /// Both directions ended and everything is delivered.
  private func tcpFinishIfDone(_ session: TCPSessionRef) {
    guard let downstream = session.pointee.downstream, let upstream = session.pointee.upstream,
      downstream.pointee.has(.readEnded), upstream.pointee.has(.readEnded),
      !downstream.pointee.hasUnsent, !upstream.pointee.hasUnsent,
      downstream.pointee.input.head == nil, upstream.pointee.input.head == nil,
      !tlsHasRecord(downstream), !tlsHasRecord(upstream)
    else { return }
    closeSession(session)
  }

  /// The host has failed its checks, or was ejected.
  func tcpHostFailed(_ upstream: ConnectionRef) {
    guard let session = tcpSession(upstream), session.pointee.isConnected else { return }
    session.pointee.info.flags.insert(.upstreamConnectionTermination)
    noteHostFailed(session)
    closeSession(session)
  }

  func tcpFailed(_ connection: ConnectionRef, errno: Int32) {
    guard let session = tcpSession(connection) else {
      close(connection, isLocal: false)
      return
    }
    if connection.pointee.role == .tcp {
      session.pointee.info.flags.insert(.downstreamConnectionTermination)
    } else {
      session.pointee.info.flags.insert(errno == ECONNRESET ? .upstreamRemoteReset : .upstreamConnectionTermination)
      session.pointee.info.upstreamTransportFailureReason = ErrnoText.view(errno)
    }
    if let target = other(session, connection), target.pointee.hasUnsent,
      !target.pointee.has(.connecting)
    {
      // What was received is still delivered, for as long as the session itself might have waited.
      let patience = session.pointee.config.pointee.idleTimeoutNanoseconds
      if connection.pointee.role == .tcp {
        slab.increment(session.pointee.config.pointee.stats.flushTotal)
        detach(session, downstream: true)
      } else {
        detach(session, downstream: false)
      }
      endSession(session)
      close(connection, isLocal: false)
      closeAfterFlush(target, patience: patience)
      return
    }
    closeSession(session)
  }

  /// Takes both connections out of the session, so that what they still have to do is theirs alone.
  private func detach(_ session: TCPSessionRef, downstream isDownstream: Bool) {
    logConnection(of: session)
    if let upstream = session.pointee.upstream {
      if session.pointee.isConnected, let cluster = session.pointee.cluster {
        slab.decrement(cluster.pointee.pointer.pointee.stats.rqActive)
        upstream.pointee.flags.insert(.endsUnderRequest)
      }
      if session.pointee.isWaiting, let config = session.pointee.cluster?.pointee.pointer {
        endWait(session)
        slab.increment(config.pointee.stats.rqCancelled)
      }
      if isDownstream { upstream.pointee.session = nil }
      stopReading(upstream)
    }
    session.pointee.downstream?.pointee.session = nil
    session.pointee.upstream?.pointee.session = nil
    session.pointee.downstream.map { stopReading($0) }
    session.pointee.downstream = nil
    session.pointee.upstream = nil
  }

  /// Ends the session that a connection belongs to, or the connection alone.
  func closeTCP(_ connection: ConnectionRef) {
    if let session = tcpSession(connection) {
      closeSession(session)
    } else {
      close(connection, isLocal: true)
    }
  }

  func closeSession(_ session: TCPSessionRef) {
    let downstream = session.pointee.downstream
    let upstream = session.pointee.upstream
    let upstreamEnded = upstream.map { $0.pointee.has(.readEnded) } ?? false
    let downstreamEnded = downstream.map { $0.pointee.has(.readEnded) } ?? false
    detach(session, downstream: true)
    endSession(session)
    if let upstream { close(upstream, isLocal: !upstreamEnded) }
    if let downstream { close(downstream, isLocal: !downstreamEnded) }
  }

  /// Writes the record and gives the session back: before the client's connection closes, for with the last one its
  /// version of the listener is freed, and the log's format with it.
  private func endSession(_ session: TCPSessionRef) {
    session.pointee.info.end = now
    logTCP(session)
    setHost(session, nil)
    if let memory = session.pointee.failureText { failureTexts.give(memory) }
    session.pointee.arena?.reset()
    unpin(session.pointee.generation)
    session.deinitialize(count: 1)
    tcpSessions.give(session)
  }

  /// Idle and duration limits of the downstream connection.
  func tcpTimerFired(_ connection: ConnectionRef) {
    guard let session = tcpSession(connection) else { return }
    let config = session.pointee.config
    if connection.pointee.deadline > 0, now >= connection.pointee.deadline {
      if connection.pointee.has(.drains) {
        closeSession(session)
        return
      }
      slab.increment(config.pointee.stats.maxDuration)
      session.pointee.info.flags.insert(.durationTimeout)
      closeSession(session)
      return
    }
    let idle = config.pointee.idleTimeoutNanoseconds
    if idle > 0, now >= session.pointee.lastActivityAt &+ idle {
      slab.increment(config.pointee.stats.idleTimeout)
      session.pointee.info.flags.insert(.streamIdleTimeout)
      closeSession(session)
      return
    }
    if connection.pointee.deadline > 0 { ensureTimer(connection, by: connection.pointee.deadline) }
    if idle > 0 { ensureTimer(connection, by: session.pointee.lastActivityAt &+ idle) }
  }
}
