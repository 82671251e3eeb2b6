import Primitives
import Reactor

#if DEBUG
  /// A known bug about bodies that are sent once more, planted by the simulator.
  extension Worker {
    /// Loses the last byte of what an attempt gets of a kept body (``Sabotage/replayShort``).
    func shorten(_ queue: inout SegmentQueue) {
      guard shortensReplays, queue.byteCount > 0 else { return }
      var left = queue.byteCount - 1
      var short = SegmentQueue()
      var next = queue.head
      while let segment = next, left > 0 {
        let view = ByteView(segment.pointee.base, min(segment.pointee.count, left))
        segments.copy(view, to: &short)
        left -= view.count
        next = segment.pointee.next
      }
      segments.releaseAll(&queue)
      queue = short
    }
  }
#endif
