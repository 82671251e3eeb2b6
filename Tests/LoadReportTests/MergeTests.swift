import LoadReport
import Testing

@Suite struct MergeTests {
  @Test func threadsAddUp() {
    var first = ThreadResult()
    first.tally.requestsSent = 10
    first.tally.responses = 9
    first.tally.successes = 8
    first.tally.bytesRead = 100
    first.tally.bytesWritten = 50
    first.tally.connectionsOpened = 2
    first.tally.waitedForConnection = 3
    first.tally.statuses.add(200, 8)
    first.tally.statuses.add(99_999)
    first.tally.errors.add(.reset)
    first.tally.errors.add(.unexpectedStatus)
    first.latency.record(nanoseconds: 10)
    first.serviceTime.record(nanoseconds: 20)
    first.scheduleError.record(nanoseconds: 30)
    first.cpuNanoseconds = 5
    var second = first
    second.cpuNanoseconds = 7
    var run = RunResult(
      label: "", target: "", mode: .closed, connections: 1, threads: 2, startUnixSeconds: 0,
      durationNanoseconds: 2_000_000_000)
    run.merge(first)
    run.merge(second)
    #expect(run.tally.requestsSent == 20)
    #expect(run.tally.responses == 18)
    #expect(run.tally.successes == 16)
    #expect(run.tally.bytesRead == 200)
    #expect(run.tally.bytesWritten == 100)
    #expect(run.tally.connectionsOpened == 4)
    #expect(run.tally.waitedForConnection == 6)
    #expect(run.tally.statuses[200] == 16)
    #expect(run.tally.statuses[0] == 2)
    #expect(run.tally.statuses.occurred.map(\.code) == [0, 200])
    #expect(run.tally.errors[.reset] == 2)
    #expect(run.tally.errors.total == 4)
    #expect(run.tally.errors.unanswered == 2)
    #expect(run.tally.completed == 20)
    #expect(run.latency.count == 2 && run.latency.max == 10)
    #expect(run.serviceTime.count == 2 && run.serviceTime.max == 20)
    #expect(run.scheduleError.count == 2 && run.scheduleError.max == 30)
    #expect(run.cpuNanoseconds == 12)
    #expect(run.busiestThreadNanoseconds == 7)
    #expect(run.achievedRate == 9)
  }

  @Test func errorsAreNamedUniquelyAndListedByFrequency() {
    for kind in ErrorKind.allCases { #expect(ErrorKind(name: kind.name) == kind) }
    #expect(Set(ErrorKind.allCases.map(\.name)).count == ErrorKind.allCases.count)
    var errors = ErrorCounts()
    errors.add(.other, 2)
    errors.add(.reset, 5)
    errors.add(.connectFailed, 2)
    #expect(errors.occurred.map(\.kind) == [.reset, .connectFailed, .other])
  }

  @Test func samplesOfAnInterval() {
    var first = IntervalSample()
    first.recordAnswer(latencyNanoseconds: 100)
    first.errors = 1
    var second = IntervalSample()
    second.recordAnswer(latencyNanoseconds: 300)
    second.merge(first)
    let interval = second.interval(
      startNanoseconds: 5, durationNanoseconds: 500_000_000, intendedRate: 4)
    #expect(interval.requests == 2 && interval.errors == 1)
    #expect(interval.latency.p50 == 100 && interval.latency.max == 300)
    #expect(interval.achievedRate == 4)
    second.reset()
    #expect(second == IntervalSample())
  }
}
