import Foundation
import Glibc
import Primitives
import Reactor
import Stats
import Synchronization

@testable import Proxy

/// A worker on its own thread; closures can be sent to it.
final class WorkerThreadForTests: @unchecked Sendable {
  // Sendable: jobs go through a mutex; the worker is only touched on its thread.

  /// What was still lent out when the worker had ended.
  struct Leftovers: Sendable {
    var connections = 0
    var segments = 0
    var chunks = 0
    var availableBuffers = 0
    var totalBuffers = 0
  }

  private let wake: (read: Int32, write: Int32)
  private let jobs = Mutex<[@Sendable (Worker) -> Void]>([])
  private let started = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  private let leftovers = Mutex(Leftovers())
  private let failure = Mutex<RingError?>(nil)

  init(
    slab: StatsSlab, snapshot: Snapshot, environment: WorkerEnvironment, sizes: SegmentPool.Sizes,
    ringEntries: UInt32 = 1024
  ) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw RingError(errno: errno) }
    wake = (ends[0], ends[1])
    let thread = Thread { [self] in
      do throws(RingError) {
        let worker = try Worker(
          index: 0, name: "worker_0", kernel: try LinuxKernel(entries: ringEntries),
          slab: slab,
          mailbox: WorkerMailbox(), snapshot: snapshot, environment: environment, sizes: sizes,
          seed: 1)
        worker.watch(wake.read) { [self] in runJobs(worker) }
        started.signal()
        worker.run()
        worker.shutDown()
        leftovers.withLock {
          $0.connections = worker.connectionCount
          $0.segments = worker.segments.lentCount
          $0.chunks = worker.arenas.lentCount
          $0.availableBuffers = worker.segments.availableBuffers
          $0.totalBuffers = worker.segments.totalBuffers
        }
        worker.pollHandlers = []
      } catch {
        failure.withLock { $0 = error }
        started.signal()
      }
      ended.signal()
    }
    thread.stackSize = 4 << 20
    thread.start()
    started.wait()
    if let error = failure.withLock({ $0 }) { throw error }
  }

  deinit {
    close(wake.read)
    close(wake.write)
  }

  private func runJobs(_ worker: Worker) {
    var bytes = [UInt8](repeating: 0, count: 64)
    _ = read(wake.read, &bytes, bytes.count)
    let todo = jobs.withLock { jobs in
      defer { jobs = [] }
      return jobs
    }
    for job in todo { job(worker) }
  }

  private func send(_ job: @escaping @Sendable (Worker) -> Void) {
    jobs.withLock { $0.append(job) }
    var one: UInt8 = 1
    _ = write(wake.write, &one, 1)
  }

  func run<Result: Sendable>(_ body: @escaping @Sendable (Worker) -> Result) -> Result {
    let holder = ResultHolder<Result>()
    let done = DispatchSemaphore(value: 0)
    send { worker in
      holder.set(body(worker))
      done.signal()
    }
    done.wait()
    return holder.get()
  }

  /// Ends the worker and its thread.
  func stop() -> Leftovers {
    send { $0.stop() }
    ended.wait()
    return leftovers.withLock { $0 }
  }
}

private final class ResultHolder<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  func set(_ new: Value) { value.withLock { $0 = new } }
  func get() -> Value {
    guard let value = value.withLock({ $0 }) else { preconditionFailure("the job has not run") }
    return value
  }
}
