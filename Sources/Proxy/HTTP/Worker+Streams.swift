import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// Streams begin with the first byte of a request and end with the last byte of the response.
extension Worker {
  @inline(__always)
  func httpStream(_ connection: ConnectionRef) -> HTTPStreamRef? {
    connection.pointee.session?.assumingMemoryBound(to: HTTPStream.self)
  }

  /// A stream that its codec has yet to link to the connection.
  func makeStream(
    _ connection: ConnectionRef, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) -> HTTPStreamRef {
    let stream = http.streams.take()
    stream.initialize(
      to: HTTPStream(
        at: stream, arena: Arena(pool: arenas), connection: connection, manager: manager,
        generation: generation))
    generation.pointee.streamCount &+= 1
    connection.pointee.requestCount &+= 1
    stream.pointee.lastActivityAt = now
    stream.pointee.idleTimeout = manager.pointee.streamIdleTimeout
    stream.pointee.info.start = now
    stream.pointee.info.startWallNanoseconds = wallNow
    stream.pointee.info.connectionID = connection.pointee.id
    stream.pointee.info.streamID = connection.pointee.id &+ UInt64(connection.pointee.requestCount) << 32
    stream.pointee.info.downstreamDirectRemote = peerEndpoint(connection)
    stream.pointee.info.downstreamRemote = clientEndpoint(connection)
    stream.pointee.info.downstreamLocal = localEndpoint(connection)
    noteTLS(connection, in: &stream.pointee.info)
    if let chain = connection.pointee.chain {
      stream.pointee.info.filterChainName = chain.pointee.name.view
    }
    if manager.pointee.requestTimeout > 0 {
      stream.pointee.requestDeadline = now &+ manager.pointee.requestTimeout
    }
    if manager.pointee.maxStreamDuration > 0 {
      stream.pointee.durationDeadline = now &+ manager.pointee.maxStreamDuration
    }
    return stream
  }

  /// The response is complete, or the stream failed: closes the stream's books.
  ///
  /// The memory is freed at the end of the turn; until then the stream is marked as finished.
  func endStream(_ stream: HTTPStreamRef) {
    guard !stream.pointee.has(.finished) else { return }
    stream.pointee.flags.insert(.finished)
    detachDownstream(stream)
    stream.pointee.info.end = now
    let manager = stream.pointee.manager
    let stats = manager.pointee.stats
    if stream.pointee.has(.requestHeadCounted) { slab.decrement(stats.rqActive) }
    if stream.pointee.has(.isUpgrade) { slab.decrement(stats.cxUpgradesActive) }
    if stream.pointee.has(.headDone) {
      slab.record(stats.rqTime, (now &- stream.pointee.info.start) / 1000)
    }
    tellFiltersOfEnd(stream)
    if let terminal = manager.pointee.terminalReference { terminal._withUnsafeGuaranteedRef { $0.streamEnded(self, stream) } }
    if stream.pointee.has(.headDone) || stream.pointee.info.responseCode > 0 { logStream(stream) }
    dropFilterTimers(stream)
    dropPlan(stream)
    if !stream.pointee.mirrors.isEmpty { dropMirrors(stream) }
    if let host = stream.pointee.upstream.host {
      host.pointee.users -= 1
      stream.pointee.upstream.host = nil
      freeHostIfUnused(host)
    }
    let filterCount = stream.pointee.filters.pointee.count
    stream.pointee.decoding.clear(filterCount: filterCount, segments: segments)
    stream.pointee.encoding.clear(filterCount: filterCount, segments: segments)
    segments.releaseAll(&stream.pointee.upstream.waitingBody)
    unpin(stream.pointee.generation)
    http.graveyard.append(stream)
  }

  @inline(__always)
  func tellFiltersOfEnd(_ stream: HTTPStreamRef) {
    guard stream.pointee.filters.pointee.watchesEnd else { return }
    let filters = stream.pointee.filters.pointee.filters
    for i in filters.indices {
      filters[i]._withUnsafeGuaranteedRef {
        if $0.interests.contains(.streamEnded) {
          $0.streamEnded(FilterContext(worker: self, stream: stream, index: i))
        }
      }
    }
  }

  func freeEndedStreams() {
    dropResumed()
    while let stream = http.graveyard.popLast() {
      stream.pointee.arena.reset()
      stream.deinitialize(count: 1)
      http.streams.give(stream)
    }
  }

  /// Both sides are done: ends the stream and says what becomes of the connection.
  func finishStreamIfDone(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.responseComplete), !stream.pointee.has(.finished) else { return }
    if !stream.pointee.has(.requestComplete), !stream.pointee.has(.isHTTP2) || stream.pointee.has(.responseFlushed) {
      // The answer is out and the client still sends.
      slab.increment(stream.pointee.manager.pointee.stats.rqResponseBeforeComplete)
    }
    abandonUpstream(stream)
    codecFinish(stream)
  }

  /// The exchange cannot be finished: the client is told by the end of the stream.
  ///
  /// - Parameter code: What an HTTP/2 client is told.
  func resetStream(_ stream: HTTPStreamRef, _ code: HTTP2Code) {
    guard !stream.pointee.has(.finished) else { return }
    slab.increment(stream.pointee.manager.pointee.stats.rqTxReset)
    abandonUpstream(stream)
    codecReset(stream, code)
  }

  // MARK: Time

  /// Makes sure that the stream's next deadline is looked at.
  func scheduleStreamTimer(_ stream: HTTPStreamRef) {
    var next = UInt64.max
    @inline(__always) func consider(_ deadline: UInt64) {
      if deadline > 0, deadline < next { next = deadline }
    }
    consider(stream.pointee.headersDeadline)
    consider(stream.pointee.requestDeadline)
    consider(stream.pointee.routeDeadline)
    consider(stream.pointee.durationDeadline)
    consider(stream.pointee.flushDeadline)
    if let plan = stream.pointee.upstream.plan {
      consider(plan.pointee.perTryDeadline)
      consider(plan.pointee.backoffDeadline)
    }
    consider(stream.pointee.upstream.durationDeadline)
    if stream.pointee.upstream.perTryIdleTimeout > 0 { consider(perTryIdleDeadline(stream)) }
    if stream.pointee.idleTimeout > 0 {
      next = min(next, stream.pointee.lastActivityAt &+ stream.pointee.idleTimeout)
    }
    if next < .max { ensureTimer(stream.pointee.connection, by: next) }
  }

  /// Looks at a stream's deadlines; true when one of them ended it.
  func streamTimerFired(_ stream: HTTPStreamRef) -> Bool {
    let stats = stream.pointee.manager.pointee.stats
    if stream.pointee.has(.isHTTP2), stream.pointee.has(.responseComplete) {
      // Only the client's slowness is left to time.
      guard isDue(stream.pointee.flushDeadline) else {
        if stream.pointee.flushDeadline > 0 {
          ensureTimer(stream.pointee.connection, by: stream.pointee.flushDeadline)
        }
        return false
      }
      http2FlushTimedOut(stream)
      return true
    }
    if isDue(stream.pointee.headersDeadline), !stream.pointee.has(.headDone) {
      slab.increment(stats.rqHeaderTimeout)
      sendLocalReply(
        stream, status: 408, body: ByteView("request header timeout"),
        details: "request_header_timeout", flags: [.durationTimeout])
      return true
    }
    if isDue(stream.pointee.requestDeadline), !stream.pointee.has(.requestComplete) {
      slab.increment(stats.rqTimeout)
      sendLocalReply(
        stream, status: 408, body: ByteView("request timeout"),
        details: "request_overall_timeout", flags: [.durationTimeout])
      return true
    }
    if isDue(stream.pointee.durationDeadline) {
      slab.increment(stats.rqMaxDurationReached)
      noteStreamTimeout(stream, isIdle: false)
      let hadHead = stream.pointee.has(.responseStarted)
      if hadHead {
        stream.pointee.info.flags.insert(.durationTimeout)
        stream.pointee.info.responseCodeDetails = ByteView("max_duration_timeout")
        resetStream(stream, .cancel)
      } else {
        sendLocalReply(
          stream, status: stream.pointee.has(.requestComplete) ? 504 : 408,
          body: ByteView("downstream duration timeout"), details: "max_duration_timeout",
          flags: [.durationTimeout], grpcStatus: .deadlineExceeded)
      }
      return true
    }
    if isDue(stream.pointee.routeDeadline) {
      routeTimedOut(stream)
      return true
    }
    if attemptTimerFired(stream) { return true }
    if stream.pointee.idleTimeout > 0,
      now >= stream.pointee.lastActivityAt &+ stream.pointee.idleTimeout
    {
      slab.increment(stats.rqIdleTimeout)
      noteStreamTimeout(stream, isIdle: true)
      stream.pointee.info.flags.insert(.streamIdleTimeout)
      if stream.pointee.has(.responseStarted) {
        stream.pointee.info.responseCodeDetails = ByteView("stream_idle_timeout")
        resetStream(stream, .cancel)
      } else {
        // 504 when the whole request had come and the upstream stayed silent.
        sendLocalReply(
          stream, status: stream.pointee.has(.requestComplete) ? 504 : 408,
          body: ByteView("stream timeout"), details: "stream_idle_timeout",
          flags: [.streamIdleTimeout])
      }
      return true
    }
    scheduleStreamTimer(stream)
    return false
  }

  /// Looks at what may end an attempt, or a wait between two; true when that ended the stream.
  @inline(__always)
  private func attemptTimerFired(_ stream: HTTPStreamRef) -> Bool {
    if let plan = stream.pointee.upstream.plan {
      if isDue(plan.pointee.backoffDeadline) {
        attemptDue(stream, plan)
      } else if isDue(plan.pointee.perTryDeadline) {
        perTryTimedOut(stream)
      }
    }
    if isDue(stream.pointee.upstream.durationDeadline) { attemptTookTooLong(stream) }
    if stream.pointee.upstream.perTryIdleTimeout > 0, isDue(perTryIdleDeadline(stream)) { perTryIdleTimedOut(stream) }
    return stream.pointee.has(.finished)
  }

  private func perTryIdleDeadline(_ stream: HTTPStreamRef) -> UInt64 {
    max(stream.pointee.lastActivityAt, stream.pointee.info.upstreamRequestStart) &+ stream.pointee.upstream.perTryIdleTimeout
  }

  @inline(__always)
  private func isDue(_ deadline: UInt64) -> Bool { deadline > 0 && now >= deadline }
}
