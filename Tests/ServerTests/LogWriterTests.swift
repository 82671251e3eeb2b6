import CSystem
import Glibc
import Primitives
import Proxy
import Stats
import Synchronization
import Testing

@testable import Server

@Suite struct LogWriterTests {
  init() { csystem_ignore_sigpipe() }

  // MARK: The pump, step by step

  @Test func smallBuffersWaitForTheInterval() throws {
    let files = try TemporaryFiles()
    let bench = try PumpBench(files.path("a.log"), intervalMilliseconds: 1000)
    bench.log("one\n")
    bench.pump.step(now: 0)
    #expect(files.text("a.log") == "")
    #expect(bench.pump.counts.bytesBuffered.load(ordering: .relaxed) == 4)
    bench.pump.step(now: 999)
    #expect(files.text("a.log") == "")
    bench.pump.step(now: 1000)
    #expect(files.text("a.log") == "one\n")
    #expect(bench.pump.counts.flushesByTimer.load(ordering: .relaxed) == 1)
    #expect(bench.pump.counts.writesCompleted.load(ordering: .relaxed) == 1)
  }

  @Test func fullBuffersAreWrittenAtOnce() throws {
    let files = try TemporaryFiles()
    let bench = try PumpBench(files.path("a.log"))
    let line = String(repeating: "x", count: 1023) + "\n"
    for _ in 0..<63 { bench.log(line) }
    bench.pump.step(now: 0)
    #expect(files.text("a.log").isEmpty)
    bench.log(line)
    bench.pump.step(now: 0)
    #expect(files.text("a.log").utf8.count == 64 * 1024)
    #expect(bench.pump.counts.flushesByTimer.load(ordering: .relaxed) == 0)
  }

  @Test func aRenamedFileIsReplaced() throws {
    let files = try TemporaryFiles()
    let bench = try PumpBench(files.path("a.log"))
    bench.log("before\n")
    #expect(rename(files.path("a.log"), files.path("a.log.1")) == 0)
    bench.pump.inbox.withLock { $0.orders.append(.replace([0: bench.reopened(files.path("a.log"))])) }
    #expect(files.exists("a.log"))
    bench.pump.step(now: 0, flushesAll: true)
    bench.log("after\n")
    bench.pump.step(now: 0, flushesAll: true)
    #expect(files.text("a.log.1") + files.text("a.log") == "before\nafter\n")
    #expect(files.text("a.log").hasSuffix("after\n"))
  }

  @Test func aPipeWithoutReaderCostsOnlyItsOwnLines() throws {
    let files = try TemporaryFiles()
    #expect(mkfifo(files.path("fifo"), 0o600) == 0)
    let bench = try PumpBench(files.path("a.log"))
    let fifo = LogTarget(
      .file(path: files.path("fifo")), descriptor: try LogFile.open(files.path("fifo")))
    bench.pump.inbox.withLock { $0.orders.append(.add(1, fifo)) }
    let line = String(repeating: "y", count: 999) + "\n"
    for round in 0..<1000 {
      #expect(bench.ring.write(target: 1, ByteView(line)))
      #expect(bench.ring.write(target: 0, ByteView("good\n")))
      bench.pump.step(now: Int64(round))
    }
    bench.pump.step(now: 2000, flushesAll: true)
    #expect(files.text("a.log") == String(repeating: "good\n", count: 1000))
    let dropped = bench.pump.counts.linesDropped.load(ordering: .relaxed)
    // A pipe and two buffers of 64 KiB hold the first ones.
    #expect((700..<950).contains(dropped))
    #expect(bench.pump.counts.writesFailed.load(ordering: .relaxed) == 0)
  }

  /// Standard output may be a blocking pipe that others use too, so its mode is not for us to change.
  @Test func aBlockingPipeIsNeverWaitedFor() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    defer {
      close(ends[0])
      close(ends[1])
    }
    var target = LogTarget(.standardOutput, descriptor: ends[1])
    let line = String(repeating: "x", count: 999) + "\n"
    var outcomes: [LogTarget.Outcome] = []
    for now in 0..<200 {
      let isTaken = target.append(ByteView(line), .empty, now: Int64(now))
      #expect(isTaken)
      let outcome = target.flush(now: Int64(now) * 1000)
      outcomes.append(outcome)
      if outcome == .stalled { break }
    }
    #expect(outcomes.dropLast().allSatisfy { $0 == .completed })
    #expect(outcomes.last == .stalled)
    let tooEarly = target.flush(now: 0)
    #expect(tooEarly == .nothing)
    var bytes = [UInt8](repeating: 0, count: 1 << 18)
    #expect(read(ends[0], &bytes, bytes.count) > 1000)
    let later = target.flush(now: .max)
    #expect(later == .completed)
    #expect(target.bufferedBytes == 0)
    #expect(fcntl(ends[1], F_GETFL) & O_NONBLOCK == 0)
  }

  @Test func aFullDiskIsCountedAndTriedAgain() throws {
    let bench = try PumpBench("/dev/full")
    let line = String(repeating: "z", count: 999) + "\n"
    for step in 0..<200 {
      bench.log(line)
      bench.pump.step(now: Int64(step))
    }
    let failed = bench.pump.counts.writesFailed.load(ordering: .relaxed)
    // Once it is full, it is tried every 50 ms, not for every line.
    #expect((2...4).contains(failed))
    #expect(bench.pump.counts.writesCompleted.load(ordering: .relaxed) == 0)
    let dropped = bench.pump.counts.linesDropped.load(ordering: .relaxed)
    #expect(dropped == 200 - UInt64(LogTarget.bufferBytesMax / 1000))
  }

  @Test func aFullRingDropsAndCounts() throws {
    let files = try TemporaryFiles()
    let bench = try PumpBench(files.path("a.log"), ringBytes: 1024)
    var kept = 0
    for index in 0..<100 where bench.ring.write(target: 0, ByteView("line \(index)\n")) { kept += 1 }
    #expect(kept < 100)
    #expect(bench.ring.droppedCount == UInt64(100 - kept))
    bench.pump.step(now: 0, flushesAll: true)
    #expect(files.text("a.log") == (0..<kept).map { "line \($0)\n" }.joined())
  }

  @Test func linesForUnknownTargetsAreDropped() throws {
    let files = try TemporaryFiles()
    let bench = try PumpBench(files.path("a.log"))
    #expect(bench.ring.write(target: 9, ByteView("lost\n")))
    bench.pump.step(now: 0, flushesAll: true)
    #expect(bench.pump.counts.linesDropped.load(ordering: .relaxed) == 1)
  }

  // MARK: The thread

  @Test func allLinesArriveInOrder() throws {
    let files = try TemporaryFiles()
    let rings = [LogRing(capacity: 1 << 20), LogRing(capacity: 1 << 20)]
    let writer = try LogWriter(rings: rings)
    let first = try writer.add(.file(path: files.path("a.log")))
    let second = try writer.add(.file(path: files.path("b.log")))
    #expect(files.exists("a.log") && files.exists("b.log"))
    for index in 0..<5000 {
      #expect(rings[0].write(target: first, ByteView("\(index)\n")))
      #expect(rings[1].write(target: second, ByteView("\(index)\n")))
    }
    writer.stop()
    let wanted = (0..<5000).map { "\($0)\n" }.joined()
    #expect(files.text("a.log") == wanted)
    #expect(files.text("b.log") == wanted)
    #expect(writer.totals.linesBuffered == 10_000)
    #expect(writer.totals.linesDropped == 0)
    #expect(writer.totals.bytesBuffered == 0)
  }

  @Test func reopeningMakesTheNewFileAtOnce() throws {
    let files = try TemporaryFiles()
    let ring = LogRing(capacity: 1 << 16)
    let writer = try LogWriter(rings: [ring])
    let id = try writer.add(.file(path: files.path("a.log")))
    #expect(ring.write(target: id, ByteView("before\n")))
    #expect(rename(files.path("a.log"), files.path("a.log.1")) == 0)
    #expect(writer.reopen().isEmpty)
    #expect(files.exists("a.log"))
    #expect(ring.write(target: id, ByteView("after\n")))
    writer.stop()
    #expect(files.text("a.log.1") + files.text("a.log") == "before\nafter\n")
  }

  @Test func aFileThatCannotBeReopenedStays() throws {
    let files = try TemporaryFiles()
    let ring = LogRing(capacity: 1 << 16)
    let writer = try LogWriter(rings: [ring])
    #expect(mkdir(files.path("d"), 0o700) == 0)
    let id = try writer.add(.file(path: files.path("d/a.log")))
    #expect(rename(files.path("d"), files.path("e")) == 0)
    #expect(writer.reopen().map(\.errno) == [ENOENT])
    #expect(ring.write(target: id, ByteView("still\n")))
    writer.stop()
    #expect(files.text("e/a.log") == "still\n")
    #expect(writer.totals.reopensFailed == 1)
  }

  @Test func destinationsAreSharedAndGivenBack() throws {
    let files = try TemporaryFiles()
    let ring = LogRing(capacity: 1 << 16)
    let writer = try LogWriter(rings: [ring])
    let destination = LogDestination.file(path: files.path("a.log"))
    let id = try writer.add(destination)
    #expect(try writer.add(destination) == id)
    writer.remove(destination)
    #expect(ring.write(target: id, ByteView("one\n")))
    writer.remove(destination)
    let again = try writer.add(destination)
    #expect(ring.write(target: again, ByteView("two\n")))
    writer.stop()
    #expect(files.text("a.log").split(separator: "\n").sorted() == ["one", "two"])
    #expect(writer.totals.linesDropped == 0)
  }

  @Test func aFileThatCannotBeOpenedIsAnError() throws {
    let writer = try LogWriter(rings: [])
    defer { writer.stop() }
    let failure = #expect(throws: LogWriter.Failure.self) {
      try writer.add(.file(path: "/nowhere/a.log"))
    }
    #expect(
      failure?.description == "cannot open the log file /nowhere/a.log: No such file or directory")
  }

  @Test func mainCountsWhatTheWriterDid() throws {
    let files = try TemporaryFiles()
    let registry = try StatsRegistry(slabCount: 1)
    var metrics = LogMetrics(registry: registry)
    let ring = LogRing(capacity: 1 << 16)
    let writer = try LogWriter(rings: [ring])
    let id = try writer.add(.file(path: files.path("a.log")))
    #expect(ring.write(target: id, ByteView("one\n")))
    #expect(ring.write(target: id, ByteView("two\n")))
    writer.stop()
    metrics.update(from: writer, slab: registry.mainSlab)
    metrics.update(from: writer, slab: registry.mainSlab)
    let values = registry.metrics.filter { registry.value(of: $0) > 0 }
      .map { "\($0.name) \(registry.value(of: $0))" }
    #expect(values == ["filesystem.write_buffered 2", "filesystem.write_completed 1"])
  }
}

/// A pump with one target, number 0.
private struct PumpBench {
  let pump: LogPump
  let ring: LogRing

  init(_ path: String, intervalMilliseconds: Int64 = 10_000, ringBytes: Int = 1 << 18) throws {
    ring = LogRing(capacity: ringBytes)
    pump = LogPump(rings: [ring], intervalMilliseconds: intervalMilliseconds)
    let target = LogTarget(.file(path: path), descriptor: try LogFile.open(path))
    pump.inbox.withLock { $0.orders.append(.add(0, target)) }
  }

  func log(_ line: String) { #expect(ring.write(target: 0, ByteView(line))) }

  func reopened(_ path: String) -> Int32 { (try? LogFile.open(path)) ?? -1 }
}

extension ByteView {
  /// Text that is never freed: for tests.
  fileprivate init(_ text: String) {
    let bytes = Array(text.utf8)
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
    memory.update(from: bytes, count: bytes.count)
    self.init(memory, bytes.count)
  }
}
