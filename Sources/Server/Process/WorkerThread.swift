import Primitives
import Proxy
import Reactor
import Stats

/// A worker on a thread of its own, as main sees it.
final class WorkerThread {
  let index: Int
  let mailbox: SnapshotMailbox
  let status: WorkerStatus
  private let thread: Thread

  /// What a worker is made from.
  struct Parts: @unchecked Sendable {
    // Sendable: handed to the thread once, before it runs.
    var index: Int
    var slab: StatsSlab
    var snapshot: Snapshot
    var environment: WorkerEnvironment
    var seed: UInt64
  }

  /// Starts the thread and waits until its ring is there: the ring belongs to the thread that makes
  /// it.
  init(_ parts: Parts) throws(StartError) {
    index = parts.index
    let mailbox = SnapshotMailbox()
    self.mailbox = mailbox
    let status = WorkerStatus()
    self.status = status
    let gate = StartGate<RingError?>()
    let name = "worker_\(parts.index)"
    guard
      let thread = Thread(
        name: name,
        {
          do {
            let worker = try Worker(
              index: parts.index, name: name, kernel: try LinuxKernel(), slab: parts.slab,
              mailbox: mailbox, status: status, snapshot: parts.snapshot,
              environment: parts.environment, sizes: SegmentPool.Sizes(), seed: parts.seed)
            gate.open(nil)
            worker.run()
            worker.shutDown()
          } catch let error as RingError {
            gate.open(error)
          } catch {
            gate.open(RingError(errno: 0))
          }
        })
    else { throw StartError("cannot start thread \(name): no thread to be had (see ulimit -u)") }
    self.thread = thread
    if let error = gate.wait() {
      thread.join()
      throw StartError("cannot start \(name): \(error)")
    }
  }

  func join() { thread.join() }
}

/// Why the process cannot start: one sentence that says what to do.
public struct StartError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
