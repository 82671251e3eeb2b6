import Proxy
import Reactor
import Stats

/// One worker on a thread of its own, as the process has them.
final class PublishingWorker {
  let mailbox = WorkerMailbox()
  let status = WorkerStatus()
  private let slab: StatsSlab
  private let environment: WorkerEnvironment

  init(_ registry: StatsRegistry) {
    slab = registry.slabs[1]
    environment = WorkerEnvironment(
      stats: WorkerStats(registry.makeScope(prefix: "worker_0.")),
      flags: ProcessFlags(drainNanoseconds: 1_000_000_000), logRings: [LogRing(), LogRing()])
  }

  /// - Returns: Whether the worker runs.
  func start(_ snapshot: Snapshot) -> Bool {
    let (mailbox, status, slab, environment) = (mailbox, status, slab, environment)
    let gate = StartGate<Bool>()
    let thread = NamedThread(name: "worker_0") {
      do {
        let worker = try Worker(
          index: 0, name: "worker_0", kernel: try LinuxKernel(), slab: slab, mailbox: mailbox,
          status: status, snapshot: snapshot, environment: environment,
          sizes: SegmentPool.Sizes(), seed: 1)
        gate.open(true)
        worker.run()
        worker.shutDown()
      } catch {
        gate.open(false)
      }
    }
    guard let thread else { return false }
    thread.detach()
    return gate.wait()
  }
}
