import Balancing
import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Attempts of a request after the first: what is known of them, when they are due, what they tell the host.
extension Worker {
  // MARK: The plan

  /// Makes a plan when the route, or an internal caller's headers, want one. Those headers go no further.
  func planAttempts(_ stream: HTTPStreamRef, _ policies: UnsafeMutablePointer<RoutePolicies>?) {
    let asks =
      stream.pointee.request.contains(.envoyRetryOn) || stream.pointee.request.contains(.envoyRetryGrpcOn)
      || stream.pointee.request.contains(.envoyUpstreamRqPerTryTimeoutMs)
    let mayRepeat = policies.map { $0.pointee.hasRetry || $0.pointee.followsRedirects } ?? false
    if mayRepeat || asks {
      makePlan(stream, policies.flatMap { retryPolicy($0) }, hedges: policies?.pointee.hedgesLateAttempts ?? false)
    }
    dropRetryHeaders(stream)
  }

  /// Those that nobody has read: they mean nothing to a host.
  private func dropRetryHeaders(_ stream: HTTPStreamRef) {
    stream.pointee.request.remove(.envoyMaxRetries)
    stream.pointee.request.remove(.envoyRetriableStatusCodes)
    stream.pointee.request.remove(.envoyRetriableHeaderNames)
    stream.pointee.request.remove(.envoyHedgeOnPerTryTimeout)
  }

  func routePolicies(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<RoutePolicies>? {
    guard let slot = stream.pointee.route.entry?.pointee.policySlot, let table = stream.pointee.route.table else {
      return nil
    }
    return table.pointee.policies.buffer.baseAddress.map { $0 + Int(slot) }
  }

  private func retryPolicy(_ policies: UnsafeMutablePointer<RoutePolicies>) -> UnsafePointer<RetryPolicy>? {
    guard policies.pointee.hasRetry, let offset = MemoryLayout<RoutePolicies>.offset(of: \.retry) else { return nil }
    return UnsafeRawPointer(policies).advanced(by: offset).assumingMemoryBound(to: RetryPolicy.self)
  }

  private func makePlan(_ stream: HTTPStreamRef, _ policy: UnsafePointer<RetryPolicy>?, hedges: Bool) {
    var plan = AttemptPlan(
      policy: policy, conditions: policy?.pointee.conditions ?? [], left: policy?.pointee.repeatsMax ?? 1,
      keptMax: requestBufferLimit(stream), perTryTimeout: policy?.pointee.perTryTimeoutNanoseconds ?? 0,
      perTryIdleTimeout: policy?.pointee.perTryIdleTimeoutNanoseconds ?? 0)
    if hedges { plan.flags.insert(.hedges) }
    readRetryHeaders(stream, &plan)
    // A tunnel is no request that could be sent twice at a time.
    if !stream.pointee.flags.isDisjoint(with: [.isUpgrade, .terminatesConnect]) { plan.flags.remove(.hedges) }
    if let policy, !policy.pointee.mayRepeat(requestMap(stream)) { plan.conditions = [] }
    switch stream.pointee.upstream.framing {
    case .none, .chunked: plan.flags.insert(.keepsBody)
    case .length(let length):
      if length <= UInt64(plan.keptMax) {
        plan.flags.insert(.keepsBody)
      } else if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats {
        slab.increment(stats.rqRetryAbandoned)
      }
    case .untilClose: break
    }
    // Who repeats nothing keeps nothing for it.
    if plan.conditions.isEmpty { plan.left = 0 }
    if let policies = routePolicies(stream) {
      if policies.pointee.judgesTrailers { plan.flags.insert(.judgesTrailers) }
      if policies.pointee.followsRedirects, !stream.pointee.has(.isUpgrade) { plan.flags.insert(.mayRedirect) }
    }
    let place = stream.pointee.arena.allocate(of: AttemptPlan.self, count: 1)
    place.initialize(to: plan)
    stream.pointee.upstream.plan = place
  }

  /// What an internal caller asks for; those of others have been removed.
  private func readRetryHeaders(_ stream: HTTPStreamRef, _ plan: inout AttemptPlan) {
    func take(_ header: KnownHeader) -> ByteView? {
      guard let value = stream.pointee.request.value(header) else { return nil }
      stream.pointee.request.remove(header)
      return value
    }
    if let list = take(.envoyRetryOn) { plan.conditions.formUnion(RetryConditions(list: list)) }
    if let list = take(.envoyRetryGrpcOn) { plan.conditions.formUnion(RetryConditions(list: list)) }
    if let text = take(.envoyMaxRetries), let count = text.decimal(limit: 1 << 31) { plan.left = UInt32(count) }
    if let list = take(.envoyRetriableStatusCodes) { plan.statusCodes = list }
    if let list = take(.envoyRetriableHeaderNames) { plan.headerNames = list }
    if let text = take(.envoyHedgeOnPerTryTimeout) {
      if text == "true" { plan.flags.insert(.hedges) }
      if text == "false" { plan.flags.remove(.hedges) }
    }
    if let text = take(.envoyUpstreamRqPerTryTimeoutMs), let milliseconds = text.decimal(limit: 1 << 40) {
      plan.perTryTimeout = milliseconds &* 1_000_000
    }
  }

  /// Nothing is sent again from here on.
  @inline(__always)
  func dropPlan(_ stream: HTTPStreamRef) {
    if let plan = stream.pointee.upstream.plan { dropPlan(stream, plan) }
  }

  private func dropPlan(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    if !plan.pointee.branches.isEmpty { dropBranches(plan) }
    releaseRetryUnit(stream, plan)
    segments.releaseAll(&plan.pointee.kept)
    stream.pointee.upstream.plan = nil
  }

  /// Takes a unit of the cluster's limit of repeats; false when there is none.
  func reserveRetry(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>) -> Bool {
    #if DEBUG
      if ignoresRetryLimits {
        breakers(stream, config).takeRetry()
        return true
      }
    #endif
    return breakers(stream, config).reserveRetry()
  }

  func releaseRetryUnit(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    guard plan.pointee.flags.contains(.holdsRetryUnit), let config = stream.pointee.upstream.cluster?.pointee.pointer
    else { return }
    plan.pointee.flags.remove(.holdsRetryUnit)
    breakers(stream, config).releaseRetry()
  }

  // MARK: Failures

  /// The exchange broke, and the stream has left its connection: another attempt, or the client's error.
  func attemptFailed(_ stream: HTTPStreamRef, _ failure: AttemptFailure) {
    countFailure(stream, failure.cause)
    if repeatsAfterFailure(stream, failure.cause) { return }
    if repeatsElsewhere(stream, failure) { return }
    if let plan = stream.pointee.upstream.plan, plan.pointee.flags.contains(.hedges), failsHedged(stream, plan, failure) {
      return
    }
    noteFailure(stream, failure)
    upstreamFailed(stream, failure)
  }

  /// Leaves the connection of an attempt that is over; what has not been sent comes back.
  func leaveAttempt(_ stream: HTTPStreamRef, isSuccess: Bool?) {
    if stream.pointee.upstream.plan != nil, !stream.pointee.upstream.bodySent { codecTakeBody(stream) }
    detach(stream, isSuccess: isSuccess)
  }

  /// An attempt has a connection; its head and what waits of the body go out next.
  func beginAttempt(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ connection: ConnectionRef) {
    keepWaitingBody(stream)
    if stream.pointee.upstream.requestEnded { startPerTryTimer(stream) }
    stream.pointee.upstream.perTryIdleTimeout = plan.pointee.perTryIdleTimeout
    if plan.pointee.perTryIdleTimeout > 0 { ensureTimer(stream.pointee.connection, by: now &+ plan.pointee.perTryIdleTimeout) }
  }

  // MARK: Between attempts

  /// The stream has left its connection and waits to try again.
  ///
  /// - Parameter deadline: 0 = for other attempts of the request, or for what they have asked for.
  func awaitAttempt(_ stream: HTTPStreamRef, until deadline: UInt64) {
    guard let plan = stream.pointee.upstream.plan else { return }
    if plan.pointee.flags.contains(.isBranch) {
      cancelInternal(stream)
      return
    }
    if let host = stream.pointee.upstream.host {
      plan.pointee.remember(host.pointee.pointer.pointee.identity)
      if deadline > 0 { plan.pointee.triedLevels.insert(Int(host.pointee.pointer.pointee.priority)) }
    }
    rewindBody(stream, plan)
    resetAttempt(stream)
    stream.pointee.upstream.state = .backoff
    plan.pointee.perTryDeadline = 0
    plan.pointee.flags.subtract([.holdsHead, .isLate, .hasSuccessor])
    guard deadline > 0 else { return }
    plan.pointee.backoffDeadline = deadline
    ensureTimer(stream.pointee.connection, by: deadline)
  }

  /// Forgets what the last attempt brought.
  func resetAttempt(_ stream: HTTPStreamRef) {
    stream.pointee.response = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    stream.pointee.responseTrailers = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    stream.pointee.upstream.pool = nil
    stream.pointee.upstream.headWritten = false
    stream.pointee.upstream.bodySent = false
    stream.pointee.upstream.pendingSince = 0
    stream.pointee.upstream.isTimeCounted = false
    stream.pointee.upstream.head = ResponseHead()
    stream.pointee.upstream.headDone = false
    stream.pointee.upstream.anyByteReceived = false
    stream.pointee.upstream.length = LengthDecoder(length: 0)
    stream.pointee.upstream.chunks = ChunkedDecoder()
    stream.pointee.upstream.partial = PartialBytes()
    stream.pointee.upstream.scanner = HeadScanner.response()
    stream.pointee.flags.remove(.isRequestBlocked)
    stream.pointee.info.upstreamTransportFailureReason = .empty
  }

  /// The wait is over.
  func attemptDue(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    plan.pointee.backoffDeadline = 0
    if plan.pointee.flags.contains(.isRedirected) {
      restartRedirected(stream, plan)
      return
    }
    guard stream.pointee.upstream.state == .backoff else {
      startBranch(stream, plan)
      return
    }
    stream.pointee.upstream.state = .none
    tellHost(stream, plan)
    attempt(stream)
  }

  /// The headers that differ from attempt to attempt.
  func tellHost(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    tellAttemptCount(stream)
    if routePolicies(stream)?.pointee.tellsTimeoutRetries ?? false {
      let isAfterTimeout = plan.pointee.flags.contains(.afterTimeout)
      stream.pointee.request.set(.envoyIsTimeoutRetry, isAfterTimeout ? ByteView("true") : ByteView("false"))
    }
    tellTimeLeft(stream, plan)
  }

  /// `x-envoy-attempt-count`: of the attempt that comes.
  func tellAttemptCount(_ stream: HTTPStreamRef) {
    guard let table = stream.pointee.route.table,
      table.pointee.lookup.virtualHost(stream.pointee.route.virtualHost).pointee.includesRequestAttemptCount
    else { return }
    let number = stream.pointee.request.decimal(UInt64(stream.pointee.upstream.attempts) + 1)
    stream.pointee.request.set(.envoyAttemptCount, number)
  }

  /// `x-envoy-expected-rq-timeout-ms` and `grpc-timeout`: of the attempt, and not more than what is left of the whole.
  func tellTimeLeft(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>?) {
    // A hedged attempt goes on when its time is over.
    var left = plan.map { $0.pointee.flags.contains(.hedges) ? 0 : $0.pointee.perTryTimeout } ?? 0
    let whole = stream.pointee.routeDeadline
    if whole > 0 {
      let rest = whole > now ? whole - now : 1_000_000
      left = left == 0 ? rest : min(left, rest)
    }
    guard left > 0 else { return }
    let milliseconds = max(1, left / 1_000_000)
    if !stream.pointee.manager.pointee.suppressEnvoyHeaders {
      stream.pointee.request.set(.envoyExpectedRqTimeoutMs, stream.pointee.request.decimal(milliseconds))
    }
    if takesGRPCTimeout(stream) { setGRPCTimeout(stream, milliseconds: milliseconds) }
  }

  // MARK: Time

  /// Runs from the moment there are a connection and a whole request.
  func startPerTryTimer(_ stream: HTTPStreamRef) {
    guard let plan = stream.pointee.upstream.plan, plan.pointee.perTryDeadline == 0 else { return }
    let timeout = plan.pointee.perTryTimeout
    let whole = stream.pointee.route.timeoutNanoseconds
    // A longer one never ends an attempt.
    guard timeout > 0, whole == 0 || timeout < whole, !stream.pointee.has(.isTunnel) else { return }
    plan.pointee.perTryDeadline = now &+ timeout
    ensureTimer(stream.pointee.connection, by: plan.pointee.perTryDeadline)
  }

  func perTryTimedOut(_ stream: HTTPStreamRef) {
    if let plan = stream.pointee.upstream.plan, plan.pointee.flags.contains(.hedges) {
      hedge(stream, plan)
      return
    }
    if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats { slab.increment(stats.rqPerTryTimeout) }
    endAttempt(stream, .perTryTimeout, details: "upstream_per_try_timeout")
  }

  func perTryIdleTimedOut(_ stream: HTTPStreamRef) {
    if let plan = stream.pointee.upstream.plan, plan.pointee.flags.contains(.hedges), !stream.pointee.has(.responseStarted) {
      hedge(stream, plan)
      return
    }
    if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats {
      slab.increment(stats.rqPerTryIdleTimeout)
    }
    if stream.pointee.has(.responseStarted) {
      stream.pointee.info.flags.insert(.upstreamRequestTimeout)
      stream.pointee.info.responseCodeDetails = ByteView("upstream_per_try_idle_timeout")
      noteResponseTimeout(stream)
      resetStream(stream, .cancel)
    } else {
      endAttempt(stream, .perTryIdleTimeout, details: "upstream_per_try_idle_timeout")
    }
  }

  /// An attempt has taken too long: another one, or 504.
  private func endAttempt(_ stream: HTTPStreamRef, _ cause: AttemptFailure.Cause, details: StaticString) {
    if leavesLateAttempt(stream, cause) { return }
    noteAttemptTimeout(stream, cause)
    requestTimedOut(stream, details)
  }

  /// True: another attempt is due, or there was none.
  private func leavesLateAttempt(_ stream: HTTPStreamRef, _ cause: AttemptFailure.Cause) -> Bool {
    guard let connection = stream.pointee.upstream.connection, let cluster = stream.pointee.upstream.cluster else {
      return true
    }
    slab.increment(cluster.pointee.pointer.pointee.stats.rqTxReset)
    if cause != .maxDuration, let host = stream.pointee.upstream.host {
      slab.increment(host.pointee.pointer.pointee.stats.rqTimeout)
    }
    countFailure(stream, cause)
    // Taken back with its stream, the request would otherwise go on at an HTTP/2 host that has all of it.
    if let codec = stream.pointee.upstream.h2, let h2 = http2(connection) { h2.pointee.session.pointee.reset(codec, .cancel) }
    if !stream.pointee.upstream.bodySent { codecTakeBody(stream) }
    codecAbandon(stream, connection)
    return repeatsAfterFailure(stream, cause)
  }

  // MARK: The cluster's max_stream_duration

  /// Runs from the connection on, tunnels too.
  func limitAttempt(_ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>) {
    stream.pointee.upstream.durationDeadline = now &+ config.pointee.maxStreamDurationNanoseconds
    ensureTimer(stream.pointee.connection, by: stream.pointee.upstream.durationDeadline)
  }

  func attemptTookTooLong(_ stream: HTTPStreamRef) {
    if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats {
      slab.increment(stats.rqMaxDurationReached)
    }
    if stream.pointee.has(.responseStarted) {
      noteAttemptTimeout(stream, .maxDuration)
      stream.pointee.info.flags.insert(.upstreamMaxStreamDurationReached)
      stream.pointee.info.responseCodeDetails = ByteView("upstream_max_stream_duration_reached")
      resetStream(stream, .cancel)
      return
    }
    if leavesLateAttempt(stream, .maxDuration) { return }
    noteAttemptTimeout(stream, .maxDuration)
    // Who has not sent all of a request may be the reason.
    let status: UInt16 = stream.pointee.has(.requestComplete) ? 504 : 408
    recordUpstreamCode(stream, status)
    sendLocalReply(
      stream, status: status, body: ByteView("upstream max stream duration reached"),
      details: "upstream_max_stream_duration_reached", flags: [.upstreamMaxStreamDurationReached])
  }
}
