import Primitives
import Proxy
import Reactor
import Stats

/// A worker on a thread of its own, as main sees it.
final class WorkerThread {
  let index: Int
  let mailbox: WorkerMailbox
  let status: WorkerStatus
  /// Main's only.
  var handover: SocketHandover
  private let thread: NamedThread

  /// What a worker is made from.
  struct Parts {
    var index: Int
    var slab: StatsSlab
    var snapshot: Snapshot
    var environment: WorkerEnvironment
    var seed: UInt64
  }

  /// Carries the parts to the thread and keeps none of them: the first snapshot must not live as
  /// long as the thread does.
  private final class Handoff: @unchecked Sendable {
    // Sendable: written before the thread starts, emptied by it.
    private var parts: Parts?
    private let mailbox: WorkerMailbox
    private let status: WorkerStatus

    init(_ parts: Parts, mailbox: WorkerMailbox, status: WorkerStatus) {
      self.parts = parts
      self.mailbox = mailbox
      self.status = status
    }

    func makeWorker(_ name: String) throws(RingError) -> Worker {
      guard let parts else { throw RingError(errno: 0) }
      self.parts = nil
      return try Worker(
        index: parts.index, name: name, kernel: try LinuxKernel(), slab: parts.slab,
        mailbox: mailbox, status: status, snapshot: parts.snapshot,
        environment: parts.environment, sizes: SegmentPool.Sizes(), seed: parts.seed)
    }
  }

  /// Starts the thread and waits until its ring is there: the ring belongs to the thread that makes
  /// it.
  init(_ parts: Parts) throws(StartError) {
    index = parts.index
    handover = SocketHandover(parts.snapshot.listenerSockets(worker: parts.index))
    let mailbox = WorkerMailbox()
    self.mailbox = mailbox
    let status = WorkerStatus()
    self.status = status
    let gate = StartGate<RingError?>()
    let name = "worker_\(parts.index)"
    let handoff = Handoff(parts, mailbox: mailbox, status: status)
    guard
      let thread = NamedThread(
        name: name,
        {
          do throws(RingError) {
            let worker = try handoff.makeWorker(name)
            gate.open(nil)
            worker.run()
            worker.shutDown()
          } catch {
            gate.open(error)
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
