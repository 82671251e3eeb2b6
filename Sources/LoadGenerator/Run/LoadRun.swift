import Glibc
public import LoadBase
public import LoadReport
import Primitives
import Reactor
import Synchronization

/// How a run ended.
public enum LoadOutcome: Sendable {
  /// The report, and by kind of error what the first one was about.
  case finished(RunResult, notes: [(kind: ErrorKind, note: String)])
  /// Nothing was measured: one sentence says why.
  case failed(String)
}

/// What whoever started a run is told while it goes on.
public struct LoadProgress: Sendable {
  /// Slices that have become complete since the last call.
  public var intervals: [Interval]
  /// Nanoseconds of the measured part that are over; negative during the warm-up.
  public var elapsed: Int64
  /// Requests without an answer, once no more are sent.
  public var waitingFor: Int?
}

/// Runs a plan: threads, start, progress, end.
public final class LoadRun {
  private let plan: LoadPlan
  private let layouts: RequestLayouts
  private let kernelAddress: KernelAddress
  private let control = RunControl()

  /// - Throws: One sentence about what cannot be sent.
  public init(_ plan: LoadPlan) throws(UsageError) {
    self.plan = plan
    guard let kernelAddress = KernelAddress(plan.address) else {
      throw UsageError("\(plan.address): the path is too long for a socket")
    }
    self.kernelAddress = kernelAddress
    layouts = try RequestLayouts(plan)
  }

  /// What a thread leaves behind.
  private final class Remains: @unchecked Sendable {
    // Sendable: written by the thread at its end, read after it was joined.
    var recordIndex = 0
    var cpuNanoseconds: UInt64 = 0
    var finishedAt: UInt64 = 0
    var notes: [String?] = []
    var hasSpokenHTTP1 = false
    var hasSpokenHTTP2 = false
  }

  private struct RunningThread {
    var thread: NamedThread
    var exchange: RecordExchange
    var remains: Remains
    var cursor = 0
  }

  /// Runs until the end, on threads of its own.
  ///
  /// - Parameters:
  ///   - pause: Waits a while on the calling thread; returns true when the run shall end now.
  ///   - progress: Called on the calling thread every so often.
  public func run(
    pause: (_ milliseconds: Int32) -> Bool, progress: (LoadProgress) -> Void
  ) -> LoadOutcome {
    var threads: [RunningThread] = []
    for index in 0..<plan.threads {
      switch start(index) {
      case .success(let thread): threads.append(thread)
      case .failure(let error):
        control.isAborted.store(true, ordering: .releasing)
        for thread in threads { thread.thread.join() }
        return .failed(error.description)
      }
    }
    let start = begin(pause)
    let wallStart = UInt64(max(0, time(nil)))
    var collector = IntervalCollector(plan)
    let measureFrom = start &+ plan.warmUp
    while control.finishedThreads.load(ordering: .acquiring) < plan.threads {
      if pause(20) { control.isAborted.store(true, ordering: .releasing) }
      collect(&threads, &collector)
      progress(
        LoadProgress(
          intervals: collector.complete(),
          elapsed: Int64(bitPattern: Self.now()) - Int64(bitPattern: measureFrom),
          waitingFor: waiting))
    }
    for thread in threads { thread.thread.join() }
    collect(&threads, &collector)
    if let sentence = control.reasonToGiveUp { return .failed(sentence) }
    var end = measureFrom
    for (index, thread) in threads.enumerated() {
      collector.add(thread.exchange.records[thread.remains.recordIndex], thread: index)
      end = max(end, thread.remains.finishedAt)
    }
    let rest = collector.finish(end: end - measureFrom)
    progress(LoadProgress(intervals: rest, elapsed: Int64(end - measureFrom), waitingFor: nil))
    return .finished(
      result(threads, collector, duration: min(plan.duration ?? .max, end - measureFrom),
        wallStart: wallStart + plan.warmUp / 1_000_000_000),
      notes: notes(threads))
  }

  private var waiting: Int? {
    let count = control.waitingFor.load(ordering: .relaxed)
    return count > 0 ? count : nil
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  private func start(_ index: Int) -> Result<RunningThread, RunFailure> {
    let exchange = RecordExchange()
    let remains = Remains()
    let gate = StartGate<RunFailure?>()
    let (plan, layouts) = (plan, layouts)
    let (kernelAddress, control) = (kernelAddress, control)
    let thread = NamedThread(name: "load_\(index)") {
      do throws(RunFailure) {
        let worker = try ClientWorker(
          plan, layouts, kernelAddress: kernelAddress, index: index,
          control: control, exchange: exchange)
        gate.open(nil)
        worker.run()
        remains.recordIndex = worker.recordIndex
        remains.cpuNanoseconds = worker.cpuUsed
        remains.finishedAt = worker.finishedAt
        remains.notes = worker.notes
        remains.hasSpokenHTTP1 = worker.hasSpokenHTTP1
        remains.hasSpokenHTTP2 = worker.hasSpokenHTTP2
        control.finishedThreads.add(1, ordering: .releasing)
      } catch {
        gate.open(error)
      }
    }
    guard let thread else {
      return .failure(RunFailure("no thread to be had (see ulimit -u)"))
    }
    if let error = gate.wait() {
      thread.join()
      return .failure(error)
    }
    return .success(RunningThread(thread: thread, exchange: exchange, remains: remains))
  }

  /// Waits until the connections are there, a while at most, and lets the schedule start.
  private func begin(_ pause: (Int32) -> Bool) -> UInt64 {
    let limit = Self.now() &+ min(plan.connectTimeout &+ 100_000_000, 5_000_000_000)
    while control.readyThreads.load(ordering: .relaxed) < plan.threads, Self.now() < limit,
      !control.isAborted.load(ordering: .relaxed)
    {
      if pause(1) { control.isAborted.store(true, ordering: .releasing) }
    }
    let start = Self.now() &+ 5_000_000
    control.start.store(start, ordering: .releasing)
    return start
  }

  private func collect(_ threads: inout [RunningThread], _ collector: inout IntervalCollector) {
    for index in threads.indices {
      while true {
        let record = threads[index].exchange.records[threads[index].cursor]
        guard record.isHandedOver.load(ordering: .acquiring) else { break }
        collector.add(record, thread: index)
        record.reset()
        record.isHandedOver.store(false, ordering: .releasing)
        threads[index].cursor = (threads[index].cursor + 1) % RecordExchange.recordCount
      }
    }
  }

  private func result(
    _ threads: [RunningThread], _ collector: IntervalCollector, duration: UInt64, wallStart: UInt64
  ) -> RunResult {
    var result = RunResult(
      label: "", target: plan.target, mode: plan.mode, connections: plan.connections,
      threads: plan.threads, startUnixSeconds: wallStart, durationNanoseconds: duration,
      warmUpNanoseconds: plan.warmUp)
    result.pipelining = plan.pipelining
    result.streams = plan.streams
    result.protocolName = protocolName(threads)
    for (index, thread) in threads.enumerated() {
      var part = collector.threads[index]
      part.cpuNanoseconds = thread.remains.cpuNanoseconds
      result.merge(part)
    }
    result.intervals = collector.intervals
    result.steps = collector.judgedSteps()
    return result
  }

  /// What connections spoke; what they were to speak when there was none.
  private func protocolName(_ threads: [RunningThread]) -> String {
    switch plan.traffic {
    case .tcpEcho: return "TCP"
    case .grpc: return "gRPC"
    case .http(let version, _):
      let isHTTP1 = version == .http1 || threads.contains { $0.remains.hasSpokenHTTP1 }
      let isHTTP2 = version == .http2 || threads.contains { $0.remains.hasSpokenHTTP2 }
      return isHTTP1 && isHTTP2 ? "HTTP/1.1 and HTTP/2" : isHTTP2 ? "HTTP/2" : "HTTP/1.1"
    }
  }

  private func notes(_ threads: [RunningThread]) -> [(kind: ErrorKind, note: String)] {
    ErrorKind.allCases.compactMap { kind in
      let found = threads.lazy.compactMap { $0.remains.notes[kind.rawValue] }.first
      return found.map { (kind, $0) }
    }
  }
}
