import LoadReport
import Testing

@Suite struct KneeRuleTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Intended rate, answered rate, p99 in microseconds, errors; each step lasts a second.
    let steps: [(Double, UInt64, UInt64, UInt64)]
    let failures: [Step.Failure?]
    let knee: Double?
  }

  static let rows = [
    Row(
      testDescription: "answers short of the rate", steps: [(1000, 1000, 500, 0), (2000, 1979, 600, 0)],
      failures: [nil, .slow], knee: 1000),
    Row(
      testDescription: "99 % is enough", steps: [(1000, 990, 500, 0)], failures: [nil], knee: 1000),
    Row(
      testDescription: "p99 more than ten times the lowest",
      steps: [(1000, 1000, 500, 0), (2000, 2000, 5000, 0), (3000, 3000, 5001, 0)],
      failures: [nil, nil, .latency], knee: 2000),
    Row(
      testDescription: "p99 up to a millisecond is harmless",
      steps: [(1000, 1000, 50, 0), (2000, 2000, 1000, 0), (3000, 3000, 1001, 0)],
      failures: [nil, nil, .latency], knee: 2000),
    Row(
      testDescription: "more than 1 % errors", steps: [(1000, 1000, 500, 10), (2000, 2000, 500, 21)],
      failures: [nil, .errors], knee: 1000),
    Row(
      testDescription: "compared with lower rates, in whatever order they ran",
      steps: [(3000, 3000, 9000, 0), (1000, 1000, 800, 0), (2000, 2000, 900, 0)],
      failures: [.latency, nil, nil], knee: 2000),
    Row(
      testDescription: "the highest sustained counts though a lower one failed",
      steps: [(1000, 1000, 500, 0), (2000, 1500, 500, 0), (3000, 3000, 700, 0)],
      failures: [nil, .slow, nil], knee: 3000),
    Row(
      testDescription: "no answer at all is not a low p99",
      steps: [(1000, 0, 0, 0), (2000, 2000, 5000, 0)], failures: [.slow, nil], knee: 2000),
    Row(testDescription: "none", steps: [(1000, 10, 500, 0)], failures: [.slow], knee: nil),
    Row(testDescription: "no steps", steps: [], failures: [], knee: nil),
  ]

  @Test(arguments: [(30, nil), (15, .slow), (500, .slow)] as [(UInt64, Step.Failure?)])
  func whatIsOnItsWayIsNotMissed(p50Milliseconds: UInt64, failure: Step.Failure?) {
    // At 30 ms an answer, 30 of 1,000 a second are on their way at any time.
    var latency = LatencySummary()
    latency.p50 = p50Milliseconds * 1_000_000
    latency.p99 = latency.p50
    let answered: UInt64 = p50Milliseconds == 500 ? 700 : 970
    var steps = [
      Step(
        startNanoseconds: 0, durationNanoseconds: 1_000_000_000, intendedRate: 1000,
        requests: answered, errors: 0, latency: latency)
    ]
    KneeRule().judge(&steps)
    #expect(steps[0].failure == failure)
  }

  @Test(arguments: rows)
  func knee(_ row: Row) {
    var steps = row.steps.map { intended, answered, p99, errors in
      var latency = LatencySummary()
      latency.p99 = p99 * 1000
      return Step(
        startNanoseconds: 0, durationNanoseconds: 1_000_000_000, intendedRate: intended,
        requests: answered, errors: errors, latency: latency)
    }
    KneeRule().judge(&steps)
    #expect(steps.map(\.failure) == row.failures)
    #expect(KneeRule.knee(of: steps).map { steps[$0].intendedRate } == row.knee)
  }
}
