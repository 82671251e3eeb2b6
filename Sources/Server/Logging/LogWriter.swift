import CSystem
import Glibc
import Proxy
import Synchronization

/// The thread `apus-log`: writes the access log lines of all threads.
///
/// Threads leave lines in their ``LogRing`` and never wait. A destination that takes nothing costs its own
/// lines, which are dropped and counted, and nobody else's.
public final class LogWriter: Sendable {
  /// Numbers since the start.
  public struct Totals: Sendable, Equatable {
    public var linesBuffered: UInt64 = 0
    public var writesCompleted: UInt64 = 0
    public var writesFailed: UInt64 = 0
    public var flushesByTimer: UInt64 = 0
    public var reopensFailed: UInt64 = 0
    /// Lines that a full ring or a full buffer had no room for.
    public var linesDropped: UInt64 = 0
    /// Bytes that wait now.
    public var bytesBuffered: UInt64 = 0
    public init() {}
  }

  /// Why the writer could not start, or take another destination.
  public enum Failure: Error, Equatable, CustomStringConvertible {
    case system(call: String, errno: Int32)
    case file(LogFileError)
    case tooManyDestinations

    public var description: String {
      switch self {
      case .system(let call, let errno):
        "cannot start the log writer: \(call): \(String(cString: strerror(errno)))"
      case .file(let error): error.description
      case .tooManyDestinations: "more than \(UInt16.max) log destinations"
      }
    }
  }

  private struct Registered {
    let id: UInt16
    var users: Int
  }

  private struct State {
    var thread: pthread_t?
    var isStopping = false
    var flushesAll = false
    var registered: [LogDestination: Registered] = [:]
    var nextID: UInt16 = 0
    var freeIDs: [UInt16] = []
  }

  private let rings: [LogRing]
  private let pump: LogPump
  private let alarm: LogAlarm
  private let state = Mutex(State())

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - rings: One for each thread that logs.
  ///   - fileFlushIntervalMilliseconds: How long a line may wait in a buffer that is not full.
  public init(
    rings: [LogRing], fileFlushIntervalMilliseconds: Int = 10_000
  ) throws(Failure) {
    self.rings = rings
    pump = LogPump(rings: rings, intervalMilliseconds: Int64(max(1, fileFlushIntervalMilliseconds)))
    alarm = try LogAlarm()
    let thread = try start()
    state.withLock { $0.thread = thread }
  }

  public var totals: Totals {
    let counts = pump.counts
    var totals = Totals()
    totals.linesBuffered = counts.linesBuffered.load(ordering: .relaxed)
    totals.writesCompleted = counts.writesCompleted.load(ordering: .relaxed)
    totals.writesFailed = counts.writesFailed.load(ordering: .relaxed)
    totals.flushesByTimer = counts.flushesByTimer.load(ordering: .relaxed)
    totals.reopensFailed = counts.reopensFailed.load(ordering: .relaxed)
    totals.linesDropped = rings.reduce(counts.linesDropped.load(ordering: .relaxed)) {
      $0 &+ $1.droppedCount
    }
    totals.bytesBuffered = counts.bytesBuffered.load(ordering: .relaxed)
    return totals
  }

  // MARK: Destinations

  /// Opens a destination, if it is not open yet, and says the number that lines for it carry. Every call wants
  /// its own ``remove(_:)``.
  ///
  /// A file is there when this returns. Lines may be written at once.
  public func add(_ destination: LogDestination) throws(Failure) -> UInt16 {
    let freed = pump.inbox.withLock { inbox in
      defer { inbox.freed = [] }
      return inbox.freed
    }
    let known = state.withLock { state -> UInt16? in
      state.freeIDs += freed
      state.registered[destination]?.users += 1
      return state.registered[destination]?.id
    }
    if let known { return known }
    let target = LogTarget(destination, descriptor: try Self.open(destination))
    let id = state.withLock { state -> UInt16? in
      if let free = state.freeIDs.popLast() { return free }
      guard state.nextID < .max else { return nil }
      defer { state.nextID += 1 }
      return state.nextID
    }
    guard let id else {
      target.close()
      throw .tooManyDestinations
    }
    state.withLock { $0.registered[destination] = Registered(id: id, users: 1) }
    pump.inbox.withLock { $0.orders.append(.add(id, target)) }
    return id
  }

  /// Gives a destination back. With its last user it is closed, after the lines that are on their way; the
  /// caller guarantees that no thread writes for that number any more.
  public func remove(_ destination: LogDestination) {
    let id = state.withLock { state -> UInt16? in
      guard var entry = state.registered[destination] else { return nil }
      entry.users -= 1
      state.registered[destination] = entry.users > 0 ? entry : nil
      return entry.users > 0 ? nil : entry.id
    }
    guard let id else { return }
    pump.inbox.withLock { $0.orders.append(.remove(id)) }
    alarm.ring()
  }

  /// Opens all files anew, after they were renamed. The new files are there when this returns; a file that
  /// cannot be opened stays as it was.
  ///
  /// - Returns: What could not be opened.
  @discardableResult
  public func reopen() -> [LogFileError] {
    var failures: [LogFileError] = []
    var descriptors: [UInt16: Int32] = [:]
    for (destination, entry) in state.withLock({ $0.registered }) {
      do throws(LogFileError) {
        guard let descriptor = try destination.open() else { continue }
        descriptors[entry.id] = descriptor
      } catch {
        failures.append(error)
        pump.counts.reopensFailed.wrappingAdd(1, ordering: .relaxed)
      }
    }
    pump.inbox.withLock { $0.orders.append(.replace(descriptors)) }
    alarm.ring()
    return failures
  }

  /// Writes all buffers as soon as possible; does not wait for it.
  public func flush() {
    state.withLock { $0.flushesAll = true }
    alarm.ring()
  }

  /// Writes everything that was logged before the call, as far as the destinations take it, and ends the
  /// thread. Returns when it has ended. A second call does nothing.
  public func stop() {
    let thread = state.withLock { state in
      state.isStopping = true
      defer { state.thread = nil }
      return state.thread
    }
    guard let thread else { return }
    alarm.ring()
    pthread_join(thread, nil)
  }

  private static func open(_ destination: LogDestination) throws(Failure) -> Int32 {
    do throws(LogFileError) {
      return try destination.open() ?? (destination == .standardOutput ? 1 : 2)
    } catch {
      throw .file(error)
    }
  }

  // MARK: The thread

  private func start() throws(Failure) -> pthread_t {
    let context = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let writer = Unmanaged<LogWriter>.fromOpaque(argument).takeRetainedValue()
        csystem_set_thread_name("apus-log")
        writer.run()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw .system(call: "pthread_create", errno: code)
    }
    return thread
  }

  private func run() {
    var pace = LogPace(ringBytes: rings.map(\.capacity).min() ?? 1)
    while true {
      let (isStopping, flushesAll) = state.withLock { state in
        defer { state.flushesAll = false }
        return (state.isStopping, state.flushesAll)
      }
      let taken = pump.step(now: LogAlarm.nowMilliseconds(), flushesAll: flushesAll || isStopping)
      if isStopping { return }
      alarm.sleep(milliseconds: pace.pauseMilliseconds(afterTaking: taken))
    }
  }
}
