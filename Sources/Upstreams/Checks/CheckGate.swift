import Proxy

/// Keeps checks from storming: so many begin in one turn of main's loop, so many are under way at once. The others wait
/// in the order in which they are due.
final class CheckGate {
  static let startsPerTurn = 64
  static let underWayMax = 512

  private let worker: Worker
  private var waiting: [CheckSession] = []
  /// How far `waiting` has been taken.
  private var first = 0
  private(set) var underWay = 0
  private lazy var task = WorkerTask { [unowned self] in turn() }

  init(_ worker: Worker) { self.worker = worker }

  var waitingCount: Int { waiting.count - first }

  /// A session's check is due.
  func due(_ session: CheckSession) {
    session.isQueued = true
    waiting.append(session)
    if !task.isScheduled { worker.schedule(task, inMilliseconds: 1) }
  }

  /// A check that had begun is over.
  func over() {
    underWay -= 1
    if waitingCount > 0, !task.isScheduled { worker.schedule(task, inMilliseconds: 1) }
  }

  private func turn() {
    var starts = 0
    while first < waiting.count, starts < Self.startsPerTurn, underWay < Self.underWayMax {
      let session = waiting[first]
      first += 1
      // It may have been stopped while it waited.
      guard session.isQueued else { continue }
      session.isQueued = false
      starts += 1
      underWay += 1
      session.begin()
    }
    if first == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      first = 0
    } else if first > 1024 {
      waiting.removeFirst(first)
      first = 0
    }
    if waitingCount > 0, underWay < Self.underWayMax { worker.schedule(task, inMilliseconds: 1) }
  }

  /// Nobody waits any more.
  func stop() {
    worker.cancel(task)
    waiting = []
    first = 0
  }
}
