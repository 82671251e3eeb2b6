import LoadReport
import Testing

@Suite struct ProgressLineTests {
  private let interval: Interval = {
    var sample = IntervalSample()
    for _ in 0..<5_000 { sample.recordAnswer(latencyNanoseconds: 1_210_000) }
    return sample.interval(startNanoseconds: 0, durationNanoseconds: 250_000_000, intendedRate: 21_000)
  }()

  private let limit = ProgressLine.Limit.duration(nanoseconds: 30_000_000_000)

  private func line(_ progress: ProgressLine, _ interval: Interval? = nil, errors: UInt64 = 0) -> String {
    progress.text(
      interval ?? self.interval, elapsedNanoseconds: 4_000_000_000, completed: 80_000, errors: errors)
  }

  @Test func piped() {
    let progress = ProgressLine(columns: nil, limit: limit, style: .unicode)
    #expect(line(progress) == "0:04, 0:26 left  20,000/s of 21,000/s  p99 1.21 ms  no errors\n")
    #expect(line(progress, errors: 1) == "0:04, 0:26 left  20,000/s of 21,000/s  p99 1.21 ms  1 ERROR\n")
    #expect(progress.end == "")
  }

  @Test func rewrittenInPlace() {
    let progress = ProgressLine(columns: 80, limit: limit, style: .unicode)
    #expect(line(progress) == "\r0:04, 0:26 left  20,000/s of 21,000/s  p99 1.21 ms  no errors\u{1B}[K")
    #expect(progress.end == "\r\u{1B}[K")
  }

  @Test func neverWraps() {
    let progress = ProgressLine(columns: 20, limit: limit, style: .unicode)
    #expect(line(progress) == "\r0:04, 0:26 left  20\u{1B}[K")
    #expect(line(ProgressLine(columns: 0, limit: limit, style: .unicode)) == "\r\u{1B}[K")
  }

  @Test func requestLimitAndSilence() {
    let progress = ProgressLine(columns: nil, limit: .requests(100_000), style: .ascii)
    let silent = Interval(
      startNanoseconds: 0, durationNanoseconds: 1_000_000_000, requests: 0, errors: 0,
      latency: LatencySummary())
    #expect(line(progress, silent, errors: 2) == "0:04, 80,000 of 100,000 requests  0/s  no answers  2 ERRORS\n")
  }

  @Test func overTimeAndWarmUp() {
    let progress = ProgressLine(columns: nil, limit: .duration(nanoseconds: 1), style: .ascii)
    #expect(line(progress).hasPrefix("0:04, 0:00 left"))
    #expect(
      progress.warmUp(elapsedNanoseconds: 2_000_000_000, ofNanoseconds: 5_000_000_000)
        == "warming up  0:02 of 0:05\n")
  }
}
