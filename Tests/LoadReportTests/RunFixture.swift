import LoadReport

/// Runs that look like real ones, the same from the same seed.
struct RunFixture {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// A uniform number from 0 up to 1.
  mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
  }

  /// A latency in nanoseconds with a long tail: mostly near `typical`, one in a hundred up to ten times more.
  mutating func latency(around typical: Double) -> UInt64 {
    let body = 0.7 + 0.5 * uniform() + 0.4 * uniform() * uniform()
    let luck = uniform()
    let tail = luck < 0.99 ? 1 : 1 + 9 * (luck - 0.99) * 100 * uniform()
    return UInt64(typical * body * tail)
  }

  /// `seconds` intervals of one second with about `rate` answers each.
  mutating func run(
    label: String, mode: LoadMode = .closed, seconds: Int = 30, rate: Int = 20_000,
    typicalNanoseconds: Double = 800_000, stallAt: Int? = nil
  ) -> RunResult {
    var run = RunResult(
      label: label, target: "http://127.0.0.1:8080/item", mode: mode, connections: 64, threads: 2,
      startUnixSeconds: 1_795_000_000, durationNanoseconds: UInt64(seconds) * 1_000_000_000,
      warmUpNanoseconds: 2_000_000_000)
    run.command = "apus-load --duration \(seconds)s --connections 64 http://127.0.0.1:8080/item"
    var thread = ThreadResult()
    for second in 0..<seconds {
      var sample = IntervalSample()
      let isStalled = stallAt == second
      let answers = isStalled ? 0 : rate * (95 + Int(uniform() * 10)) / 100
      let stretch = stallAt == second - 1 ? 6.0 : 1
      for _ in 0..<answers {
        let service = latency(around: typicalNanoseconds * stretch)
        let late = mode.isOpen ? UInt64(uniform() * 60_000) : 0
        sample.recordAnswer(latencyNanoseconds: service + late)
        thread.latency.record(nanoseconds: service + late)
        guard mode.isOpen else { continue }
        thread.serviceTime.record(nanoseconds: service)
        thread.scheduleError.record(nanoseconds: late)
      }
      if isStalled {
        sample.errors = 64
        thread.tally.errors.add(.requestTimeout, 64)
      }
      var intended: Double?
      if case .open(_, let first, let last) = mode {
        intended = first + (last - first) * Double(second) / Double(max(1, seconds - 1))
      }
      run.intervals.append(
        sample.interval(
          startNanoseconds: UInt64(second) * 1_000_000_000, durationNanoseconds: 1_000_000_000,
          intendedRate: intended))
    }
    fill(&thread)
    run.merge(thread)
    return run
  }

  /// A run that climbs from 5,000/s to 40,000/s and goes over at `limit`; `rate` answers a second are recorded.
  mutating func ramp(label: String, limit: Double = 30_000, rate: Int = 500) -> RunResult {
    var run = run(
      label: label, mode: .open(arrivals: .poisson, first: 5_000, last: 40_000), seconds: 40,
      rate: rate)
    for index in 0..<8 {
      let intended = 5_000 * Double(index + 1)
      var histogram = LatencyHistogram()
      let load = min(intended / limit, 1.2)
      for _ in 0..<1_000 {
        histogram.record(nanoseconds: latency(around: 400_000 + (load > 1 ? 90_000_000 : 900_000 * load * load)))
      }
      run.steps.append(
        Step(
          startNanoseconds: UInt64(index) * 5_000_000_000, durationNanoseconds: 5_000_000_000,
          intendedRate: intended, requests: UInt64(min(intended, limit) * 5),
          errors: load > 1 ? 12 : 0, latency: LatencySummary(histogram)))
    }
    KneeRule().judge(&run.steps)
    return run
  }

  private func fill(_ thread: inout ThreadResult) {
    let answers = thread.latency.count
    thread.tally.responses = answers
    thread.tally.successes = answers - answers / 1000
    thread.tally.errors.add(.unexpectedStatus, answers / 1000)
    thread.tally.statuses.add(200, answers - answers / 1000)
    thread.tally.statuses.add(503, answers / 1000)
    thread.tally.requestsSent = answers + thread.tally.errors.unanswered
    thread.tally.bytesRead = answers * 1_180
    thread.tally.bytesWritten = answers * 64
    thread.tally.connectionsOpened = 64
    thread.cpuNanoseconds = answers * 7_300
  }
}
