import LoadReport
import Synchronization

/// What main and the threads of a run tell each other.
final class RunControl: Sendable {
  /// Monotonic nanoseconds at which the schedule starts; 0 until it is known.
  let start = Atomic<UInt64>(0)
  /// End now, whatever is on its way.
  let isAborted = Atomic(false)
  /// A connection was made once.
  let hasConnected = Atomic(false)
  /// Why nothing can be reached, as a sentence; nil while there is hope.
  private let verdict = Mutex<String?>(nil)
  /// Threads that have as many connections as they will get before the start.
  let readyThreads = Atomic(0)
  let finishedThreads = Atomic(0)
  /// Requests without an answer yet, once a thread only waits for those.
  let waitingFor = Atomic(0)

  /// It is not worth going on.
  func giveUp(_ sentence: String) {
    verdict.withLock { if $0 == nil { $0 = sentence } }
    isAborted.store(true, ordering: .releasing)
  }

  var reasonToGiveUp: String? { verdict.withLock { $0 } }
}
