import CSystem
import Glibc
import Synchronization

/// The process's own log: what operators want to know about the process, not about requests.
///
/// Any thread may log, but never from the request path: a line is formatted and written at once. Lines that
/// repeat themselves are held back, see ``LogRepeats``.
public final class ProcessLog: AdminLogLevels {
  public enum Level: UInt8, Sendable, CaseIterable, Comparable {
    case trace, debug, info, warning, error, critical, off

    public var name: String { "\(self)" }

    /// Also `warn`, which Envoy's command line takes.
    public init?(named name: String) {
      guard let level = Level.allCases.first(where: { $0.name == name }) ?? (name == "warn" ? .warning : nil)
      else { return nil }
      self = level
    }

    public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  /// What a line is about; each has a level of its own.
  public enum Component: UInt8, Sendable, CaseIterable {
    case admin, config, listener, logging, main, stats, upstream, worker

    public var name: String { "\(self)" }
  }

  fileprivate struct State {
    var descriptor: Int32
    let path: String?
    var repeats = LogRepeats()
    /// Lines that the file or pipe did not take.
    var lostCount = 0
  }

  /// Four bits a component.
  private let levels: Atomic<UInt64>
  private let state: Mutex<State>
  private let wallNow: @Sendable () -> Int64

  /// - Parameters:
  ///   - path: A file that is appended to; nil = standard error.
  ///   - wallNow: Nanoseconds since 1970.
  /// - Throws: ``LogFileError`` when the file cannot be opened.
  public init(
    level: Level = .info, path: String? = nil,
    wallNow: @escaping @Sendable () -> Int64 = ProcessLog.systemWallNow
  ) throws(LogFileError) {
    levels = Atomic(Self.allComponents(at: level))
    let descriptor = try path.map { path throws(LogFileError) in try LogFile.open(path) } ?? 2
    state = Mutex(State(descriptor: descriptor, path: path))
    self.wallNow = wallNow
  }

  deinit {
    let descriptor = state.withLock { $0.path == nil ? -1 : $0.descriptor }
    if descriptor >= 0 { close(descriptor) }
  }

  // MARK: Lines

  public func trace(_ component: Component, _ text: @autoclosure () -> String) {
    log(.trace, component, text())
  }
  public func debug(_ component: Component, _ text: @autoclosure () -> String) {
    log(.debug, component, text())
  }
  public func info(_ component: Component, _ text: @autoclosure () -> String) {
    log(.info, component, text())
  }
  public func warning(_ component: Component, _ text: @autoclosure () -> String) {
    log(.warning, component, text())
  }
  public func error(_ component: Component, _ text: @autoclosure () -> String) {
    log(.error, component, text())
  }
  public func critical(_ component: Component, _ text: @autoclosure () -> String) {
    log(.critical, component, text())
  }

  public func isOn(_ level: Level, _ component: Component) -> Bool {
    level != .off && level >= self.level(of: component)
  }

  public func log(_ level: Level, _ component: Component, _ text: @autoclosure () -> String) {
    guard isOn(level, component) else { return }
    let text = text()
    let now = wallNow()
    state.withLock { state in
      let verdict = state.repeats.judge(level, component, text, nowSeconds: now / 1_000_000_000)
      if let note = verdict.note { state.write(Self.line(now, level, component, note), now) }
      if verdict.isWanted { state.write(Self.line(now, level, component, text), now) }
    }
  }

  /// Opens the file anew, after it was renamed. Keeps the old one when that fails.
  public func reopen() throws(LogFileError) {
    guard let path = state.withLock({ $0.path }) else { return }
    let descriptor = try LogFile.open(path)
    let old = state.withLock { state in
      defer { state.descriptor = descriptor }
      return state.descriptor
    }
    close(old)
  }

  // MARK: Levels

  public func level(of component: Component) -> Level {
    let shift = UInt64(component.rawValue) * 4
    return Level(rawValue: UInt8(levels.load(ordering: .relaxed) >> shift & 15)) ?? .info
  }

  public func setLevel(_ level: Level, of component: Component) {
    let shift = UInt64(component.rawValue) * 4
    var old = levels.load(ordering: .relaxed)
    while true {
      let new = old & ~(15 << shift) | UInt64(level.rawValue) << shift
      let outcome = levels.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
      if outcome.exchanged { return }
      old = outcome.original
    }
  }

  public var loggers: [(name: String, level: Level)] {
    Component.allCases.map { ($0.name, level(of: $0)) }
  }

  public func setAll(_ level: Level) {
    levels.store(Self.allComponents(at: level), ordering: .relaxed)
  }

  public func set(_ logger: String, to level: Level) -> Bool {
    guard let component = Component.allCases.first(where: { $0.name == logger }) else {
      return false
    }
    setLevel(level, of: component)
    return true
  }

  private static func allComponents(at level: Level) -> UInt64 {
    Component.allCases.reduce(0) { $0 | UInt64(level.rawValue) << (UInt64($1.rawValue) * 4) }
  }

  // MARK: Text

  /// `[2026-11-24 01:02:03.456][info][main] text`, in UTC; line breaks inside the text are kept in one line.
  static func line(
    _ nanoseconds: Int64, _ level: Level, _ component: Component, _ text: String
  ) -> String {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let date =
      "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
    let time =
      "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    let milliseconds = digits(Int(nanoseconds % 1_000_000_000 / 1_000_000), 3)
    let escaped = text.contains(where: \.isNewline)
      ? text.split(whereSeparator: \.isNewline).joined(separator: "\\n") : text
    return "[\(date) \(time).\(milliseconds)][\(level.name)][\(component.name)] \(escaped)\n"
  }

  public static let systemWallNow: @Sendable () -> Int64 = {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }
}

extension ProcessLog.State {
  /// A line that is not taken at once is lost: whoever logs must not wait for whoever reads. The next line
  /// that is taken is preceded by the number of those.
  fileprivate mutating func write(_ line: String, _ nanoseconds: Int64) {
    if lostCount > 0 {
      let note = ProcessLog.line(nanoseconds, .warning, .logging, "\(lostCount) lines were lost")
      guard Self.write(note, to: descriptor) else {
        lostCount += 1
        return
      }
      lostCount = 0
    }
    if !Self.write(line, to: descriptor) { lostCount += 1 }
  }

  private static func write(_ line: String, to descriptor: Int32) -> Bool {
    var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&poller, 1, 0) > 0 else { return false }
    var line = line
    return line.withUTF8 { bytes in
      var offset = 0
      while offset < bytes.count, let base = bytes.baseAddress {
        let count = Glibc.write(descriptor, base + offset, bytes.count - offset)
        if count > 0 {
          offset += count
        } else if count == 0 || csystem_errno() != EINTR {
          return false
        }
      }
      return true
    }
  }
}
