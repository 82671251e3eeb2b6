import Primitives
import Reactor

extension Worker {
  func setFilterTimer(_ stream: HTTPStreamRef, filter: Int, afterNanoseconds delay: UInt64) {
    if let old = stream.pointee.filterTimer { dropFilterTimer(old) }
    let timer = http.timers.take()
    timer.initialize(
      to: FilterTimerNode(
        node: TimerNode(kind: TimerKind.filter.rawValue, owner: UnsafeMutableRawPointer(timer)),
        stream: stream, filter: filter))
    stream.pointee.filterTimer = timer
    timers.schedule(node(of: timer), at: (now &+ delay) / 1_000_000 &+ 1)
  }

  func filterTimerFired(_ node: UnsafeMutablePointer<TimerNode>) {
    let timer = node.pointee.owner.assumingMemoryBound(to: FilterTimerNode.self)
    let stream = timer.pointee.stream
    let index = timer.pointee.filter
    stream.pointee.filterTimer = nil
    dropFilterTimer(timer)
    let filters = stream.pointee.manager.pointee.filters.view.filters
    guard filters.indices.contains(index) else { return }
    filters[index]._withUnsafeGuaranteedRef {
      $0.timerFired(FilterContext(worker: self, stream: stream, index: index))
    }
  }

  func dropFilterTimer(_ timer: UnsafeMutablePointer<FilterTimerNode>) {
    timers.cancel(node(of: timer))
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
