import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// The end of the request's way through the filters: a host, a connection, the exchange.
extension Worker {
  /// Sends the request to a cluster.
  func startUpstream(_ stream: HTTPStreamRef, cluster slot: UInt32, endsStream: Bool) {
    let stats = stream.pointee.manager.pointee.stats
    guard Int(slot) < clusters.count, let cluster = clusters[Int(slot)] else {
      slab.increment(stats.noCluster)
      noteNoCluster(stream)
      sendLocalReply(
        stream, status: stream.pointee.route.clusterNotFoundCode, body: .empty,
        details: "cluster_not_found", flags: [.noClusterFound])
      return
    }
    let config = cluster.pointee.pointer
    stream.pointee.upstream.cluster = cluster
    let name = clusterName(stream, config)
    stream.pointee.info.upstreamCluster = name
    stream.pointee.info.upstreamClusterRaw = name
    if config.pointee.refusesSome, refuses(stream, config) { return }
    let isRaw = !stream.pointee.flags.isDisjoint(with: [.isUpgrade, .terminatesConnect])
    stream.pointee.upstream.framing = isRaw ? .untilClose : requestFraming(stream, endsStream: endsStream)
    if endsStream { stream.pointee.upstream.requestEnded = true }
    // Before the route changes the headers.
    if config.pointee.hashesRequests { stream.pointee.upstream.hash = requestHash(stream, config.pointee.hashPolicies) }
    let policies = routePolicies(stream)
    planAttempts(stream, policies)
    prepareRequestHeaders(stream)
    if let policies, policies.pointee.hasMirrors {
      makeMirrors(stream, policies)
      attempt(stream)
      sendMirrors(stream)
    } else {
      attempt(stream)
    }
    if !stream.pointee.has(.finished), stream.pointee.has(.requestComplete) || stream.pointee.has(.isUpgrade) {
      startRouteTimer(stream)
    }
  }

  /// The cluster's name for as long as the stream lives. A stream of an older generation does not
  /// pin the worker's newer configuration of the cluster, which may go before the log record is written.
  private func clusterName(
    _ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>
  ) -> ByteView {
    stream.pointee.generation == generation
      ? config.pointee.name.view : stream.pointee.arena.copy(config.pointee.name.view)
  }

  /// How the body goes to the upstream: as it came.
  private func requestFraming(_ stream: HTTPStreamRef, endsStream: Bool) -> BodyFraming {
    if endsStream {
      // A filter may have taken the body away.
      if stream.pointee.requestFraming != .none { stream.pointee.request.remove(.contentLength) }
      // Methods that usually have content say that there is none (RFC 9110 section 8.6).
      if stream.pointee.requestMethod == .other || stream.pointee.requestMethod == .options,
        !stream.pointee.request.contains(.contentLength),
        stream.pointee.request.value(.method).map({ $0 != ByteView("TRACE") && $0 != ByteView("DELETE") }) ?? false
      {
        stream.pointee.request.append(.contentLength, ByteView("0"))
      }
      return .none
    }
    if let length = stream.pointee.request.value(.contentLength)?.decimal() {
      return .length(length)
    }
    return .chunked
  }

  /// One attempt: a host, and a connection to it or a place in its queue.
  func attempt(_ stream: HTTPStreamRef) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    guard let host = chooseHost(stream, cluster) else {
      failWithoutHost(stream, cluster)
      return
    }
    attempt(stream, on: host)
  }

  func failWithoutHost(_ stream: HTTPStreamRef, _ cluster: ClusterRef) {
    countAttempt(stream)
    recordUpstreamCode(stream, 503)
    noteNoHost(stream, cluster)
    sendLocalReply(
      stream, status: 503, body: ByteView("no healthy upstream"), details: "no_healthy_upstream",
      flags: [.noHealthyUpstream])
  }

  @inline(__always)
  func countAttempt(_ stream: HTTPStreamRef) {
    stream.pointee.upstream.attempts += 1
    stream.pointee.info.upstreamAttempts = stream.pointee.upstream.attempts
  }

  @inline(__always)
  func attempt(_ stream: HTTPStreamRef, on host: HostRef) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    countAttempt(stream)
    setHost(stream, host)
    if stream.pointee.has(.terminatesConnect) {
      connectTunnel(stream, host)
      return
    }
    guard let pool = pool(of: host, for: stream) else {
      slab.increment(cluster.pointee.pointer.pointee.stats.cxPoolOverflow)
      overflow(stream, .kinds)
      return
    }
    stream.pointee.upstream.pool = pool
    if stream.pointee.upstream.attempts == 1 || !takesNewConnection(stream), let connection = codecTakeConnection(pool) {
      attach(stream, connection)
      return
    }
    guard reservePool(pool) else {
      overflow(stream, .pools)
      return
    }
    let config = cluster.pointee.pointer
    guard breakers(stream, config).reservePending() else {
      releasePoolIfUnused(pool)
      slab.increment(config.pointee.stats.rqPendingOverflow)
      overflow(stream, .pending)
      return
    }
    slab.increment(config.pointee.stats.rqPendingTotal)
    slab.increment(config.pointee.stats.rqPendingActive)
    stream.pointee.upstream.state = .pending
    stream.pointee.upstream.pendingSince = now
    countActive(host)
    pool.pointee.pending.append(stream)
    connectPending(pool)
  }

  /// The last connection was dead, and so may be others.
  private func takesNewConnection(_ stream: HTTPStreamRef) -> Bool {
    guard stream.pointee.has(.wantsNewConnection) else { return false }
    stream.pointee.flags.remove(.wantsNewConnection)
    return true
  }

  /// By the client's protocol, the name to ask for or the priority, where these decide; nil when a host has too many kinds.
  @inline(__always)
  private func pool(of host: HostRef, for stream: HTTPStreamRef) -> PoolRef? {
    let config = host.pointee.cluster.pointee.pointer
    guard config.pointee.hasPools || isHighPriority(stream) else { return HostRuntime.mainPool(host) }
    return chosenPool(of: host, config, for: stream)
  }

  private func chosenPool(
    of host: HostRef, _ config: UnsafeMutablePointer<ClusterConfig>, for stream: HTTPStreamRef
  ) -> PoolRef? {
    let main = HostRuntime.mainPool(host)
    var isHTTP2 = main.pointee.isHTTP2
    switch config.pointee.upstreamProtocol {
    case .asDownstream: isHTTP2 = stream.pointee.info.version == .http2
    case .automatic: isHTTP2 = host.pointee.agreesOnHTTP2
    case .http1, .http2: break
    }
    var name = ByteView.empty
    if host.pointee.pointer.pointee.transport != 0, let header = config.pointee.nameHeader,
      let value = stream.pointee.request.value(name: header.view, known: config.pointee.nameHeaderKnown)
    {
      name = serverName(value)
    }
    return HostRuntime.pool(host, isHTTP2: isHTTP2, name: name, isHigh: isHighPriority(stream))
  }

  /// The part of a host header that a certificate can be for: no port, no dot at the end, no brackets.
  private func serverName(_ host: ByteView) -> ByteView {
    var name = host
    if name.count > 0, name[0] == UInt8(ascii: "[") {
      guard let end = name.firstIndex(of: UInt8(ascii: "]")) else { return .empty }
      return name.prefix(end).dropFirst(1)
    }
    if let colon = name.firstIndex(of: UInt8(ascii: ":")) { name = name.prefix(colon) }
    if name.count > 0, name[name.count - 1] == UInt8(ascii: ".") { name = name.prefix(name.count - 1) }
    return name
  }

  private func setHost(_ stream: HTTPStreamRef, _ host: HostRef) {
    if let old = stream.pointee.upstream.host {
      old.pointee.users -= 1
      if old != host { freeHostIfUnused(old) }
    }
    host.pointee.users += 1
    stream.pointee.upstream.host = host
    stream.pointee.info.upstreamHost = hostEndpoint(host)
    let name = host.pointee.pointer.pointee.hostname.view
    stream.pointee.info.upstreamHostName = name
    if let entry = stream.pointee.route.entry, case .automatic = entry.pointee.hostRewrite, !name.isEmpty {
      // The host that came is known since the first attempt.
      if stream.pointee.upstream.attempts == 1 {
        rewriteHost(stream, entry, name)
      } else {
        stream.pointee.request.set(.authority, name)
      }
    }
  }

  func isHighPriority(_ stream: HTTPStreamRef) -> Bool { stream.pointee.route.isHighPriority }

  /// The limits of the stream's priority.
  func breakers(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>)
    -> BreakerReference
  {
    BreakerReference(config: config, isHigh: isHighPriority(stream))
  }

  // MARK: Time

  /// The route's timeout runs from the end of the request.
  func startRouteTimer(_ stream: HTTPStreamRef) {
    let timeout = stream.pointee.route.timeoutNanoseconds
    guard timeout > 0, stream.pointee.routeDeadline == 0, !stream.pointee.has(.isTunnel) else { return }
    stream.pointee.routeDeadline = now &+ timeout
    ensureTimer(stream.pointee.connection, by: stream.pointee.routeDeadline)
  }

  func routeTimedOut(_ stream: HTTPStreamRef) {
    let branches = stream.pointee.upstream.plan.flatMap { $0.pointee.branches.isEmpty ? nil : $0 }
    if let branches { countBranchTimeouts(branches) }
    // Without an attempt of its own beside them it has nothing more to count.
    let isWaiting = branches != nil && stream.pointee.upstream.state == .backoff
    if !isWaiting { countAttemptTimeout(stream) }
    stream.pointee.info.flags.insert(.upstreamRequestTimeout)
    noteRouteTimeout(stream)
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.responseCodeDetails = ByteView("response_timeout")
      resetStream(stream, .cancel)
      return
    }
    requestTimedOut(stream, "response_timeout", isCounted: isWaiting)
  }

  func countAttemptTimeout(_ stream: HTTPStreamRef) {
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.rqTimeout)
      if let host = stream.pointee.upstream.host {
        slab.increment(host.pointee.pointer.pointee.stats.rqTimeout)
      }
    }
    let isCounted = stream.pointee.upstream.plan.map { $0.pointee.flags.contains(.isLate) } ?? false
    if stream.pointee.upstream.state == .active, !stream.pointee.has(.responseStarted), !isCounted { countTimeout(stream) }
    countRouteScopes(stream) { slab.increment($0.rqTimeout) }
  }

  /// Nothing came in time: 504, or what the caller wants instead.
  func requestTimedOut(_ stream: HTTPStreamRef, _ details: StaticString, isCounted: Bool = false) {
    if !isCounted { recordUpstreamCode(stream, 504) }
    let wantsOther = stream.pointee.has(.hasTimeoutAlt)
    sendLocalReply(
      stream, status: wantsOther ? 204 : 504, body: wantsOther ? .empty : ByteView("upstream request timeout"),
      details: details, flags: [.upstreamRequestTimeout])
  }
}
