import Primitives
import Reactor
import Stats

/// The body of a request that may be sent once more: a copy, since receive buffers are few.
extension Worker {
  /// Body bytes go to a connection for the first time.
  @inline(__always)
  func keepBody(_ stream: HTTPStreamRef, _ data: SegmentQueue) {
    if let plan = stream.pointee.upstream.plan { keepBody(stream, plan, data.head, skipping: 0) }
  }

  /// What has waited for a connection goes to one: its beginning may be what was kept of attempts before.
  @inline(__always)
  func keepWaitingBody(_ stream: HTTPStreamRef) {
    if let plan = stream.pointee.upstream.plan, !stream.pointee.has(.isUpgrade) {
      keepBody(stream, plan, stream.pointee.upstream.waitingBody.head, skipping: plan.pointee.kept.byteCount)
    }
  }

  private func keepBody(
    _ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>, _ first: SegmentRef?, skipping: Int
  ) {
    // The last attempt needs no copy.
    guard plan.pointee.flags.contains(.keepsBody),
      plan.pointee.left > 0 || plan.pointee.flags.contains(.mayRedirect)
    else { return }
    var next = first
    var skipped = skipping
    while let segment = next {
      next = segment.pointee.next
      let view = ByteView(segment.pointee.base, segment.pointee.count)
      let fresh = view.dropFirst(min(skipped, view.count))
      skipped -= view.count - fresh.count
      guard plan.pointee.kept.byteCount + fresh.count <= plan.pointee.keptMax else {
        abandonKept(stream, plan)
        return
      }
      segments.copy(fresh, to: &plan.pointee.kept)
    }
  }

  /// The body is too large to be kept: once some of it is gone, there is no other attempt.
  func abandonKept(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    plan.pointee.flags.remove(.keepsBody)
    segments.releaseAll(&plan.pointee.kept)
    if let config = stream.pointee.upstream.cluster?.pointee.pointer {
      slab.increment(config.pointee.stats.rqRetryAbandoned)
    }
  }

  /// Makes the body wait for the next attempt from its first byte on.
  func rewindBody(_ stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    // Else all of it still waits.
    guard stream.pointee.upstream.bodySent else { return }
    segments.releaseAll(&stream.pointee.upstream.waitingBody)
    // A hedged request may have a redirect for its answer while this attempt only waits.
    let isLast = plan.pointee.left == 0 && !plan.pointee.flags.contains(.hedges)
    if isLast || plan.pointee.flags.contains(.isRedirected) {
      stream.pointee.upstream.waitingBody = plan.pointee.kept
      plan.pointee.kept = SegmentQueue()
    } else {
      copyBody(plan.pointee.kept, to: &stream.pointee.upstream.waitingBody)
    }
    #if DEBUG
      shorten(&stream.pointee.upstream.waitingBody)
    #endif
  }

  /// What an attempt gets of the kept body, which stays for others.
  func copyBody(_ kept: SegmentQueue, to queue: inout SegmentQueue) {
    var next = kept.head
    while let segment = next {
      segments.copy(ByteView(segment.pointee.base, segment.pointee.count), to: &queue)
      next = segment.pointee.next
    }
  }
}
