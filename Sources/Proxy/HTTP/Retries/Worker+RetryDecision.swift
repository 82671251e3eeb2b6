import HTTP1
import HTTPCore
import Primitives
import Routing
import Stats

/// Whether a request is sent once more. Conditions and their order are those of Envoy's router
/// (source/common/router/retry_state_impl.cc).
extension Worker {
  /// A response's head is here, and nobody has seen it: it goes on, and nothing is sent again, or it is dropped for
  /// another attempt.
  @inline(__always)
  func judge(_ stream: HTTPStreamRef, _ status: UInt16) -> Verdict {
    guard let plan = stream.pointee.upstream.plan else { return .goesOn(stream) }
    return judge(stream, plan, status)
  }

  private func judge(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16
  ) -> Verdict {
    if plan.pointee.flags.contains(.hedges) { return judgeHedged(stream, plan, status) }
    guard isRetriable(stream, plan, status, of: stream), takesRepeat(stream, plan) else {
      return wins(stream, plan, status)
    }
    noteBefore(stream, plan, status: status)
    plan.pointee.flags.remove(.afterTimeout)
    countDropped(stream, status)
    return .isDropped(stream, until: nextAttempt(stream, plan, demanded: demandedWait(stream, plan)))
  }

  /// No other attempt follows: the response goes to the client, or to where it redirects.
  func wins(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16) -> Verdict {
    // Due at once.
    if followsRedirect(stream, plan, status) { return .isDropped(stream, until: now) }
    noteAnswer(stream, plan, status)
    dropPlan(stream)
    return .goesOn(stream)
  }

  /// A response is dropped for another attempt.
  func countDropped(_ stream: HTTPStreamRef, _ status: UInt16) {
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      config.pointee.stats.retryCodes.record(status, slab)
    }
  }

  /// The trailers of a response are here whose head nobody has seen.
  func repeatsAfterTrailers(_ stream: HTTPStreamRef) -> UInt64? {
    guard let plan = stream.pointee.upstream.plan, canSendAgain(stream, plan) else { return nil }
    let status = stream.pointee.responseTrailers.value(.grpcStatus)?.decimal(limit: 1 << 31)
    guard isRetriable(status, plan.pointee.conditions) else { return nil }
    guard !plan.pointee.flags.contains(.hasSuccessor), takesRepeat(stream, plan) else {
      return hasOthers(stream, stream, plan) ? 0 : nil
    }
    plan.pointee.flags.subtract([.afterTimeout, .holdsHead])
    noteBefore(stream, plan, status: stream.pointee.upstream.head.status)
    countDropped(stream, stream.pointee.upstream.head.status)
    return nextAttempt(stream, plan, demanded: 0)
  }

  /// An attempt has failed and the stream has left its connection. True: another one is due.
  func repeatsAfterFailure(_ stream: HTTPStreamRef, _ cause: AttemptFailure.Cause) -> Bool {
    guard let plan = stream.pointee.upstream.plan, !stream.pointee.has(.responseStarted) else { return false }
    if plan.pointee.flags.contains(.hedges) { return repeatsHedged(stream, plan, cause) }
    guard isRetriable(stream, plan, cause, of: stream), takesRepeat(stream, plan) else { return false }
    noteBefore(stream, plan, cause)
    if cause == .perTryTimeout || cause == .perTryIdleTimeout { plan.pointee.flags.insert(.afterTimeout) } else { plan.pointee.flags.remove(.afterTimeout) }
    awaitAttempt(stream, until: nextAttempt(stream, plan, demanded: 0))
    return true
  }

  /// Takes what another attempt needs; false when there is not enough of it.
  func takesRepeat(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    guard let config = stream.pointee.upstream.cluster?.pointee.pointer else { return false }
    releaseRetryUnit(stream, plan)
    guard plan.pointee.left > 0 else {
      slab.increment(config.pointee.stats.rqRetryLimitExceeded)
      countRouteScopes(stream) { slab.increment($0.rqRetryLimitExceeded) }
      stream.pointee.info.flags.insert(.upstreamRetryLimitExceeded)
      plan.pointee.flags.insert(.isUsedUp)
      return false
    }
    plan.pointee.left -= 1
    guard reserveRetry(stream, config) else {
      plan.pointee.flags.insert(.isOverBudget)
      slab.increment(config.pointee.stats.rqRetryOverflow)
      countRouteScopes(stream) { slab.increment($0.rqRetryOverflow) }
      stream.pointee.info.flags.insert(.upstreamOverflow)
      return false
    }
    plan.pointee.flags.insert(.holdsRetryUnit)
    // The last question, as in Envoy: what limits refuse counts there.
    if config.pointee.retryPercent < 100, random.below(100) >= config.pointee.retryPercent {
      plan.pointee.flags.insert(.isTurnedDown)
      releaseRetryUnit(stream, plan)
      return false
    }
    plan.pointee.repeats += 1
    slab.increment(config.pointee.stats.rqRetry)
    countRouteScopes(stream) { slab.increment($0.rqRetry) }
    return true
  }

  // MARK: Conditions

  /// - Parameters:
  ///   - attempt: The stream that has the response.
  ///   - stream: The one whose request it is; mostly the same.
  func isRetriable(
    _ attempt: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16, of stream: HTTPStreamRef
  ) -> Bool {
    let isRetriable = canSendAgain(stream, plan) && wants(attempt, plan, status)
    // What was refused another attempt is none.
    let isLast = !plan.pointee.flags.isDisjoint(with: .refused)
    if !isRetriable, plan.pointee.repeats > 0, !isLast { countRetrySuccess(stream) }
    return isRetriable
  }

  func wants(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16
  ) -> Bool {
    let conditions = plan.pointee.conditions
    // Who is limited must not come back at once, unless that is wanted.
    if stream.pointee.response.contains(.envoyRateLimited) { return conditions.contains(.rateLimited) }
    if conditions.contains(.serverErrors), status >= 500, status < 600 { return true }
    if conditions.contains(.gatewayErrors), status >= 502, status <= 504 { return true }
    if conditions.contains(.conflicts), status == 409 { return true }
    if conditions.contains(.statusCodes), isListed(status, plan) { return true }
    if conditions.contains(.headers), hasRetriableHeader(stream, plan) { return true }
    return !conditions.isDisjoint(with: .grpc) && isRetriable(grpcStatus(stream), conditions)
  }

  private func isListed(_ status: UInt16, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    if let policy = plan.pointee.policy {
      for code in policy.pointee.statusCodes.buffer where code == status { return true }
    }
    var found = false
    plan.pointee.statusCodes.forEachListElement { element in
      found = element.decimal(limit: 999) == UInt64(status)
      return !found
    }
    return found
  }

  private func hasRetriableHeader(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    if let policy = plan.pointee.policy {
      for matcher in policy.pointee.responseHeaders.buffer
      where matcher._withUnsafeGuaranteedRef({ $0.match(responseMap(stream)) }) { return true }
    }
    var found = false
    plan.pointee.headerNames.forEachListElement { element in
      let response = responseMap(stream)
      for i in 0..<response.pointee.slotCount where !response.pointee[slot: i].isRemoved {
        if response.pointee[slot: i].name.equalsIgnoringCase(element) { found = true }
      }
      return !found
    }
    return found
  }

  private func grpcStatus(_ stream: HTTPStreamRef) -> UInt64? {
    stream.pointee.response.value(.grpcStatus)?.decimal(limit: 1 << 31)
  }

  private func isRetriable(_ status: UInt64?, _ conditions: RetryConditions) -> Bool {
    switch status {
    case 1: conditions.contains(.cancelled)
    case 4: conditions.contains(.deadlineExceeded)
    case 8: conditions.contains(.resourceExhausted)
    case 13: conditions.contains(.grpcInternal)
    case 14: conditions.contains(.unavailable)
    default: false
    }
  }

  func isRetriable(
    _ attempt: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ cause: AttemptFailure.Cause,
    of stream: HTTPStreamRef
  ) -> Bool {
    guard canSendAgain(stream, plan), cause != .unsendable else { return false }
    let conditions = plan.pointee.conditions
    if !conditions.isDisjoint(with: [.resets, .serverErrors, .gatewayErrors]) { return true }
    if conditions.contains(.resetsBeforeRequest), !attempt.pointee.upstream.headWritten { return true }
    switch cause {
    case .connect: return conditions.contains(.connectFailures)
    case .refused: return conditions.contains(.refusedStreams)
    case .terminated, .remoteReset, .protocolError, .perTryTimeout, .perTryIdleTimeout, .maxDuration, .unsendable:
      return false
    }
  }

  /// Whether all of the request that is here can be had once more.
  func canSendAgain(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> Bool {
    !stream.pointee.upstream.passedInterim
      && (plan.pointee.flags.contains(.keepsBody) || !stream.pointee.upstream.bodySent)
  }

  func countRetrySuccess(_ stream: HTTPStreamRef) {
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.rqRetrySuccess)
    }
    countRouteScopes(stream) { slab.increment($0.rqRetrySuccess) }
  }

  // MARK: Waits

  /// How long the host wants to be left alone; 0 when it does not say, or too much.
  func demandedWait(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) -> UInt64 {
    guard let policy = plan.pointee.policy else { return 0 }
    for header in policy.pointee.resetHeaders.buffer {
      guard let text = stream.pointee.response.value(name: header.name.view, known: header.known),
        let number = text.trimmed().decimal(limit: 1 << 33)
      else { continue }
      var seconds = number
      if header.format == .unixTimestamp {
        let wall = UInt64(clamping: wallNow / 1_000_000_000)
        guard number > wall else { continue }
        seconds = number - wall
      }
      let wait = seconds &* 1_000_000_000
      if wait > 0, wait <= policy.pointee.resetMaxNanoseconds { return wait }
    }
    return 0
  }

  /// When the next attempt is due.
  ///
  /// - Parameter demanded: What the host asks for; 0 = a random wait below a bound that doubles.
  func nextAttempt(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, demanded: UInt64
  ) -> UInt64 {
    let config = stream.pointee.upstream.cluster?.pointee.pointer
    let wait: UInt64
    if demanded > 0 {
      if let config { slab.increment(config.pointee.stats.rqRetryBackoffRateLimited) }
      wait = RetryWait.demanded(demanded, drawn: random.next())
    } else {
      if let config { slab.increment(config.pointee.stats.rqRetryBackoffExponential) }
      let backoff = plan.pointee.policy?.pointee.backoff ?? config?.pointee.retryBackoff ?? .standard
      wait = RetryWait.backoff(plan.pointee.repeats, backoff, drawn: random.next())
    }
    return RetryWait.due(now: now, wait)
  }
}
