import Balancing
import HTTPCore
import HostHealth
import Primitives
import Routing

/// Says in a sentence what went wrong with a request (`%APUS_FAILURE%`, `x-apus-failure`). Only failures come here, and
/// only where a format, or an internal caller, asks.
extension Worker {
  /// Whether anybody will read a sentence about the stream.
  @inline(__always)
  func explains(_ stream: HTTPStreamRef) -> Bool {
    (stream.pointee.manager.pointee.explainsFailures || stream.pointee.has(.isInternal))
      && !stream.pointee.has(.isInternalClient)
  }

  private func note(_ stream: HTTPStreamRef, _ write: (inout FailureText) -> Void) {
    var text = FailureText(stream.pointee.arena.allocate(FailureText.bytesMax))
    write(&text)
    noteAttempts(stream, &text)
    stream.pointee.info.failure = text.view
  }

  private func place(_ stream: HTTPStreamRef) -> FailureSentences.Place {
    FailureSentences.Place(
      host: stream.pointee.upstream.host.map { $0.pointee.pointer.pointee.text.view } ?? ByteView("nobody"),
      cluster: stream.pointee.info.upstreamCluster,
      socket: stream.pointee.upstream.host.map { $0.pointee.socketMatch } ?? .empty)
  }

  // MARK: Attempts

  /// Which attempt it was, what the one before met, and why there is no other.
  private func noteAttempts(_ stream: HTTPStreamRef, _ text: inout FailureText) {
    guard let plan = stream.pointee.upstream.plan else {
      if stream.pointee.upstream.attempts > 1 {
        FailureSentences.attempts(&text, UInt64(stream.pointee.upstream.attempts), of: 0)
      }
      return
    }
    let number = UInt64(stream.pointee.upstream.attempts)
    if number > 1 || plan.pointee.left > 0 {
      FailureSentences.attempts(&text, number, of: number + UInt64(plan.pointee.left))
    }
    if !plan.pointee.before.isEmpty {
      text.put("; ")
      text.put(plan.pointee.before)
    }
    if plan.pointee.flags.contains(.isUsedUp) {
      text.also("num_retries is used up")
    } else if plan.pointee.flags.contains(.isTurnedDown) {
      text.also("no other attempt: upstream.use_retry")
    } else if plan.pointee.flags.contains(.isOverBudget), let config = stream.pointee.upstream.cluster?.pointee.pointer {
      noteRetryLimit(stream, config, &text)
    }
  }

  private func noteRetryLimit(
    _ stream: HTTPStreamRef, _ config: UnsafeMutablePointer<ClusterConfig>, _ text: inout FailureText
  ) {
    let isHigh = isHighPriority(stream)
    let budget = isHigh ? config.pointee.highLimits.retryBudget : config.pointee.normalLimits.retryBudget
    if budget != nil {
      text.also("retry_budget of the cluster is used up")
      return
    }
    text.also("max_retries ")
    text.put(UInt64(isHigh ? config.pointee.highLimits.retries : config.pointee.normalLimits.retries))
    let settings = isHigh ? config.pointee.highLimits.settings : config.pointee.normalLimits.settings
    if !settings.contains(.retries) { text.put(" (the default)") }
    text.put(" of the cluster is used up")
  }

  /// An attempt has failed and another one follows: what the next sentence tells of it.
  func noteBefore(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ what: AttemptFailure.Cause) {
    guard explains(stream) else { return }
    noteBefore(stream, plan) {
      switch what {
      case .connect: $0.put("no connection")
      case .terminated: $0.put("connection closed")
      case .remoteReset: $0.put("stream reset")
      case .refused: $0.put("stream refused")
      case .protocolError: $0.put("protocol error")
      case .perTryTimeout, .perTryIdleTimeout, .maxDuration: $0.put("no response in time")
      case .unsendable: $0.put("unsendable")
      }
    }
  }

  func noteBefore(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, status: UInt16) {
    guard explains(stream) else { return }
    noteBefore(stream, plan) {
      $0.put("answer ")
      $0.put(UInt64(status))
    }
  }

  private func noteBefore(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ write: (inout FailureText) -> Void
  ) {
    var text = FailureText(stream.pointee.arena.allocate(FailureText.bytesMax))
    text.put("host ")
    text.put(place(stream).host)
    text.put(" before: ")
    write(&text)
    plan.pointee.before = text.view
  }

  /// An answer of the host goes to the client because there may be no other attempt.
  func noteAnswer(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ status: UInt16) {
    guard explains(stream), !plan.pointee.flags.isDisjoint(with: .refused) else { return }
    note(stream) {
      let place = place(stream)
      $0.put("answer: ")
      $0.put(host: place.host, cluster: place.cluster)
      $0.put(" answered ")
      $0.put(UInt64(status))
    }
  }

  // MARK: Attempts that failed

  func noteFailure(_ stream: HTTPStreamRef, _ failure: AttemptFailure) {
    guard explains(stream) else { return }
    let place = place(stream)
    let sent = stream.pointee.upstream.headWritten ? max(1, now &- stream.pointee.info.upstreamRequestStart) : 0
    let progress = FailureSentences.Progress(sentAgo: sent, isInResponse: stream.pointee.has(.responseStarted))
    note(stream) {
      switch failure.cause {
      case .connect: noteConnect(stream, failure, place, &$0)
      case .terminated:
        FailureSentences.closed(&$0, place, errno: failure.errno, reason: failure.transport, progress)
      case .remoteReset: FailureSentences.reset(&$0, place, progress)
      case .refused: FailureSentences.refused(&$0, place)
      case .protocolError: FailureSentences.protocolError(&$0, place, detail: failure.transport, progress)
      case .unsendable: FailureSentences.unsendable(&$0, place, reason: failure.reason)
      // Timers tell of these.
      case .perTryTimeout, .perTryIdleTimeout, .maxDuration: break
      }
    }
  }

  private func noteConnect(
    _ stream: HTTPStreamRef, _ failure: AttemptFailure, _ place: FailureSentences.Place, _ text: inout FailureText
  ) {
    let what = TransportFailure(
      view: failure.transport, isTimeout: failure.isTimeout, errno: failure.errno, spent: failure.spent,
      isHandshake: failure.isHandshake)
    let timeout = stream.pointee.upstream.cluster?.pointee.pointer.pointee.connectTimeoutNanoseconds ?? 0
    FailureSentences.notConnected(&text, place, what, timeout: timeout)
  }

  // MARK: Time

  /// The route's timeout is over.
  func noteRouteTimeout(_ stream: HTTPStreamRef) {
    guard explains(stream) else { return }
    let isAsked = stream.pointee.route.isTimeoutAsked
    noteTimeout(
      stream, awaited(stream), isAsked ? "x-envoy-upstream-rq-timeout-ms" : "route timeout",
      stream.pointee.route.timeoutNanoseconds,
      isDefault: !isAsked && stream.pointee.route.entry?.pointee.timeoutMilliseconds == nil)
  }

  func noteAttemptTimeout(_ stream: HTTPStreamRef, _ cause: AttemptFailure.Cause) {
    guard explains(stream) else { return }
    if cause == .maxDuration {
      let limit = stream.pointee.upstream.cluster?.pointee.pointer.pointee.maxStreamDurationNanoseconds ?? 0
      noteTimeout(stream, awaited(stream), "max_stream_duration of the cluster", limit)
      return
    }
    guard let plan = stream.pointee.upstream.plan else { return }
    if cause == .perTryIdleTimeout {
      noteTimeout(stream, awaited(stream), "per_try_idle_timeout", plan.pointee.perTryIdleTimeout)
      return
    }
    let isAsked = plan.pointee.policy?.pointee.perTryTimeoutNanoseconds != plan.pointee.perTryTimeout
    noteTimeout(
      stream, .response, isAsked ? "x-envoy-upstream-rq-per-try-timeout-ms" : "per_try_timeout",
      plan.pointee.perTryTimeout)
  }

  /// The plan is gone when a response goes on; the time of its silence is not.
  func noteResponseTimeout(_ stream: HTTPStreamRef) {
    guard explains(stream) else { return }
    noteTimeout(stream, .rest, "per_try_idle_timeout", stream.pointee.upstream.perTryIdleTimeout)
  }

  /// Nothing has passed for too long, or the whole took too long, on whosever side.
  func noteStreamTimeout(_ stream: HTTPStreamRef, isIdle: Bool) {
    guard explains(stream) else { return }
    let awaited = stream.pointee.has(.requestComplete) ? awaited(stream) : .client
    if isIdle {
      let isRoutes = stream.pointee.route.entry?.pointee.idleTimeoutMilliseconds != nil
      noteTimeout(
        stream, awaited, isRoutes ? "idle_timeout of the route" : "stream_idle_timeout", stream.pointee.idleTimeout)
      return
    }
    noteTimeout(
      stream, awaited, "max_stream_duration or grpc-timeout",
      stream.pointee.durationDeadline &- stream.pointee.info.start)
  }

  private func awaited(_ stream: HTTPStreamRef) -> FailureSentences.Awaited {
    switch stream.pointee.upstream.state {
    case .none: .host
    case .pending: .connection
    case .backoff: .attempt
    case .active, .done: stream.pointee.has(.responseStarted) ? .rest : .response
    }
  }

  private func noteTimeout(
    _ stream: HTTPStreamRef, _ awaited: FailureSentences.Awaited, _ setting: StaticString, _ time: UInt64,
    isDefault: Bool = false
  ) {
    let wasSent = stream.pointee.upstream.headWritten
    note(stream) {
      FailureSentences.timeout(
        &$0, place(stream), awaited, setting: setting, time, isDefault: isDefault,
        sentAgo: wasSent ? max(1, now &- stream.pointee.info.upstreamRequestStart) : 0)
    }
  }

  // MARK: Limits

  /// What refuses a request.
  enum Refusal {
    case pending, requests, connections, pools
    /// More kinds of pools of one host than a worker keeps.
    case kinds
  }

  func noteOverflow(_ stream: HTTPStreamRef, _ refusal: Refusal) {
    guard explains(stream), let config = stream.pointee.upstream.cluster?.pointee.pointer else { return }
    let isHigh = isHighPriority(stream)
    let name = Self.limitName(refusal, isHigh ? config.pointee.highLimits : config.pointee.normalLimits, isHigh: isHigh)
    note(stream) {
      if let name {
        FailureSentences.overflow(&$0, cluster: stream.pointee.info.upstreamCluster, name)
      } else {
        let place = place(stream)
        $0.put("overflow: ")
        $0.put(host: place.host, cluster: place.cluster)
        $0.put(" has ")
        $0.put(UInt64(HostRuntime.poolsMax))
        $0.put(" kinds of connection pools, as many as a host may have")
      }
    }
  }

  static func limitName(
    _ refusal: Refusal, _ limits: ClusterLimits, isHigh: Bool
  ) -> FailureSentences.LimitName? {
    func name(
      _ what: StaticString, _ setting: StaticString, _ value: UInt32, _ isSet: ClusterLimits.Settings
    ) -> FailureSentences.LimitName {
      FailureSentences.LimitName(
        what: what, setting: setting, value: UInt64(value),
        isDefault: !isSet.isEmpty && !limits.settings.contains(isSet), isHigh: isHigh)
    }
    switch refusal {
    case .pending:
      return name("requests waiting", "max_pending_requests", limits.pendingRequests, .pendingRequests)
    case .requests: return name("requests at its hosts", "max_requests", limits.requests, .requests)
    case .connections: return name("connections", "max_connections", limits.connections, .connections)
    case .pools: return name("connection pools", "max_connection_pools", limits.pools, [])
    case .kinds: return nil
    }
  }

  func noteRefusal(_ stream: HTTPStreamRef, setting: StaticString, perMillion: UInt32) {
    guard explains(stream) else { return }
    note(stream) {
      FailureSentences.refusedShare(
        &$0, cluster: stream.pointee.info.upstreamCluster, setting: setting, percent: UInt64(perMillion) / 10_000)
    }
  }

  // MARK: Hosts

  func noteNoHost(_ stream: HTTPStreamRef, _ cluster: ClusterRef) {
    guard explains(stream) else { return }
    note(stream) {
      FailureSentences.noHost(&$0, cluster: stream.pointee.info.upstreamCluster, FailureSentences.Absence(cluster), now: now)
    }
  }

  func noteNoCluster(_ stream: HTTPStreamRef) {
    guard explains(stream) else { return }
    note(stream) {
      $0.put("no cluster: route ")
      let name = stream.pointee.info.routeName
      $0.put(name.isEmpty ? ByteView("without a name") : name)
      $0.put(" of virtual host ")
      $0.put(stream.pointee.info.virtualHostName)
      $0.put(" leads to a cluster that there is not")
    }
  }

  // MARK: Readers

  /// A reply of the proxy to an internal caller carries its sentence. Nobody outside is told about our network.
  func tellFailure(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.isInternal), !stream.pointee.manager.pointee.suppressEnvoyHeaders else { return }
    stream.pointee.response.set(.apusFailure, stream.pointee.info.failure)
  }
}
