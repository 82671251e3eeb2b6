import Testing

@testable import LoadReport

@Suite struct RunWarningTests {
  private func run(_ mode: LoadMode = .closed, answers: UInt64 = 20_000_000) -> RunResult {
    var run = RunResult(
      label: "r", target: "t", mode: mode, connections: 1, threads: 1, startUnixSeconds: 0,
      durationNanoseconds: 20_000_000_000)
    run.tally.responses = answers
    run.latency.record(nanoseconds: 1_000_000, count: answers)
    return run
  }

  private let open = LoadMode.open(arrivals: .constant, first: 1_000_000, last: 1_000_000)

  @Test func noneWhenAllIsWell() {
    var run = run(open)
    run.scheduleError.record(nanoseconds: 1_000_000, count: 20_000_000)
    #expect(run.warnings == [])
  }

  @Test func nothingAnswered() {
    #expect(run(answers: 0).warnings.map(\.code) == [.noAnswers])
  }

  @Test func unansweredAreMissingInTheLatency() {
    var run = run()
    run.tally.errors.add(.unexpectedStatus, 5)
    #expect(run.warnings == [])
    run.tally.errors.add(.requestTimeout)
    #expect(run.warnings.map(\.code) == [.unanswered])
    #expect(run.warnings[0].text.hasPrefix("1 request got no whole answer;"))
  }

  @Test func unsentAreMissingInTheLatency() {
    var run = run(open)
    run.tally.requestsUnsent = 2
    #expect(run.warnings.map(\.code) == [.unsent])
    #expect(run.warnings[0].text.hasPrefix("2 requests were due but never sent"))
  }

  @Test func rateIsMissedBelow99PerCent() {
    #expect(run(open, answers: 19_800_000).warnings == [])
    #expect(run(open, answers: 19_799_999).warnings.map(\.code) == [.rateMissed])
  }

  @Test func lateForWantOfConnectionsOrByItself() {
    var run = run(open)
    run.scheduleError.record(nanoseconds: 1_000, count: 900_000)
    run.scheduleError.record(nanoseconds: 5_000_000, count: 100_000)
    #expect(run.warnings.map(\.code) == [.generatorLate])
    #expect(run.warnings[0].text.contains("5.00 ms"))
    run.tally.waitedForConnection = 10_000
    #expect(run.warnings.map(\.code) == [.connectionsBusy])
    run.tally.waitedForConnection = 9_999
    #expect(run.warnings.map(\.code) == [.generatorLate])
  }

  @Test func busyGenerator() {
    var run = run()
    run.busiestThreadNanoseconds = 19_000_000_000
    #expect(run.warnings == [])
    run.busiestThreadNanoseconds = 19_000_000_001
    #expect(run.warnings.map(\.code) == [.generatorBusy])
  }

  @Test func silenceIsAStallOnlyWhereAnswersWereDue() {
    var run = run()
    let second = Interval(
      startNanoseconds: 17_000_000_000, durationNanoseconds: 1_000_000_000, requests: 0, errors: 0,
      latency: LatencySummary())
    run.intervals = [second]
    #expect(run.warnings.map(\.text) == ["Nothing was answered during 1 s of the run, first at 0:17."])
    run.durationNanoseconds = 20_000_000 * 1_000_000_000
    #expect(run.warnings == [])
  }

  @Test func percentilesNeedAHundredAbove() {
    #expect(run(answers: 10_000_000).warnings == [])
    let few = run(answers: 9_999_999).warnings
    #expect(few.map(\.code) == [.fewSamples])
    #expect(few[0].isNote)
    #expect(few[0].text.hasPrefix("p99.999 and beyond"))
    #expect(run(answers: 99_999).warnings[0].text.hasPrefix("p99.9 and beyond"))
    #expect(run(answers: 100_000).warnings[0].text.hasPrefix("p99.99 and beyond"))
  }
}
