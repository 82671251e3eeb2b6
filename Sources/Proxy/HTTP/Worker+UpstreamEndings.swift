import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// How a request and its connection part: refused, failed, abandoned or done.
extension Worker {
  /// A limit of the cluster refuses the request: fail fast.
  func overflow(_ stream: HTTPStreamRef, _ refusal: Refusal) {
    recordUpstreamCode(stream, 503)
    if isRefusedHedged(stream) { return }
    noteOverflow(stream, refusal)
    sendLocalReply(
      stream, status: 503,
      body: ByteView(
        "upstream connect error or disconnect/reset before headers. reset reason: overflow"),
      details: "upstream_reset_before_response_started{overflow}", flags: [.upstreamOverflow],
      decorate: overloaded(stream))
  }

  /// Says that others had better come later, unless nothing of that kind is to be said.
  private func overloaded(_ stream: HTTPStreamRef) -> ((inout HeaderMap) -> Void)? {
    stream.pointee.manager.pointee.suppressEnvoyHeaders ? nil : { $0.append(.envoyOverloaded, ByteView("true")) }
  }

  /// Answers the share of requests that somebody wants answered without a host; false for the others.
  func refuses(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>) -> Bool {
    if config.pointee.maintenancePercent > 0, random.below(100) < config.pointee.maintenancePercent {
      slab.increment(config.pointee.stats.rqMaintenanceMode)
      recordUpstreamCode(stream, 503)
      noteRefusal(
        stream, setting: "runtime key upstream.maintenance_mode", perMillion: config.pointee.maintenancePercent * 10_000)
      sendLocalReply(
        stream, status: 503, body: ByteView("maintenance mode"), details: "maintenance_mode",
        flags: [.upstreamOverflow], decorate: overloaded(stream))
      return true
    }
    return config.pointee.dropsPerMillion > 0 && drops(stream, config)
  }

  /// What the cluster's control plane wants dropped.
  private func drops(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>) -> Bool {
    let share = config.pointee.dropsPerMillion
    let isAll = share >= 1_000_000
    guard isAll || random.below(1_000_000) < share else { return false }
    slab.increment(config.pointee.stats.rqDropOverload)
    recordUpstreamCode(stream, 503)
    noteRefusal(stream, setting: "drop_overloads", perMillion: min(share, 1_000_000))
    let suppresses = stream.pointee.manager.pointee.suppressEnvoyHeaders
    sendLocalReply(
      stream, status: 503, body: isAll ? ByteView("unconditional drop overload") : ByteView("drop overload"),
      details: isAll ? "unconditional_drop_overload" : "drop_overload",
      flags: isAll ? .unconditionalDropOverload : .dropOverload
    ) {
      guard !suppresses else { return }
      $0.append(
        name: isAll ? ByteView("x-envoy-unconditional-drop-overload") : ByteView("x-envoy-drop-overload"),
        value: ByteView("true"), known: .other)
    }
    return true
  }

  /// The exchange broke before a response began: 503, or the client's connection closes when it had.
  func upstreamFailed(_ stream: HTTPStreamRef, _ failure: AttemptFailure) {
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.flags.formUnion(failure.flag)
      stream.pointee.info.responseCodeDetails = details(
        stream, "upstream_reset_after_response_started{", failure.reason, .empty)
      slab.increment(stream.pointee.manager.pointee.stats.resetAfterResponseStarted)
      resetStream(stream, stream.pointee.has(.isTunnel) ? .connectError : .internalError)
      return
    }
    recordUpstreamCode(stream, failure.status)
    let body = failureBody(stream, failure.reason)
    let details = details(
      stream, "upstream_reset_before_response_started{", failure.reason, failure.transport)
    sendLocalReply(
      stream, status: failure.status, body: body, details: details, flags: failure.flag, decorate: nil)
  }

  /// What the client is told. The system's own reason is for the log and the details: it says more
  /// about our network than a client need know.
  private func failureBody(_ stream: HTTPStreamRef, _ reason: StaticString) -> ByteView {
    let isRepeated = stream.pointee.upstream.plan.map { $0.pointee.repeats > 0 } ?? false
    let start: StaticString =
      isRepeated
      ? "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: "
      : "upstream connect error or disconnect/reset before headers. reset reason: "
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
    guard let config = stream.pointee.upstream.cluster?.pointee.pointer else { return }
    config.pointee.stats.codes.record(code, slab)
    countKinds(stream, config) { $0.codes.record(code, slab) }
    countRouteScopes(stream) { $0.codes.record(code, slab) }
  }

  /// Counts in the statistics of each kind that the request is of.
  @inline(__always)
  private func countKinds(
    _ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>, _ count: (borrowing RequestKindStats) -> Void
  ) {
    if stream.pointee.has(.isInternal) {
      count(config.pointee.stats.internalRequests)
    } else {
      count(config.pointee.stats.externalRequests)
    }
    guard let host = stream.pointee.upstream.host?.pointee.pointer else { return }
    if host.pointee.labels.isCanary || stream.pointee.response.value(.envoyUpstreamCanary) == ByteView("true") {
      count(config.pointee.stats.canaryRequests)
    }
    if let zone = host.pointee.zoneStats { count(zone) }
  }

  /// The last byte of the response is here.
  func responseReceived(_ stream: HTTPStreamRef) {
    stream.pointee.info.upstreamResponseEnd = now
    guard let config = stream.pointee.upstream.cluster?.pointee.pointer else { return }
    let spent = (now &- stream.pointee.info.upstreamRequestStart) / 1000
    slab.record(config.pointee.stats.rqTime, spent)
    countKinds(stream, config) { slab.record($0.rqTime, spent) }
    countRouteScopes(stream) { slab.record($0.rqTime, spent) }
  }

  /// Lets go of whatever the stream has upstream.
  func abandonUpstream(_ stream: HTTPStreamRef) {
    leaveUpstream(stream)
    dropPlan(stream)
    if stream.pointee.has(.holdsOwnRepeat) { releaseOwnRepeat(stream) }
    stream.pointee.upstream.state = .done
    segments.releaseAll(&stream.pointee.upstream.waitingBody)
  }

  /// Ends the attempt that the stream carries, wherever it is.
  @inline(__always)
  func leaveUpstream(_ stream: HTTPStreamRef) {
    switch stream.pointee.upstream.state {
    case .pending:
      if let cluster = stream.pointee.upstream.cluster {
        slab.increment(cluster.pointee.pointer.pointee.stats.rqCancelled)
      }
      dequeue(stream)
      abandonConnecting(stream)
    case .active:
      if let connection = stream.pointee.upstream.connection {
        if let cluster = stream.pointee.upstream.cluster {
          slab.increment(cluster.pointee.pointer.pointee.stats.rqTxReset)
        }
        countAbandoned(stream)
        codecAbandon(stream, connection)
      }
    case .none, .backoff, .done: break
    }
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
    countInactive(host)
    if let isSuccess { slab.increment(isSuccess ? hostStats.rqSuccess : hostStats.rqError) }
    if stream.pointee.has(.holdsRequestUnit) {
      stream.pointee.flags.remove(.holdsRequestUnit)
      breakers(stream, config).releaseRequest()
      if stream.pointee.has(.holdsOwnRepeat) { ownRepeatEnded(stream, isSuccess: isSuccess) }
    }
    codecVacate(connection, stream)
    stream.pointee.upstream.connection = nil
    stream.pointee.upstream.perTryIdleTimeout = 0
    stream.pointee.upstream.durationDeadline = 0
    stream.pointee.upstream.state = .done
  }
}
