import HTTP1
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
    stream.pointee.upstream.framing = requestFraming(stream, endsStream: endsStream)
    if endsStream { stream.pointee.upstream.requestEnded = true }
    prepareRequestHeaders(stream)
    attempt(stream)
    if !stream.pointee.has(.finished), stream.pointee.has(.requestComplete) {
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

  /// How the body goes to an HTTP/1 upstream: as it came.
  private func requestFraming(_ stream: HTTPStreamRef, endsStream: Bool) -> BodyFraming {
    if endsStream {
      // A filter may have taken the body away.
      if stream.pointee.requestFraming != .none { stream.pointee.request.remove(.contentLength) }
      // Methods that usually have content say that there is none (RFC 9110 section 8.6).
      if stream.pointee.requestMethod == .other || stream.pointee.requestMethod == .options,
        !stream.pointee.request.contains(.contentLength),
        stream.pointee.request.value(.method).map({ $0 != ByteView("TRACE") }) ?? false
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
  private func attempt(_ stream: HTTPStreamRef) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    stream.pointee.upstream.attempts += 1
    stream.pointee.info.upstreamAttempts = stream.pointee.upstream.attempts
    guard let host = chooseHost(cluster) else {
      recordUpstreamCode(stream, 503)
      sendLocalReply(
        stream, status: 503, body: ByteView("no healthy upstream"), details: "no_healthy_upstream",
        flags: [.noHealthyUpstream])
      return
    }
    setHost(stream, host)
    if let connection = host.pointee.idle {
      removeIdle(connection, host)
      attach(stream, connection)
      return
    }
    let config = cluster.pointee.pointer
    let limits = isHighPriority(stream) ? config.pointee.highLimits : config.pointee.normalLimits
    guard breakers(stream, config).reservePending(limits.pendingRequests) else {
      slab.increment(config.pointee.stats.rqPendingOverflow)
      overflow(stream)
      return
    }
    slab.increment(config.pointee.stats.rqPendingTotal)
    slab.increment(config.pointee.stats.rqPendingActive)
    stream.pointee.upstream.state = .pending
    stream.pointee.upstream.pendingSince = now
    enqueue(stream, host)
    connectPending(host)
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
    if let entry = stream.pointee.route.entry, case .automatic = entry.pointee.hostRewrite,
      !name.isEmpty
    {
      rewriteHost(stream, entry, name)
    }
  }

  private func isHighPriority(_ stream: HTTPStreamRef) -> Bool { stream.pointee.route.isHighPriority }

  /// The limits of the stream's priority.
  private func breakers(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>)
    -> BreakerReference
  {
    BreakerReference(
      shared: config.pointee.sharedReference, isHigh: isHighPriority(stream))
  }

  // MARK: Waiting for a connection

  private func enqueue(_ stream: HTTPStreamRef, _ host: HostRef) {
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
  private func dequeue(_ stream: HTTPStreamRef) {
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

  // MARK: The exchange

  /// Puts a request onto a connection that is free for it.
  private func attach(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
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

  private func writeRequest(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef,
    _ config: UnsafeMutablePointer<ClusterConfig>
  ) {
    var options: HTTP1Writer.RequestOptions = []
    let limit = config.pointee.maxRequestsPerConnection
    if limit > 0, connection.pointee.requestCount >= limit { options.insert(.connectionClose) }
    if config.pointee.usesProperCaseHeaders { options.insert(.properCase) }
    let size = HTTP1Writer.requestHeadSize(stream.pointee.request, options: options)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeRequestHead(
      stream.pointee.request, framing: stream.pointee.upstream.framing, options: options,
      to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(written)
    stream.pointee.info.upstreamHeaderBytesSent &+= UInt64(written)
    stream.pointee.upstream.headWritten = true
    markDirty(connection)
    if !stream.pointee.upstream.waitingBody.isEmpty || stream.pointee.upstream.requestEnded {
      var waiting = stream.pointee.upstream.waitingBody
      stream.pointee.upstream.waitingBody = SegmentQueue()
      writeRequestData(stream, connection, &waiting)
    }
  }

  /// Body bytes that have passed the filters.
  func routeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if stream.pointee.has(.finished) {
      segments.releaseAll(&data)
      return
    }
    if endsStream {
      stream.pointee.upstream.requestEnded = true
      startRouteTimer(stream)
    }
    switch stream.pointee.upstream.state {
    case .none, .pending:
      segments.park(&data, in: &stream.pointee.upstream.waitingBody)
      pauseIfOverLimit(stream)
    case .active:
      guard let connection = stream.pointee.upstream.connection else { return }
      writeRequestData(stream, connection, &data)
      if isOverLimit(connection), !stream.pointee.has(.pausedDownstream) {
        stream.pointee.flags.insert(.pausedDownstream)
        if let cluster = stream.pointee.upstream.cluster {
          slab.increment(cluster.pointee.pointer.pointee.stats.flowBackedUp)
        }
        slab.increment(stream.pointee.manager.pointee.stats.flowPaused)
        stopReading(stream.pointee.connection)
      }
    case .done:
      segments.releaseAll(&data)
    }
  }

  private func writeRequestData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    let before = connection.pointee.output.byteCount
    let count = data.byteCount
    if count > 0 { stream.pointee.upstream.bodySent = true }
    if stream.pointee.upstream.framing == .chunked {
      if count > 0 {
        let room = HTTP1Writer.chunkHeadSize
        let target = segments.reserve(room, in: &connection.pointee.output)
        let written = HTTP1Writer.writeChunkHead(UInt64(count), to: target)
        segments.unreserve(room - written, in: &connection.pointee.output)
        append(&data, to: &connection.pointee.output)
        segments.copy(ByteView(HTTP1Writer.chunkEnd), to: &connection.pointee.output)
      }
      if stream.pointee.upstream.requestEnded { writeRequestEnd(stream, connection) }
    } else {
      append(&data, to: &connection.pointee.output)
    }
    if stream.pointee.upstream.requestEnded { stream.pointee.info.upstreamRequestEnd = now }
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(
      connection.pointee.output.byteCount - before)
    markDirty(connection)
  }

  private func writeRequestEnd(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    let config = stream.pointee.upstream.cluster?.pointee.pointer
    guard stream.pointee.has(.hasRequestTrailers), config?.pointee.enableTrailers == true else {
      segments.copy(ByteView(HTTP1Writer.lastChunk), to: &connection.pointee.output)
      return
    }
    let size = HTTP1Writer.lastChunkSize(stream.pointee.requestTrailers)
    let target = segments.reserve(size, in: &connection.pointee.output)
    let written = HTTP1Writer.writeLastChunk(stream.pointee.requestTrailers, to: target)
    segments.unreserve(size - written, in: &connection.pointee.output)
  }

  func upstreamHTTP1OutputUnblocked(_ connection: ConnectionRef) {
    guard let stream = httpStream(connection) else { return }
    stream.pointee.lastActivityAt = now
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowDrained)
    }
    resumeRequest(stream)
  }

  func pauseUpstream(_ stream: HTTPStreamRef) {
    guard let connection = stream.pointee.upstream.connection,
      !stream.pointee.upstream.pausedUpstream
    else { return }
    stream.pointee.upstream.pausedUpstream = true
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowPausedReading)
    }
    stopReading(connection)
  }

  func resumeUpstream(_ stream: HTTPStreamRef) {
    guard stream.pointee.upstream.pausedUpstream,
      let connection = stream.pointee.upstream.connection
    else { return }
    stream.pointee.upstream.pausedUpstream = false
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.flowResumedReading)
    }
    startReading(connection)
  }

  // MARK: Endings

  /// A limit of the cluster refuses the request: fail fast.
  private func overflow(_ stream: HTTPStreamRef) {
    recordUpstreamCode(stream, 503)
    sendLocalReply(
      stream, status: 503,
      body: ByteView(
        "upstream connect error or disconnect/reset before headers. reset reason: overflow"),
      details: "upstream_reset_before_response_started{overflow}", flags: [.upstreamOverflow],
      decorate: { $0.append(.envoyOverloaded, ByteView("true")) })
  }

  /// The exchange broke before a response began: 503, or the client's connection closes when it had.
  func upstreamFailed(
    _ stream: HTTPStreamRef, flag: ResponseFlags, reason: StaticString,
    transportReason: ByteView = .empty, status: UInt16 = 503
  ) {
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.flags.formUnion(flag)
      stream.pointee.info.responseCodeDetails = details(
        stream, "upstream_reset_after_response_started{", reason, .empty)
      slab.increment(stream.pointee.manager.pointee.stats.resetAfterResponseStarted)
      resetStream(stream, isLocal: true)
      return
    }
    recordUpstreamCode(stream, status)
    let body = failureBody(stream, reason)
    let details = details(
      stream, "upstream_reset_before_response_started{", reason, transportReason)
    sendLocalReply(
      stream, status: status, body: body, details: details, flags: flag, decorate: nil)
  }

  /// What the client is told. The system's own reason is for the log and the details: it says more
  /// about our network than a client need know.
  private func failureBody(_ stream: HTTPStreamRef, _ reason: StaticString) -> ByteView {
    let start: StaticString =
      "upstream connect error or disconnect/reset before headers. reset reason: "
    var writer = ArenaText(
      stream, capacity: start.utf8CodeUnitCount + reason.utf8CodeUnitCount)
    writer.put(ByteView(start))
    writer.put(ByteView(reason))
    return writer.view
  }

  private func details(
    _ stream: HTTPStreamRef, _ prefix: StaticString, _ reason: StaticString, _ transport: ByteView
  ) -> ByteView {
    var writer = ArenaText(
      stream,
      capacity: prefix.utf8CodeUnitCount + reason.utf8CodeUnitCount + transport.count + 2)
    writer.put(ByteView(prefix))
    writer.put(ByteView(reason), replacingSpaces: true)
    if !transport.isEmpty {
      writer.put(ByteView("|"))
      writer.put(transport, replacingSpaces: true)
    }
    writer.put(ByteView("}"))
    return writer.view
  }

  func recordUpstreamCode(_ stream: HTTPStreamRef, _ code: UInt16) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    cluster.pointee.pointer.pointee.stats.codes.record(code, slab)
    countRouteScopes(stream) { $0.codes.record(code, slab) }
  }

  /// Lets go of whatever the stream has upstream. A connection in the middle of an exchange cannot
  /// be used again and closes.
  func abandonUpstream(_ stream: HTTPStreamRef) {
    switch stream.pointee.upstream.state {
    case .pending:
      if let cluster = stream.pointee.upstream.cluster {
        slab.increment(cluster.pointee.pointer.pointee.stats.rqCancelled)
      }
      dequeue(stream)
    case .active:
      if let connection = stream.pointee.upstream.connection {
        if let cluster = stream.pointee.upstream.cluster {
          slab.increment(cluster.pointee.pointer.pointee.stats.rqTxReset)
        }
        detach(stream, isSuccess: nil)
        close(connection, isLocal: true)
      }
    case .none, .done: break
    }
    stream.pointee.upstream.state = .done
    segments.releaseAll(&stream.pointee.upstream.waitingBody)
  }

  /// Ends the stream's use of its connection; the connection itself is the caller's.
  ///
  /// - Parameter isSuccess: For the host's statistics; nil counts neither way.
  func detach(_ stream: HTTPStreamRef, isSuccess: Bool?) {
    guard let connection = stream.pointee.upstream.connection,
      let cluster = stream.pointee.upstream.cluster, let host = stream.pointee.upstream.host
    else { return }
    let config = cluster.pointee.pointer
    slab.decrement(config.pointee.stats.rqActive)
    let hostStats = host.pointee.pointer.pointee.stats
    slab.decrement(hostStats.rqActive)
    if let isSuccess { slab.increment(isSuccess ? hostStats.rqSuccess : hostStats.rqError) }
    if stream.pointee.has(.holdsRequestUnit) {
      stream.pointee.flags.remove(.holdsRequestUnit)
      breakers(stream, config).releaseRequest()
    }
    if let splice = connection.pointee.feeds { releaseSource(splice) }
    connection.pointee.session = nil
    stream.pointee.upstream.connection = nil
    stream.pointee.upstream.state = .done
  }

  /// The connection died before a byte of the response came.
  ///
  /// A connection that had been idle may have been closed by the host before it saw the request: one
  /// that is safe to repeat goes once to a fresh connection (RFC 9110 section 9.2.2).
  func retryIfStale(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    guard connection.pointee.has(.isReused), !stream.pointee.upstream.anyByteReceived,
      !stream.pointee.upstream.bodySent, stream.pointee.upstream.attempts == 1,
      stream.pointee.upstream.framing == .none, isIdempotent(stream)
    else { return false }
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.rqRetry)
    }
    detach(stream, isSuccess: nil)
    close(connection, isLocal: false)
    stream.pointee.upstream.headWritten = false
    attempt(stream)
    return true
  }

  private func isIdempotent(_ stream: HTTPStreamRef) -> Bool {
    guard let method = stream.pointee.request.value(.method) else { return false }
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT"
      || method == "DELETE" || method == "TRACE"
  }

  // MARK: Time

  /// The route's timeout runs from the end of the request.
  func startRouteTimer(_ stream: HTTPStreamRef) {
    let timeout = stream.pointee.route.timeoutNanoseconds
    guard timeout > 0, stream.pointee.routeDeadline == 0 else { return }
    stream.pointee.routeDeadline = now &+ timeout
    ensureTimer(stream.pointee.connection, by: stream.pointee.routeDeadline)
  }

  func routeTimedOut(_ stream: HTTPStreamRef) {
    if let cluster = stream.pointee.upstream.cluster {
      slab.increment(cluster.pointee.pointer.pointee.stats.rqTimeout)
      if let host = stream.pointee.upstream.host {
        slab.increment(host.pointee.pointer.pointee.stats.rqTimeout)
      }
    }
    countRouteScopes(stream) { slab.increment($0.rqTimeout) }
    stream.pointee.info.flags.insert(.upstreamRequestTimeout)
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.responseCodeDetails = ByteView("response_timeout")
      resetStream(stream, isLocal: true)
      return
    }
    recordUpstreamCode(stream, 504)
    sendLocalReply(
      stream, status: stream.pointee.has(.hasTimeoutAlt) ? 204 : 504,
      body: stream.pointee.has(.hasTimeoutAlt) ? .empty : ByteView("upstream request timeout"),
      details: "response_timeout", flags: [.upstreamRequestTimeout])
  }
}

/// One priority's limits of a cluster, without a reference count.
struct BreakerReference {
  let shared: Unmanaged<ClusterShared>
  let isHigh: Bool

  func reservePending(_ limit: UInt32) -> Bool {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.pending.reserve(limit: limit) : $0.normal.pending.reserve(limit: limit)
    }
  }

  func releasePending() {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.pending.release() : $0.normal.pending.release()
    }
  }

  func reserveRequest(_ limit: UInt32) -> Bool {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.requests.reserve(limit: limit) : $0.normal.requests.reserve(limit: limit)
    }
  }

  func releaseRequest() {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.requests.release() : $0.normal.requests.release()
    }
  }
}

/// Text put together in a stream's arena.
struct ArenaText {
  private let base: UnsafeMutablePointer<UInt8>
  private let capacity: Int
  private var count = 0

  init(_ stream: HTTPStreamRef, capacity: Int) {
    base = stream.pointee.arena.allocate(max(1, capacity))
    self.capacity = capacity
  }

  /// Appends what fits.
  mutating func put(_ bytes: ByteView, replacingSpaces: Bool = false) {
    let taken = min(bytes.count, capacity - count)
    for i in 0..<taken {
      base[count + i] = replacingSpaces && bytes[i] == 32 ? 95 : bytes[i]
    }
    count += taken
  }

  var view: ByteView { ByteView(base, count) }
}
