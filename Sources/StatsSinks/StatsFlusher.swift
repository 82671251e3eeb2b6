import Glibc
import Stats
import Synchronization

/// The thread `apus-flush`: every interval it reads the registry once and tells all sinks. The only place of
/// the statistics that knows a clock or a socket. Without sinks it still marks the intervals of histograms.
public final class StatsFlusher: Sendable {
  private struct State {
    var thread: pthread_t?
    var isStopping = false
    var isFlushWanted = false
  }

  /// What only the thread touches, once it runs.
  private final class Work: @unchecked Sendable {
    var collector: FlushCollector
    let sinks: [any StatsSink]
    init(collector: FlushCollector, sinks: [any StatsSink]) {
      self.collector = collector
      self.sinks = sinks
    }
    func flush(isLast: Bool) {
      let flush = collector.collect()
      for sink in sinks { sink.send(flush, isLast: isLast) }
    }
  }

  private let intervalMilliseconds: Int64
  private let wakeup: Wakeup
  private let state = Mutex(State())
  private let work: Work

  /// Starts the thread.
  ///
  /// - Parameter intervalMilliseconds: At least 1; Envoy's default is 5000.
  /// - Parameter previous: A stopped flusher of the same registry: what it has sent is not sent again.
  /// - Throws: ``StatsFlusherError`` when the system refuses a thread or a descriptor.
  public init(
    registry: StatsRegistry, intervalMilliseconds: Int = 5000, sinks: [any StatsSink],
    continuing previous: StatsFlusher? = nil
  ) throws(StatsFlusherError) {
    self.intervalMilliseconds = Int64(max(1, intervalMilliseconds))
    work = Work(
      collector: previous?.work.collector ?? FlushCollector(registry: registry), sinks: sinks)
    wakeup = try Wakeup()
    let thread = try start()
    state.withLock { $0.thread = thread }
  }

  /// Asks for a flush as soon as possible; does not wait for it.
  public func flushNow() {
    state.withLock { $0.isFlushWanted = true }
    wakeup.wake()
  }

  /// Flushes once more, so that everything counted before the call is sent, and ends the thread. Returns when
  /// it has ended, which dead peers delay by about a second each. A second call does nothing.
  public func stop() {
    let thread = state.withLock { state in
      state.isStopping = true
      defer { state.thread = nil }
      return state.thread
    }
    guard let thread else { return }
    wakeup.wake()
    pthread_join(thread, nil)
  }

  private func start() throws(StatsFlusherError) -> pthread_t {
    let context = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let flusher = Unmanaged<StatsFlusher>.fromOpaque(argument).takeRetainedValue()
        StatsFlusher.setThreadName()
        flusher.run()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw StatsFlusherError(errno: code, call: "pthread_create")
    }
    return thread
  }

  /// What `top -H` and a debugger show.
  private static func setThreadName() {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    "apus-flush".utf8CString.withUnsafeBytes { _ = write(descriptor, $0.baseAddress, $0.count - 1) }
    close(descriptor)
  }

  private func run() {
    var deadline = MonotonicClock.nowMilliseconds() + intervalMilliseconds
    while true {
      wakeup.sleep(until: deadline)
      let (isStopping, isWanted) = state.withLock { state in
        defer { state.isFlushWanted = false }
        return (state.isStopping, state.isFlushWanted)
      }
      if isStopping { return work.flush(isLast: true) }
      let now = MonotonicClock.nowMilliseconds()
      guard isWanted || now >= deadline else { continue }
      work.flush(isLast: false)
      // A flush that took long, or a suspended machine, does not make several flushes follow at once.
      if now >= deadline { deadline += intervalMilliseconds }
      deadline = max(deadline, MonotonicClock.nowMilliseconds())
    }
  }
}

/// Why the flusher could not start.
public struct StatsFlusherError: Error, Equatable, CustomStringConvertible {
  public let errno: Int32
  public let call: String
  public var description: String { "cannot start the statistics flusher: \(call): errno \(errno)" }
}
