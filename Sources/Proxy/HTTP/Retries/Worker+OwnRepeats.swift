import HTTP1
import HTTPCore
import Primitives
import Reactor
import Stats

/// Repeats that no policy asks for: what provably reached nobody goes once to another connection. They take a unit of the
/// cluster's repeats and wait for nothing.
extension Worker {
  // MARK: Connections that were dead

  /// Whether the connection may have died before the host saw the request: it had been idle, and no byte of a response
  /// came. A request that is safe to repeat then goes once to another connection (RFC 9110 section 9.2.2).
  func mayBeStale(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    diedUnused(stream, connection)
      // Nothing that follows an upgrade has been sent before it was accepted.
      && (stream.pointee.upstream.framing == .none || stream.pointee.has(.isUpgrade)) && isIdempotent(stream)
  }

  private func diedUnused(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    connection.pointee.has(.isReused) && !stream.pointee.upstream.anyByteReceived
  }

  private func isIdempotent(_ stream: HTTPStreamRef) -> Bool {
    guard let method = stream.pointee.request.value(.method) else { return false }
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT"
      || method == "DELETE" || method == "TRACE"
  }

  /// A connection of HTTP/1 ended before it answered: those that have been idle for longer are no better. After a host's
  /// restart all are dead, and each would cost a request.
  func closeOlderIdle(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let pool = connection.pointee.pool, !pool.pointee.isHTTP2, diedUnused(stream, connection) else { return }
    let began = stream.pointee.info.upstreamRequestStart
    let host = pool.pointee.host
    host.pointee.users += 1
    pool.pointee.users += 1
    // The latest are first: from the first older one on, all are.
    var next = pool.pointee.idle
    while let idle = next, idle.pointee.lastActivityAt >= began { next = idle.pointee.next }
    while let idle = next {
      next = idle.pointee.next
      close(idle, isLocal: true)
    }
    pool.pointee.users -= 1
    host.pointee.users -= 1
  }

  /// Sends a request that no host has begun to handle once more, when nothing of its body is gone. Whatever its method
  /// (RFC 9113 section 8.7).
  ///
  /// - Parameter onNewConnection: Others that are idle may be dead too.
  func retryUpstream(_ stream: HTTPStreamRef, onNewConnection: Bool) -> Bool {
    guard !stream.pointee.upstream.bodySent, !stream.pointee.upstream.headDone, !stream.pointee.upstream.passedInterim,
      reserveOwnRepeat(stream)
    else { return false }
    countOwnRepeat(stream)
    codecTakeBody(stream)
    detach(stream, isSuccess: nil)
    stream.pointee.flags.insert(.holdsOwnRepeat)
    if onNewConnection { stream.pointee.flags.insert(.wantsNewConnection) }
    stream.pointee.upstream.headWritten = false
    attempt(stream)
    return true
  }

  // MARK: Connections that were not made

  /// Nobody was reached: the request goes once to another host, when the choice offers one.
  func repeatsElsewhere(_ stream: HTTPStreamRef, _ failure: AttemptFailure) -> Bool {
    guard failure.cause == .connect, !stream.pointee.upstream.bodySent, !stream.pointee.has(.repeatedByProxy),
      let cluster = stream.pointee.upstream.cluster, cluster.pointee.pointer.pointee.repeatsConnectFailures,
      cluster.pointee.hosts.count > 1, let failed = stream.pointee.upstream.host
    else { return false }
    // A policy that is about this failure has decided.
    if let plan = stream.pointee.upstream.plan, !plan.pointee.flags.isDisjoint(with: .refused) {
      return false
    }
    // The unit first: a pick that comes to nothing would give the next request this host once more.
    guard reserveOwnRepeat(stream) else { return false }
    stream.pointee.flags.insert(.holdsOwnRepeat)
    guard let other = anotherHost(stream, cluster, than: failed) else {
      releaseOwnRepeat(stream)
      return false
    }
    countOwnRepeat(stream)
    stream.pointee.upstream.pool = nil
    stream.pointee.upstream.pendingSince = 0
    stream.pointee.info.upstreamTransportFailureReason = .empty
    attempt(stream, on: other)
    return true
  }

  private func anotherHost(_ stream: HTTPStreamRef, _ cluster: ClusterRef, than failed: HostRef) -> HostRef? {
    for _ in 0..<3 {
      guard let host = chooseHost(stream, cluster) else { return nil }
      if host != failed { return host }
    }
    return nil
  }

  // MARK: Units

  private func reserveOwnRepeat(_ stream: HTTPStreamRef) -> Bool {
    guard !stream.pointee.has(.repeatedByProxy), let config = stream.pointee.upstream.cluster?.pointee.pointer else {
      return false
    }
    guard reserveRetry(stream, config) else {
      slab.increment(config.pointee.stats.rqRetryOverflow)
      return false
    }
    return true
  }

  private func countOwnRepeat(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.repeatedByProxy)
    if let stats = stream.pointee.upstream.cluster?.pointee.pointer.pointee.stats { slab.increment(stats.rqRetry) }
    countRouteScopes(stream) { slab.increment($0.rqRetry) }
    // Its time is its own: what the attempt before has used up of it is forgotten.
    stream.pointee.upstream.isTimeCounted = false
    guard let plan = stream.pointee.upstream.plan else {
      tellAttemptCount(stream)
      tellTimeLeft(stream, nil)
      return
    }
    plan.pointee.perTryDeadline = 0
    // Not what it has asked for: one successor stays the rule.
    plan.pointee.flags.remove(.isLate)
    tellHost(stream, plan)
  }

  /// The request has left its host.
  func ownRepeatEnded(_ stream: HTTPStreamRef, isSuccess: Bool?) {
    // Where a policy has repeated the request too, its own count says so.
    let isCounted = stream.pointee.upstream.plan.map { $0.pointee.repeats > 0 } ?? false
    if isSuccess == true, !isCounted { countRetrySuccess(stream) }
    releaseOwnRepeat(stream)
  }

  /// The repeat is over, or will not be.
  func releaseOwnRepeat(_ stream: HTTPStreamRef) {
    guard let config = stream.pointee.upstream.cluster?.pointee.pointer else { return }
    stream.pointee.flags.remove(.holdsOwnRepeat)
    breakers(stream, config).releaseRetry()
  }
}
