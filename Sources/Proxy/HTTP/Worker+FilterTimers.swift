import Primitives
import Reactor

extension Worker {
  func setFilterTimer(_ stream: HTTPStreamRef, filter: Int, afterNanoseconds delay: UInt64) {
    guard !stream.pointee.has(.finished) else { return }
    let timer = filterTimer(stream, filter: filter) ?? makeFilterTimer(stream, filter: filter)
    // A wait longer than the clock can count is as good as its end.
    let (deadline, overflows) = now.addingReportingOverflow(delay)
    timers.schedule(
      node(of: timer), at: overflows ? UInt64.max / 1_000_000 : deadline / 1_000_000 &+ 1)
  }

  func cancelFilterTimer(_ stream: HTTPStreamRef, filter: Int) {
    if let timer = filterTimer(stream, filter: filter) { dropFilterTimer(timer) }
  }

  func dropFilterTimers(_ stream: HTTPStreamRef) {
    while let timer = stream.pointee.filterTimers { dropFilterTimer(timer) }
  }

  func filterTimerFired(_ node: UnsafeMutablePointer<TimerNode>) {
    let timer = node.pointee.owner.assumingMemoryBound(to: FilterTimerNode.self)
    let stream = timer.pointee.stream
    let index = timer.pointee.filter
    dropFilterTimer(timer)
    let filters = stream.pointee.filters.pointee.filters
    guard filters.indices.contains(index) else { return }
    filters[index]._withUnsafeGuaranteedRef {
      $0.timerFired(FilterContext(worker: self, stream: stream, index: index))
    }
  }

  private func filterTimer(
    _ stream: HTTPStreamRef, filter: Int
  ) -> UnsafeMutablePointer<FilterTimerNode>? {
    var next = stream.pointee.filterTimers
    while let timer = next {
      if timer.pointee.filter == filter { return timer }
      next = timer.pointee.next
    }
    return nil
  }

  private func makeFilterTimer(
    _ stream: HTTPStreamRef, filter: Int
  ) -> UnsafeMutablePointer<FilterTimerNode> {
    let timer = http.timers.take()
    timer.initialize(
      to: FilterTimerNode(
        node: TimerNode(kind: TimerKind.filter.rawValue, owner: UnsafeMutableRawPointer(timer)),
        stream: stream, filter: filter, next: stream.pointee.filterTimers))
    stream.pointee.filterTimers = timer
    return timer
  }

  private func dropFilterTimer(_ timer: UnsafeMutablePointer<FilterTimerNode>) {
    timers.cancel(node(of: timer))
    let stream = timer.pointee.stream
    if stream.pointee.filterTimers == timer {
      stream.pointee.filterTimers = timer.pointee.next
    } else {
      var next = stream.pointee.filterTimers
      while let other = next, other.pointee.next != timer { next = other.pointee.next }
      next?.pointee.next = timer.pointee.next
    }
    timer.deinitialize(count: 1)
    http.timers.give(timer)
  }

  // The node is the first field.
  private func node(of timer: UnsafeMutablePointer<FilterTimerNode>)
    -> UnsafeMutablePointer<TimerNode>
  {
    UnsafeMutableRawPointer(timer).assumingMemoryBound(to: TimerNode.self)
  }
}
