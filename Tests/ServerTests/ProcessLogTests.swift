import Glibc
import Synchronization
import Testing

@testable import Server

@Suite struct ProcessLogTests {
  private static let time: Int64 = 1_795_482_123_456_000_000

  @Test func aLineSaysWhenHowBadAndWhere() throws {
    let files = try TemporaryFiles()
    let log = try ProcessLog(path: files.path("p.log"), wallNow: { Self.time })
    log.info(.main, "started")
    log.debug(.main, "not wanted")
    log.error(.config, "two\nlines")
    #expect(
      files.text("p.log")
        == "[2026-11-24 01:02:03.456][info][main] started\n"
        + "[2026-11-24 01:02:03.456][error][config] two\\nlines\n")
  }

  @Test(arguments: ProcessLog.Level.allCases)
  func levels(level: ProcessLog.Level) throws {
    let log = try ProcessLog(level: level)
    for other in ProcessLog.Level.allCases where other != .off {
      #expect(log.isOn(other, .main) == (other >= level))
    }
    #expect(ProcessLog.Level(named: level.name) == level)
  }

  @Test func aComponentHasItsOwnLevel() throws {
    let log = try ProcessLog(level: .warning)
    #expect(log.set("upstream", to: .trace))
    #expect(!log.set("nosuch", to: .trace))
    #expect(log.isOn(.trace, .upstream))
    #expect(!log.isOn(.info, .main))
    log.setAll(.off)
    #expect(!log.isOn(.critical, .upstream))
  }

  @Test func repeatedLinesAreHeldBack() throws {
    let files = try TemporaryFiles()
    final class Clock: Sendable {
      let now: Atomic<Int64>
      init(_ time: Int64) { now = Atomic(time) }
    }
    let clock = Clock(Self.time)
    let log = try ProcessLog(
      path: files.path("p.log"), wallNow: { clock.now.load(ordering: .relaxed) })
    for port in 0..<100 { log.warning(.upstream, "connect to port \(port) failed") }
    log.warning(.upstream, "something else")
    #expect(files.text("p.log").split(separator: "\n").count == LogRepeats.linesPerWindowMax + 1)
    clock.now.store(Self.time + 11_000_000_000, ordering: .relaxed)
    log.warning(.upstream, "connect to port 100 failed")
    let tail = files.text("p.log").split(separator: "\n").suffix(2).map { $0.split(separator: "] ")[1] }
    #expect(tail == ["90 more lines like the next one were left out", "connect to port 100 failed"])
  }

  @Test func manyKindsOfLinesTakeBoundedMemory() {
    var repeats = LogRepeats()
    var wanted = 0
    for index in 0..<10_000 {
      let name = String(repeating: "x", count: index % 500) + "\(index % 7 == 0 ? "a" : "b")"
      if repeats.judge(.info, .main, name, nowSeconds: 0).isWanted { wanted += 1 }
    }
    #expect(wanted > 1000)
    #expect(repeats.kindCount <= LogRepeats.kindsMax)
  }

  @Test func aPipeThatIsFullDoesNotHoldUpWhoeverLogs() throws {
    let files = try TemporaryFiles()
    #expect(mkfifo(files.path("fifo"), 0o600) == 0)
    let log = try ProcessLog(level: .debug, path: files.path("fifo"), wallNow: { Self.time })
    let text = String(repeating: "x", count: 1000)
    for _ in 0..<100 { log.debug(.main, text) }
    let reader = open(files.path("fifo"), O_RDONLY | O_NONBLOCK)
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    #expect(read(reader, &bytes, bytes.count) > 10_000)
    log.debug(.main, "last")
    let count = read(reader, &bytes, bytes.count)
    close(reader)
    let lines = String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.hasSuffix("lines were lost") == true)
    #expect(lines.last?.hasSuffix("] last") == true)
  }

  @Test func aRenamedFileIsReopened() throws {
    let files = try TemporaryFiles()
    let log = try ProcessLog(path: files.path("p.log"))
    log.info(.main, "one")
    #expect(files.rename("p.log", "p.log.1"))
    try log.reopen()
    log.info(.main, "two")
    #expect(files.text("p.log.1").hasSuffix("] one\n"))
    #expect(files.text("p.log").hasSuffix("] two\n"))
  }
}
