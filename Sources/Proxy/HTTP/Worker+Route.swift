import HTTP1
import HTTPCore
import Primitives
import Routing
import Stats

/// From a request to its route, and what the route does.
extension Worker {
  /// Finds the route; filters see it, the router acts on it.
  func chooseRoute(_ stream: HTTPStreamRef) {
    let slot = Int(stream.pointee.manager.pointee.routeTable)
    let tables = stream.pointee.generation.pointee.routeTables
    guard slot < tables.count, let frozen = tables[slot]?.pointer else { return }
    let match = matchRoute(stream, frozen)
    stream.pointee.route.table = frozen
    stream.pointee.route.outcome = match.outcome
    stream.pointee.route.virtualHost = match.virtualHost
    if match.virtualHost >= 0 {
      stream.pointee.info.virtualHostName =
        frozen.pointee.lookup.virtualHost(match.virtualHost).pointee.name
    }
    guard match.outcome == .route else {
      stream.pointee.route.disabledFilters = stream.pointee.filters.pointee.disabled
      return
    }
    let entry = frozen.pointee.lookup.route(match.route)
    stream.pointee.route.index = match.route
    stream.pointee.route.entry = entry
    stream.pointee.info.routeName = entry.pointee.name
    if case .weighted = entry.pointee.target {
      stream.pointee.route.weighted = frozen.pointee.lookup.chooseWeightedCluster(
        route: match.route,
        random: (entry.pointee.selectsByHash ? requestHash(stream) : nil) ?? random.next(),
        headers: requestMap(stream))
    }
    if frozen.pointee.hasDisabledFilters { findDisabledFilters(stream) }
    if !frozen.pointee.virtualClusterStats.buffer.isEmpty {
      let cluster = frozen.pointee.lookup.virtualCluster(
        virtualHost: match.virtualHost, headers: requestMap(stream))
      stream.pointee.route.virtualCluster = cluster
      stream.pointee.info.virtualClusterName =
        cluster >= 0 ? frozen.pointee.lookup.virtualClusterName(cluster) : ByteView("other")
    }
    applyRouteTimes(stream, entry)
  }

  /// What a table says of the request as it is now.
  @inline(__always)
  func matchRoute(_ stream: HTTPStreamRef, _ table: UnsafeMutablePointer<RouteTableConfig>) -> RouteMatch {
    table.pointee.lookup.match(
      host: stream.pointee.request.value(.authority), path: stream.pointee.request.value(.path),
      headers: requestMap(stream), random: stableRandom(stream),
      isInternal: stream.pointee.has(.isInternal), certificate: clientCertificate(stream.pointee.connection),
      arena: &stream.pointee.arena)
  }

  @inline(__always)
  private func clientCertificate(_ connection: ConnectionRef) -> ClientCertificate {
    guard connection.pointee.has(.isTLS), let tls = connection.pointee.tls, tls.pointee.peer != nil else { return [] }
    return tls.pointee.isPeerValidated ? [.presented, .validated] : .presented
  }

  /// Counts an exchange for the request's virtual cluster and for its route, where they have
  /// statistics of their own.
  func countRouteScopes(_ stream: HTTPStreamRef, _ count: (RouteScopeStats) -> Void) {
    guard let table = stream.pointee.route.table, stream.pointee.route.index >= 0 else { return }
    let routes = table.pointee.routeStats.buffer
    if Int(stream.pointee.route.index) < routes.count,
      let stats = routes[Int(stream.pointee.route.index)]
    {
      count(stats)
    }
    let clusters = table.pointee.virtualClusterStats.buffer
    let others = table.pointee.otherClusterStats.buffer
    let host = Int(stream.pointee.route.virtualHost)
    guard host < others.count, let other = others[host] else { return }
    let index = stream.pointee.route.virtualCluster
    if index >= 0, Int(index) < clusters.count { count(clusters[Int(index)]) } else { count(other) }
  }

  /// A value that stays the same for the stream, and at every hop when the request has an id.
  private func stableRandom(_ stream: HTTPStreamRef) -> UInt64 {
    if let stable = RequestID.stableRandom(stream.pointee.request.value(.xRequestID)) {
      // Spread over any denominator up to a million as evenly as 10,000 values can be.
      return UInt64(stable) &* 100 &+ UInt64(stream.pointee.info.streamID % 100)
    }
    return random.next()
  }

  func findDisabledFilters(_ stream: HTTPStreamRef) {
    let count = min(64, stream.pointee.filters.pointee.count)
    var disabled: UInt64 = 0
    for i in 0..<count where stream.pointee.route.filterConfig(i) is DisabledFilter {
      disabled |= 1 << UInt64(i)
    }
    stream.pointee.route.disabledFilters = disabled
  }

  private func applyRouteTimes(_ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>) {
    let timeout =
      entry.pointee.timeoutMilliseconds.map { $0 &* 1_000_000 }
      ?? RouteChoice.defaultTimeoutNanoseconds
    stream.pointee.route.timeoutNanoseconds = timeout
    if let idle = entry.pointee.idleTimeoutMilliseconds {
      stream.pointee.idleTimeout = idle &* 1_000_000
      scheduleStreamTimer(stream)
    }
    if entry.pointee.grpcTimeoutMaxMilliseconds != nil, applyGRPCDuration(stream, entry) {
      // The client's own deadline counts instead of the route's and the listener's.
    } else if let limit = entry.pointee.maxStreamDurationMilliseconds {
      if limit == 0 {
        stream.pointee.durationDeadline = 0
      } else {
        limitDuration(stream, milliseconds: limit)
      }
    }
  }

  /// False: the request does not say, or its word is no duration but the route's timeout (``takesGRPCTimeout(_:)``).
  private func applyGRPCDuration(_ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>) -> Bool {
    guard !entry.pointee.grpcTimeoutIsTimeout,
      let asked = stream.pointee.request.value(.grpcTimeout).flatMap({ GRPC.timeoutMilliseconds($0) }),
      let duration = entry.pointee.grpcDuration(asked: asked)
    else { return false }
    limitDuration(stream, milliseconds: duration)
    return true
  }

  private func limitDuration(_ stream: HTTPStreamRef, milliseconds: UInt64) {
    stream.pointee.durationDeadline = stream.pointee.info.start &+ milliseconds &* 1_000_000
    scheduleStreamTimer(stream)
    if stream.pointee.has(.isGRPC) { setGRPCTimeout(stream, milliseconds: milliseconds) }
  }

  /// Whether `max_grpc_timeout` is about the request: filters may have made gRPC of it.
  @inline(__always)
  func takesGRPCTimeout(_ stream: HTTPStreamRef) -> Bool {
    guard let entry = stream.pointee.route.entry, entry.pointee.grpcTimeoutIsTimeout else { return false }
    return stream.pointee.request.value(.contentType).map { GRPC.isGRPC(contentType: $0) } ?? false
  }

  /// The upstream learns how much time it has.
  func setGRPCTimeout(_ stream: HTTPStreamRef, milliseconds: UInt64) {
    let text = stream.pointee.arena.allocate(GRPC.timeoutBytesMax)
    let count = GRPC.writeTimeout(milliseconds: milliseconds, to: text)
    stream.pointee.request.set(.grpcTimeout, ByteView(text, count))
  }

  /// The cluster that the route leads to, once a request is there; nil when there is none.
  func routeCluster(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<ClusterConfig>? {
    guard let entry = stream.pointee.route.entry, entry.pointee.kind == .forward,
      let slot = targetCluster(stream, entry), Int(slot) < clusters.count
    else { return nil }
    return clusters[Int(slot)]?.pointee.pointer
  }

  // MARK: The router

  /// All filters have let the request's headers pass.
  func routeRequest(_ stream: HTTPStreamRef, endsStream: Bool) {
    let stats = stream.pointee.manager.pointee.stats
    if stream.pointee.route.outcome == .tlsRedirect {
      slab.increment(stats.redirect)
      redirectToTLS(stream)
      return
    }
    guard let entry = stream.pointee.route.entry, let table = stream.pointee.route.table else {
      slab.increment(stats.noRoute)
      sendLocalReply(
        stream, status: 404, body: .empty, details: "route_not_found", flags: [.noRouteFound])
      return
    }
    switch entry.pointee.kind {
    case .directResponse:
      slab.increment(stats.directResponse)
      sendLocalReply(
        stream, status: entry.pointee.status, body: entry.pointee.body,
        details: "direct_response", flags: [])
    case .redirect:
      // Envoy counts redirects among the direct responses, and so do its dashboards.
      slab.increment(stats.directResponse)
      let location = table.pointee.lookup.redirectLocation(
        route: stream.pointee.route.index,
        scheme: stream.pointee.request.value(.scheme) ?? ByteView("http"),
        host: stream.pointee.request.value(.authority) ?? .empty,
        path: stream.pointee.request.value(.path) ?? ByteView("/"),
        arena: &stream.pointee.arena)
      sendLocalReply(
        stream, status: entry.pointee.status, body: .empty, details: "direct_response", flags: [],
        decorate: { $0.append(.location, location) })
    case .forward:
      slab.increment(stats.routerTotal)
      forward(stream, entry, endsStream: endsStream)
    }
  }

  private func forward(
    _ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>, endsStream: Bool
  ) {
    guard let slot = targetCluster(stream, entry) else {
      noCluster(stream)
      return
    }
    if terminatesConnect(stream, entry) { stream.pointee.flags.insert(.terminatesConnect) }
    startUpstream(stream, cluster: slot, endsStream: endsStream)
  }

  /// Slot of the cluster that the route names; nil when it names none that there is.
  private func targetCluster(
    _ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>
  ) -> UInt32? {
    guard let table = stream.pointee.route.table else { return nil }
    switch entry.pointee.target {
    case .cluster(let slot): return slot
    case .weighted:
      guard stream.pointee.route.weighted >= 0 else { return nil }
      return table.pointee.lookup.weightedCluster(stream.pointee.route.weighted).pointee.cluster
    case .clusterHeader:
      guard
        let name = table.pointee.lookup.clusterName(
          route: stream.pointee.route.index, headers: requestMap(stream))
      else { return nil }
      return stream.pointee.generation.pointee.clusterNames._withUnsafeGuaranteedRef {
        $0.find(name)
      }
    }
  }

  private func noCluster(_ stream: HTTPStreamRef) {
    slab.increment(stream.pointee.manager.pointee.stats.noCluster)
    noteNoCluster(stream)
    sendLocalReply(
      stream, status: stream.pointee.route.clusterNotFoundCode, body: .empty,
      details: "cluster_not_found", flags: [.noClusterFound])
  }

  private func redirectToTLS(_ stream: HTTPStreamRef) {
    let location = RouteLookup.tlsRedirectLocation(
      host: stream.pointee.request.value(.authority) ?? .empty,
      path: stream.pointee.request.value(.path) ?? ByteView("/"), arena: &stream.pointee.arena)
    sendLocalReply(
      stream, status: 301, body: .empty, details: "direct_response", flags: [],
      decorate: { $0.append(.location, location) })
  }

  // MARK: Headers on their way through the router

  /// What the route changes about the request, and what the router tells the upstream.
  func prepareRequestHeaders(_ stream: HTTPStreamRef) {
    guard let table = stream.pointee.route.table, let entry = stream.pointee.route.entry else {
      return
    }
    applyTimeoutHeaders(stream)
    let lookup = table.pointee.lookup
    let index = stream.pointee.route.index
    let path = stream.pointee.request.value(.path)
    // The host may be made from the path as it came.
    let newHost = rewrittenHost(stream, lookup, path: path ?? ByteView("/"))
    if entry.pointee.rewritesPath, let path,
      let rewritten = lookup.rewrittenPath(route: index, path: path, arena: &stream.pointee.arena)
    {
      if !stream.pointee.manager.pointee.suppressEnvoyHeaders {
        stream.pointee.request.set(.envoyOriginalPath, path)
      }
      stream.pointee.request.set(.path, rewritten)
    }
    if let newHost { rewriteHost(stream, entry, newHost) }
    if lookup.virtualHost(stream.pointee.route.virtualHost).pointee.includesRequestAttemptCount {
      stream.pointee.request.set(.envoyAttemptCount, ByteView("1"))
    }
    lookup.mutateRequest(
      route: index, weightedCluster: stream.pointee.route.weighted, headers: requestMap(stream),
      arena: arena(stream), context: formatContext(stream))
  }

  private func rewrittenHost(
    _ stream: HTTPStreamRef, _ lookup: RouteLookup, path: ByteView
  ) -> ByteView? {
    lookup.rewrittenHost(
      route: stream.pointee.route.index, weightedCluster: stream.pointee.route.weighted,
      path: path, headers: requestMap(stream), arena: &stream.pointee.arena)
  }

  /// Replaces the host and keeps the one that came.
  func rewriteHost(
    _ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>, _ newHost: ByteView
  ) {
    let host = stream.pointee.request.value(.authority) ?? .empty
    if entry.pointee.appendsXForwardedHost { appendForwardedHost(stream, host) }
    if !stream.pointee.manager.pointee.suppressEnvoyHeaders {
      stream.pointee.request.set(.envoyOriginalHost, host)
    }
    stream.pointee.request.set(.authority, newHost)
  }

  private func appendForwardedHost(_ stream: HTTPStreamRef, _ host: ByteView) {
    guard let existing = stream.pointee.request.value(.xForwardedHost) else {
      stream.pointee.request.append(.xForwardedHost, host)
      return
    }
    var text = ArenaText(stream, capacity: existing.count + host.count + 1)
    text.put(existing)
    text.put(ByteView(","))
    text.put(host)
    stream.pointee.request.set(.xForwardedHost, text.view)
  }

  /// Timeouts that an internal caller asks for, and what the upstream is told of them.
  private func applyTimeoutHeaders(_ stream: HTTPStreamRef) {
    let takesGRPCTimeout = takesGRPCTimeout(stream)
    if takesGRPCTimeout, let entry = stream.pointee.route.entry {
      let asked = stream.pointee.request.value(.grpcTimeout).flatMap { GRPC.timeoutMilliseconds($0) }
      stream.pointee.route.timeoutNanoseconds = entry.pointee.grpcTimeout(asked: asked) &* 1_000_000
    }
    if stream.pointee.manager.pointee.respectsExpectedTimeout,
      let text = stream.pointee.request.value(.envoyExpectedRqTimeoutMs), let milliseconds = text.decimal(limit: 1 << 40)
    {
      // The proxy that the caller went through has made this of what the caller wanted.
      stream.pointee.route.timeoutNanoseconds = milliseconds &* 1_000_000
      stream.pointee.route.isTimeoutAsked = true
    } else if let text = stream.pointee.request.value(.envoyUpstreamRqTimeoutMs) {
      if let milliseconds = text.decimal(limit: 1 << 40) {
        stream.pointee.route.timeoutNanoseconds = milliseconds &* 1_000_000
        stream.pointee.route.isTimeoutAsked = true
      }
      stream.pointee.request.remove(.envoyUpstreamRqTimeoutMs)
    }
    if stream.pointee.request.contains(.envoyUpstreamRqTimeoutAltResponse) {
      stream.pointee.flags.insert(.hasTimeoutAlt)
      stream.pointee.request.remove(.envoyUpstreamRqTimeoutAltResponse)
    }
    let timeout = stream.pointee.route.timeoutNanoseconds
    // An attempt of its own time has less.
    let plan = stream.pointee.upstream.plan
    let attempt = plan.map { $0.pointee.flags.contains(.hedges) ? 0 : $0.pointee.perTryTimeout } ?? 0
    let expected = attempt > 0 && (timeout == 0 || attempt < timeout) ? attempt : timeout
    if stream.pointee.manager.pointee.suppressEnvoyHeaders {
      stream.pointee.request.remove(.envoyExpectedRqTimeoutMs)
    } else if expected > 0 {
      stream.pointee.request.set(
        .envoyExpectedRqTimeoutMs, stream.pointee.request.decimal(expected / 1_000_000))
    }
    if expected > 0, takesGRPCTimeout { setGRPCTimeout(stream, milliseconds: expected / 1_000_000) }
  }

  /// What the router adds to a response from upstream.
  func prepareResponseHeaders(_ stream: HTTPStreamRef) {
    let manager = stream.pointee.manager
    // Nothing to say of a request that is still coming.
    if !manager.pointee.suppressEnvoyHeaders, stream.pointee.info.requestEnd > 0 {
      let spent = (now &- stream.pointee.info.requestEnd) / 1_000_000
      stream.pointee.response.set(
        .envoyUpstreamServiceTime, stream.pointee.response.decimal(spent))
    }
    tellAttempts(stream)
    stream.pointee.info.responseCode = stream.pointee.upstream.head.status
    // A proxy behind this one has told it to us, not to whoever is outside.
    if !stream.pointee.has(.isInternal) { stream.pointee.response.remove(.apusFailure) }
    if stream.pointee.route.cookies != nil { setCookies(stream) }
    mutateResponse(stream)
  }

  /// `include_attempt_count_in_response`
  private func tellAttempts(_ stream: HTTPStreamRef) {
    guard stream.pointee.route.virtualHost >= 0, let table = stream.pointee.route.table,
      table.pointee.lookup.virtualHost(stream.pointee.route.virtualHost).pointee.includesAttemptCountInResponse
    else { return }
    stream.pointee.response.set(
      .envoyAttemptCount, stream.pointee.response.decimal(UInt64(stream.pointee.upstream.attempts)))
  }

  /// A reply of the proxy gets the route's response headers too.
  func finalizeLocalReplyHeaders(_ stream: HTTPStreamRef) {
    if stream.pointee.upstream.attempts > 0 { tellAttempts(stream) }
    mutateResponse(stream)
  }

  private func mutateResponse(_ stream: HTTPStreamRef) {
    guard let table = stream.pointee.route.table, stream.pointee.route.entry != nil else { return }
    table.pointee.lookup.mutateResponse(
      route: stream.pointee.route.index, weightedCluster: stream.pointee.route.weighted,
      headers: responseMap(stream), arena: arena(stream), context: formatContext(stream))
  }
}
