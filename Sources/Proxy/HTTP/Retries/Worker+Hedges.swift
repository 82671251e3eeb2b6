import Balancing
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// Hedges (`hedge_on_per_try_timeout`): an attempt that is late goes on, and another one races it. The first response that
/// is no reason to repeat the request wins.
///
/// The client's stream carries the first attempt, and each one that begins while it carries none. A further one is a
/// *branch*: an internal stream with a copy of the request. A branch that wins is grafted: its exchange moves into the
/// client's stream, and from there on nothing is special. Each attempt asks for a successor once at most, so only the
/// latest one, or the wait for it, can lead to more.
///
/// Rules and counts are those of Envoy (source/common/router/router.cc: onSoftPerTryTimeout, onUpstreamHeaders,
/// onUpstreamReset, onResponseTimeout).
extension Worker {
  /// What becomes of a response's head that nobody has seen.
  enum Verdict {
    /// With the stream that has it from here on.
    case goesOn(HTTPStreamRef)
    /// The stream leaves its connection (``awaitAttempt(_:until:)``).
    case isDropped(HTTPStreamRef, until: UInt64)
  }

  // MARK: Names

  /// The stream whose client waits.
  private func client(_ branch: HTTPStreamRef) -> HTTPStreamRef? { internalExchange(branch)?.pointee.client }

  func isBranch(_ stream: HTTPStreamRef) -> Bool { internalExchange(stream)?.pointee.client != nil }

  private func clientPlan(_ branch: HTTPStreamRef) -> (HTTPStreamRef, UnsafeMutablePointer<AttemptPlan>)? {
    guard let stream = client(branch), let plan = stream.pointee.upstream.plan else { return nil }
    return (stream, plan)
  }

  /// Whether the request may have a response without this attempt.
  func hasOthers(
    _ attempt: HTTPStreamRef, _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>
  ) -> Bool {
    if plan.pointee.backoffDeadline > 0 { return true }
    if attempt != stream {
      switch stream.pointee.upstream.state {
      case .pending, .active: return true
      case .none, .backoff, .done: break
      }
    }
    return plan.pointee.branches.hasOther(than: attempt)
  }

  // MARK: Time

  /// An attempt is late, which ends nothing: another one is due.
  func hedge(_ attempt: HTTPStreamRef, _ own: UnsafeMutablePointer<AttemptPlan>) {
    own.pointee.perTryDeadline = 0
    attempt.pointee.upstream.perTryIdleTimeout = 0
    guard !own.pointee.flags.contains(.isLate) else { return }
    own.pointee.flags.insert(.isLate)
    // Once, however late it gets.
    countTimeout(attempt)
    let isBranch = own.pointee.flags.contains(.isBranch)
    guard let (stream, plan) = isBranch ? clientPlan(attempt) : (attempt, own),
      !stream.pointee.has(.responseStarted), !stream.pointee.upstream.passedInterim,
      // What was refused once stays so; a body that is gone cannot be sent again.
      !plan.pointee.conditions.isEmpty, plan.pointee.flags.contains(.keepsBody),
      !own.pointee.flags.contains(.hasSuccessor), takesRepeat(stream, plan)
    else { return }
    own.pointee.flags.insert(.hasSuccessor)
    plan.pointee.flags.insert(.afterTimeout)
    if !isBranch { noteBefore(stream, plan, .perTryTimeout) }
    awaitSuccessor(of: attempt, stream, plan, until: nextAttempt(stream, plan, demanded: 0))
  }

  private func awaitSuccessor(
    of attempt: HTTPStreamRef, _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, until deadline: UInt64
  ) {
    if let host = attempt.pointee.upstream.host {
      plan.pointee.remember(host.pointee.pointer.pointee.identity)
      plan.pointee.triedLevels.insert(Int(host.pointee.pointer.pointee.priority))
    }
    plan.pointee.backoffDeadline = deadline
    ensureTimer(stream.pointee.connection, by: deadline)
  }

  // MARK: Branches

  /// The wait for another attempt is over, and the client's stream still carries one.
  func startBranch(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    guard let host = chooseHost(stream, cluster) else {
      // So does Envoy: the attempts under way are no hope.
      failWithoutHost(stream, cluster)
      return
    }
    var settings = InternalRequest.Settings(target: .cluster(.max))
    settings.bufferLimitBytes = requestBufferLimit(stream)
    // Without a record for it the attempts under way are what there is.
    guard let branch = makeInternalStream(settings), let exchange = internalExchange(branch) else { return }
    tellHost(stream, plan)
    copyHead(of: stream, to: branch)
    if stream.pointee.has(.hasRequestTrailers) { copyTrailers(of: stream, to: branch) }
    let kept: HTTPStream.Flags = [.isInternal, .isGRPC, .isHead, .isHTTP10, .hasTimeoutAlt]
    branch.pointee.flags.formUnion(stream.pointee.flags.intersection(kept))
    // Its failures are judged with the others: it is not sent once more on its own.
    branch.pointee.flags.formUnion([.requestComplete, .decodeEnded, .repeatedByProxy])
    branch.pointee.requestMethod = stream.pointee.requestMethod
    branch.pointee.info.version = stream.pointee.info.version
    branch.pointee.route = stream.pointee.route
    branch.pointee.upstream.cluster = cluster
    branch.pointee.upstream.framing = stream.pointee.upstream.framing
    branch.pointee.upstream.hash = stream.pointee.upstream.hash
    branch.pointee.upstream.requestEnded = true
    branch.pointee.upstream.attempts = stream.pointee.upstream.attempts
    countAttempt(stream)
    copyBody(plan.pointee.kept, to: &branch.pointee.upstream.waitingBody)
    #if DEBUG
      shorten(&branch.pointee.upstream.waitingBody)
    #endif
    let own = branch.pointee.arena.allocate(of: AttemptPlan.self, count: 1)
    own.initialize(
      to: AttemptPlan(
        policy: plan.pointee.policy, conditions: plan.pointee.conditions, left: 0, flags: [.hedges, .isBranch], keptMax: 0,
        perTryTimeout: plan.pointee.perTryTimeout, perTryIdleTimeout: plan.pointee.perTryIdleTimeout))
    branch.pointee.upstream.plan = own
    exchange.pointee.hasBegun = true
    exchange.pointee.client = stream
    plan.pointee.branches.append(branch)
    attempt(branch, on: host)
  }

  /// Attempts that lost, or whose client is gone; and the wait for another.
  func dropBranches(_ plan: UnsafeMutablePointer<AttemptPlan>) {
    while let branch = plan.pointee.branches.first { cancelInternal(branch) }
    plan.pointee.backoffDeadline = 0
  }

  /// The branch is over, for whatever reason.
  func unlinkBranch(_ branch: HTTPStreamRef) {
    guard let exchange = internalExchange(branch), let (_, plan) = clientPlan(branch) else { return }
    exchange.pointee.client = nil
    plan.pointee.branches.remove(branch)
  }

  // MARK: Responses

  /// A response's head is here, of an attempt that may have others beside it.
  func judgeHedged(
    _ attempt: HTTPStreamRef, _ own: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16
  ) -> Verdict {
    let isBranch = own.pointee.flags.contains(.isBranch)
    guard let (stream, plan) = isBranch ? clientPlan(attempt) : (attempt, own) else {
      return .isDropped(attempt, until: 0)
    }
    if own.pointee.flags.contains(.hasSuccessor) {
      // It has been repeated: what would be repeated is of no use while anything better may come.
      if canSendAgain(stream, plan), wants(attempt, plan, status), hasOthers(attempt, stream, plan) {
        return .isDropped(attempt, until: 0)
      }
    } else if isRetriable(attempt, plan, status, of: stream) {
      if takesRepeat(stream, plan) {
        plan.pointee.flags.remove(.afterTimeout)
        if !isBranch { noteBefore(stream, plan, status: status) }
        countDropped(attempt, status)
        let due = nextAttempt(attempt, plan, demanded: demandedWait(attempt, plan))
        awaitSuccessor(of: attempt, stream, plan, until: due)
        return .isDropped(attempt, until: 0)
      }
      if hasOthers(attempt, stream, plan) { return .isDropped(attempt, until: 0) }
    }
    if isBranch { graft(attempt, onto: stream, plan) }
    dropBranches(plan)
    return wins(stream, plan, status)
  }

  // MARK: Failures

  /// An attempt has failed and has left its connection. True: another one follows, or is under way.
  func repeatsHedged(
    _ attempt: HTTPStreamRef, _ own: UnsafeMutablePointer<AttemptPlan>, _ cause: AttemptFailure.Cause
  ) -> Bool {
    let isBranch = own.pointee.flags.contains(.isBranch)
    guard let (stream, plan) = isBranch ? clientPlan(attempt) : (attempt, own) else { return false }
    guard !own.pointee.flags.contains(.hasSuccessor), isRetriable(attempt, plan, cause, of: stream),
      takesRepeat(stream, plan)
    else { return false }
    plan.pointee.flags.remove(.afterTimeout)
    if !isBranch { noteBefore(stream, plan, cause) }
    awaitSuccessor(of: attempt, stream, plan, until: nextAttempt(stream, plan, demanded: 0))
    awaitAttempt(attempt, until: 0)
    return true
  }

  /// Nothing follows an attempt that has failed. True: the request still has others, or has been answered.
  func failsHedged(
    _ attempt: HTTPStreamRef, _ own: UnsafeMutablePointer<AttemptPlan>, _ failure: AttemptFailure
  ) -> Bool {
    let isBranch = own.pointee.flags.contains(.isBranch)
    guard let (stream, plan) = isBranch ? clientPlan(attempt) : (attempt, own) else { return false }
    if hasOthers(attempt, stream, plan) {
      recordUpstreamCode(attempt, failure.status)
      awaitAttempt(attempt, until: 0)
      return true
    }
    guard isBranch else { return false }
    adoptHost(of: attempt, stream)
    var failure = failure
    failure.transport = stream.pointee.arena.copy(failure.transport)
    stream.pointee.info.upstreamTransportFailureReason = failure.transport
    cancelInternal(attempt)
    stream.pointee.upstream.state = .done
    noteFailure(stream, failure)
    upstreamFailed(stream, failure)
    return true
  }

  /// The proxy refuses an attempt, whose code is counted. True: others may bring a response.
  func isRefusedHedged(_ attempt: HTTPStreamRef) -> Bool {
    guard let plan = attempt.pointee.upstream.plan, plan.pointee.flags.contains(.hedges),
      !plan.pointee.flags.contains(.isBranch), hasOthers(attempt, attempt, plan)
    else { return false }
    awaitAttempt(attempt, until: 0)
    return true
  }

  /// The proxy itself answers an attempt.
  ///
  /// - Returns: The stream whose client gets the answer; nil: others may bring a better one.
  func answersBranch(_ branch: HTTPStreamRef) -> HTTPStreamRef? {
    guard let (stream, plan) = clientPlan(branch) else { return nil }
    let isLast = !hasOthers(branch, stream, plan)
    if isLast { adoptHost(of: branch, stream) }
    cancelInternal(branch)
    return isLast ? stream : nil
  }

  /// The request has taken too long: what each of its attempts counts but that of the client's stream.
  func countBranchTimeouts(_ plan: UnsafeMutablePointer<AttemptPlan>) {
    var next = plan.pointee.branches.first
    while let branch = next {
      next = InternalStreamList.next(after: branch)
      countAttemptTimeout(branch)
      recordUpstreamCode(branch, branch.pointee.has(.hasTimeoutAlt) ? 204 : 504)
    }
  }
}
