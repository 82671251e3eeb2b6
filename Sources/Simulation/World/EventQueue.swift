/// What is going to happen, in the order of virtual time; equal times in the order of scheduling.
final class EventQueue {
  private struct Event {
    let time: UInt64
    let order: UInt64
    let action: () -> Void

    func precedes(_ other: Event) -> Bool {
      time != other.time ? time < other.time : order < other.order
    }
  }

  private var heap: [Event] = []
  private var nextOrder: UInt64 = 0
  /// Nanoseconds. Moved by whoever runs the events.
  private(set) var now: UInt64

  init(now: UInt64) { self.now = now }

  var nextTime: UInt64? { heap.first?.time }

  func advance(to time: UInt64) {
    if time > now { now = time }
  }

  func after(_ nanoseconds: UInt64, _ action: @escaping () -> Void) {
    at(now &+ nanoseconds, action)
  }

  func at(_ time: UInt64, _ action: @escaping () -> Void) {
    heap.append(Event(time: max(time, now), order: nextOrder, action: action))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Runs the next event if it is due; false when none is.
  func runDue() -> Bool {
    guard let first = heap.first, first.time <= now else { return false }
    removeFirst()
    first.action()
    return true
  }

  private func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var child = parent * 2 + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(heap[parent]) else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}

/// Units of virtual time.
enum Time {
  static let microsecond: UInt64 = 1000
  static let millisecond: UInt64 = 1_000_000
  static let second: UInt64 = 1_000_000_000
}
