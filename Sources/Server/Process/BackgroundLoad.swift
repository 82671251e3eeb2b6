import ConfigCompiler
import ConfigLoader
import Glibc
import Reactor
import Synchronization

/// Reads a configuration, or secrets, on a thread of its own, so that large ones do not keep main from health
/// checks, the admin page and signals. One at a time; wishes that come meanwhile are one more load
/// after it.
final class BackgroundLoad: Sendable {
  /// What came of a load.
  enum Outcome: Sendable {
    case loaded(LoadedConfiguration, SecretBatch)
    case failed([Diagnostic])
  }

  /// What is wanted.
  struct Wish: Sendable {
    /// Why the configuration is read; nil when it is not.
    var reason: String?
    var secrets: Set<SecretKey> = []
    /// Those of them whose own file was replaced.
    var updated: Set<SecretKey> = []
    /// Files that the configuration in force names have changed.
    var files = false

    var isEmpty: Bool { reason == nil && secrets.isEmpty && !files }

    mutating func merge(_ other: Wish) {
      reason = other.reason ?? reason
      secrets.formUnion(other.secrets)
      updated.formUnion(other.updated)
      files = files || other.files
    }
  }

  struct Result: Sendable {
    var wish: Wish
    /// Of the configuration, when that was wanted.
    var outcome: Outcome?
    var secrets: SecretBatch
  }

  private struct State {
    var isRunning = false
    var wanted: Wish?
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
  func begin(_ wish: Wish) {
    let mustStart = state.withLock { state in
      if state.isRunning {
        state.wanted?.merge(wish)
        state.wanted = state.wanted ?? wish
        return false
      }
      state.isRunning = true
      return true
    }
    if mustStart { start(wish) }
  }

  private func start(_ wish: Wish) {
    // Requests go first where a worker shares the core.
    let thread = NamedThread(name: "apus-load", niceness: 10) { [self] in
      var next: Wish? = wish
      while let wish = next {
        let result = Self.fulfil(wish, options)
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
      let result = Self.fulfil(wish, options)
      state.withLock {
        $0.results.append(result)
        $0.isRunning = false
      }
      var byte: UInt8 = 1
      _ = write(writeEnd, &byte, 1)
    }
  }

  static func fulfil(_ wish: Wish, _ options: ServerOptions) -> Result {
    Result(
      wish: wish, outcome: wish.reason.map { _ in load(options) },
      secrets: SecretReader(CompilerOptions(workerNames: [])).read(wish.secrets))
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
      case .loaded(let loaded):
        return .loaded(loaded, SecretReader(CompilerOptions(workerNames: [])).read(loaded))
      case .failed(let diagnostics): return .failed(diagnostics)
      }
    } catch {
      return .failed([error])
    }
  }
}
