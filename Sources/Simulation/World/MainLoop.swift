import Primitives
import Proxy
import Reactor
import Stats

/// Main's own loop: a worker like that of the real process, whose turns are events in the simulated worker's time.
final class MainLoop {
  /// A message of the simulation's own: there is work.
  private static let workMessage: UInt32 = 100

  let kernel: SteppedKernel
  let worker: Worker
  private var work: [() -> Void] = []
  /// A message from the worker, and what it is about.
  var onMessage: (_ message: UInt32, _ value: UInt32) -> Void = { _, _ in }

  init(
    network: VirtualNetwork, registry: StatsRegistry, flags: ProcessFlags, logRing: LogRing, snapshot: Snapshot, dice: Dice,
    report: @escaping (String) -> Void
  ) throws(RingError) {
    kernel = SteppedKernel(
      network: network, dice: dice, entries: 256, ringDescriptor: SimulatedKernel.mainRing, report: report)
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 16
    sizes.smallBytes = 4096
    sizes.largeCount = 2
    sizes.largeBytes = 16_384
    worker = try Worker(
      index: -1, name: "main_thread", kernel: kernel, slab: registry.mainSlab, mailbox: WorkerMailbox(), snapshot: snapshot,
      environment: WorkerEnvironment(
        stats: WorkerStats(registry.makeScope(prefix: "main_thread.")), flags: flags, logRings: [logRing, logRing]),
      sizes: sizes, seed: dice.next())
    worker.onMessages { [unowned self] message, value in
      guard message == Self.workMessage else { return onMessage(message, value) }
      let due = work
      work = []
      for body in due { body() }
    }
    kernel.step = { [unowned self] in step() }
  }

  /// Takes what is there, and submits what came of it.
  private func step() {
    kernel.isFirstOfStep = true
    worker.turn()
    kernel.isFirstOfStep = false
    worker.turn()
  }

  /// Does something on main's thread, now: between its turns nothing of its own may be touched.
  func perform(_ body: @escaping () -> Void) {
    work.append(body)
    kernel.post(
      Token(.message, slot: Self.workMessage, generation: 0).rawValue, Int32(Self.workMessage), what: "work for main")
    step()
  }

  /// Ends the thread, after the worker's.
  func end() {
    kernel.isEnding = true
    worker.shutDown()
  }

  /// Breaks the cycle with the kernel.
  func dispose() {
    kernel.step = {}
    worker.onMessages { _, _ in }
  }
}
