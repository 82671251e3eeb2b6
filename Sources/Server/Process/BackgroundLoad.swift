import ConfigLoader
import Glibc
import Reactor
import Synchronization

/// Reads a configuration on a thread of its own, so that a large one does not keep main from health
/// checks, the admin page and signals. One at a time; a wish that comes meanwhile is one more load
/// after it.
final class BackgroundLoad: Sendable {
  /// What came of a load.
  enum Outcome: Sendable {
    case loaded(LoadedConfiguration)
    case failed([Diagnostic])
  }

  /// A load that is wanted, and why; for the log.
  struct Result: Sendable {
    var reason: String
    var outcome: Outcome
  }

  private struct State {
    var isRunning = false
    var wanted: String?
    var results: [Result] = []
  }

  private let options: ServerOptions
  private let state = Mutex(State())
  private let readEnd: Int32
  private let writeEnd: Int32

  /// - Returns: nil when the system has no descriptors left.
  init?(_ options: ServerOptions) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    self.options = options
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Readable when ``take()`` has something.
  var descriptor: Int32 { readEnd }

  /// Begins to load, or notes that the load that is running must be followed by another.
  func begin(reason: String) {
    let mustStart = state.withLock { state in
      if state.isRunning {
        state.wanted = reason
        return false
      }
      state.isRunning = true
      return true
    }
    if mustStart { start(reason) }
  }

  private func start(_ reason: String) {
    // Requests go first where a worker shares the core.
    let thread = NamedThread(name: "apus-load", niceness: 10) { [self] in
      var next: String? = reason
      while let reason = next {
        let result = Result(reason: reason, outcome: Self.load(options))
        next = state.withLock { state in
          state.results.append(result)
          defer { state.wanted = nil }
          if state.wanted == nil { state.isRunning = false }
          return state.wanted
        }
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
      }
    }
    if let thread {
      thread.detach()
    } else {
      // No thread to be had: better late than never.
      let result = Result(reason: reason, outcome: Self.load(options))
      state.withLock {
        $0.results.append(result)
        $0.isRunning = false
      }
      var byte: UInt8 = 1
      _ = write(writeEnd, &byte, 1)
    }
  }

  /// The loads that are finished, oldest first.
  func take() -> [Result] {
    var room = [UInt8](repeating: 0, count: 64)
    while read(readEnd, &room, room.count) > 0 {}
    return state.withLock { state in
      defer { state.results = [] }
      return state.results
    }
  }

  static func load(_ options: ServerOptions) -> Outcome {
    do throws(Diagnostic) {
      switch ConfigurationLoader.load(try options.sources()) {
      case .loaded(let loaded): return .loaded(loaded)
      case .failed(let diagnostics): return .failed(diagnostics)
      }
    } catch {
      return .failed([error])
    }
  }
}
