import HTTPCore
import HostHealth
import Primitives
import Reactor
import Stats

/// What requests tell of their hosts: counted here, judged by main (outlier detection).
///
/// A host without outlier detection costs a request one load and one test, a healthy host with it one count in the
/// worker's own cells and one load of a line that nobody writes.
extension Worker {
  /// A response's head is here.
  @inline(__always)
  func countResult(_ stream: HTTPStreamRef, _ status: UInt16) {
    guard let host = stream.pointee.upstream.host, let shared = host.pointee.pointer.pointee.shared else { return }
    countResponse(stream, host, shared, status)
  }

  private func countResponse(
    _ stream: HTTPStreamRef, _ host: HostRef, _ shared: Unmanaged<HostShared>, _ status: UInt16
  ) {
    if stream.pointee.response.contains(.envoyImmediateHealthCheckFail),
      host.pointee.settings.pointee.hasActiveChecks
    {
      raise(.immediateFailure, host, shared)
    }
    var status = status
    if stream.pointee.has(.isGRPC), let code = stream.pointee.response.value(.grpcStatus)?.decimal(limit: 1 << 31) {
      status = GRPCStatus(code: UInt32(truncatingIfNeeded: code)).httpStatus
    }
    count(.status(status), host)
    countLatency(stream, host)
  }

  /// An attempt brought no response.
  func countFailure(_ stream: HTTPStreamRef, _ cause: AttemptFailure.Cause) {
    guard let host = stream.pointee.upstream.host, cause != .unsendable else { return }
    switch cause {
    case .perTryTimeout, .perTryIdleTimeout: countTimeout(stream)
    case .connect, .terminated, .remoteReset, .refused, .protocolError: count(.localOriginFailure, host)
    case .maxDuration, .unsendable: break
    }
  }

  /// A host has kept a request waiting for too long.
  func countTimeout(_ stream: HTTPStreamRef) {
    guard let host = stream.pointee.upstream.host else { return }
    // It was this slow at least.
    countLatency(stream, host)
    count(.localOriginTimeout(status: stream.pointee.has(.hasTimeoutAlt) ? 204 : 504), host)
  }

  /// Nobody waits for the response any more, whose head has not come.
  @inline(__always)
  func countAbandoned(_ stream: HTTPStreamRef) {
    guard !stream.pointee.upstream.headDone, let host = stream.pointee.upstream.host else { return }
    countLatency(stream, host)
  }

  /// How long the host had the whole request: once for an attempt. One that is still being sent when the response begins says nothing: its
  /// client may be slow.
  private func countLatency(_ stream: HTTPStreamRef, _ host: HostRef) {
    guard let counting = host.pointee.settings.pointee.outlierCounting, counting.countsLatency,
      !stream.pointee.upstream.isTimeCounted,
      let cells = host.pointee.pointer.pointee.latencyCells
    else { return }
    let began = stream.pointee.info.upstreamRequestEnd
    guard stream.pointee.upstream.requestEnded, began >= stream.pointee.info.upstreamRequestStart else { return }
    stream.pointee.upstream.isTimeCounted = true
    slab.increment(cells, index: LatencyBuckets.index(microseconds: (now &- began) / 1000))
  }

  func count(_ result: OutlierResult, _ host: HostRef) {
    let config = host.pointee.pointer
    guard let cells = config.pointee.outlierCells, let shared = config.pointee.shared,
      let counting = host.pointee.settings.pointee.outlierCounting
    else { return }
    let count = result.counted(isSplit: counting.isSplit)
    switch count {
    case .nothing: return
    case .external(let status):
      slab.increment(cells.results)
      if status >= 500, status < 600 { slab.increment(cells.failures) }
    case .localOriginFailure:
      slab.increment(cells.localResults)
      slab.increment(cells.localFailures)
    case .localOriginSuccess: slab.increment(cells.localResults)
    }
    let reached = shared._withUnsafeGuaranteedRef { $0.count(count, counting.thresholds) }
    if !reached.isEmpty { raise(HostEvents(reached), host, shared) }
  }

  /// Tells main. A message that is lost is none: main looks at all hosts now and then.
  private func raise(_ events: HostEvents, _ host: HostRef, _ shared: Unmanaged<HostShared>) {
    guard shared._withUnsafeGuaranteedRef({ $0.raise(events) }), let main = environment.flags.mainRing else { return }
    ring.message(
      to: main, token: Token(.message, slot: WorkerMessage.hostEvent, generation: 0),
      result: host.pointee.pointer.pointee.number)
  }
}
