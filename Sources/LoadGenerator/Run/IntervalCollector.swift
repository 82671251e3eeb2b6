import LoadReport

/// Puts what the threads counted together: slices of time, steps of a ramp, and the whole.
///
/// A slice is complete when every thread has handed over a later one; until then it is held.
struct IntervalCollector {
  private let plan: LoadPlan
  private let length: UInt64
  /// Nanoseconds that are measured; `.max` while unknown.
  private var duration: UInt64
  private var open: [Int: IntervalSample] = [:]
  /// By thread: the first slice that may still get counts.
  private var reached: [Int]
  private var nextInterval = 0
  private var steps: [IntervalSample]
  private(set) var threads: [ThreadResult]
  private(set) var intervals: [Interval] = []

  init(_ plan: LoadPlan) {
    self.plan = plan
    length = plan.intervalLength
    duration = plan.duration ?? .max
    reached = Array(repeating: 0, count: plan.threads)
    threads = Array(repeating: ThreadResult(), count: plan.threads)
    steps = []
    if let schedule, schedule.measured.count > 1 {
      steps = Array(repeating: IntervalSample(), count: schedule.measured.count)
    }
  }

  private var schedule: RateSchedule? {
    if case .open(let schedule, _) = plan.pace { schedule } else { nil }
  }

  /// Takes a record of one thread over.
  mutating func add(_ record: ThreadRecord, thread: Int) {
    threads[thread].tally.merge(record.tally)
    threads[thread].latency.merge(record.latency)
    threads[thread].serviceTime.merge(record.serviceTime)
    threads[thread].scheduleError.merge(record.scheduleError)
    threads[thread].handshakeTime.merge(record.handshakeTime)
    // The next record of this thread is a later one.
    reached[thread] = record.interval + 1
    // Answers that came after the end belong to the whole, but to no slice of time.
    guard UInt64(record.interval) * length < duration else { return }
    open[record.interval, default: IntervalSample()].add(record)
    if let step = step(of: record.interval) { steps[step].add(record) }
  }

  private func step(of interval: Int) -> Int? {
    guard !steps.isEmpty, let first = schedule?.measured.first else { return nil }
    let step = Int(UInt64(interval) * length / (first.end - first.start))
    return step < steps.count ? step : nil
  }

  /// The slices that have become complete.
  mutating func complete() -> [Interval] {
    guard let until = reached.min() else { return [] }
    return close(until: until, end: duration)
  }

  /// The rest; the measured part ended at `end`.
  mutating func finish(end: UInt64) -> [Interval] {
    duration = min(duration, end)
    let count = duration == 0 ? 0 : Int((duration - 1) / length) + 1
    return close(until: count, end: duration)
  }

  private mutating func close(until: Int, end: UInt64) -> [Interval] {
    var closed: [Interval] = []
    while nextInterval < until {
      let start = UInt64(nextInterval) * length
      guard start < end else { break }
      let sample = open.removeValue(forKey: nextInterval) ?? IntervalSample()
      closed.append(
        sample.interval(
          startNanoseconds: start, durationNanoseconds: min(length, end - start),
          intendedRate: schedule.map { $0.rate(at: plan.warmUp + start) }))
      nextInterval += 1
    }
    intervals += closed
    return closed
  }

  /// The steps of a ramp as far as the run got, judged.
  func judgedSteps() -> [Step] {
    guard let schedule, !steps.isEmpty else { return [] }
    var result: [Step] = []
    for (stage, sample) in zip(schedule.measured, steps) {
      let start = stage.start - plan.warmUp
      guard start < duration else { break }
      result.append(
        Step(
          startNanoseconds: start, durationNanoseconds: min(stage.end - stage.start, duration - start),
          intendedRate: stage.rate, requests: sample.requests, errors: sample.errors,
          latency: LatencySummary(sample.latency)))
    }
    KneeRule().judge(&result)
    return result
  }
}

extension IntervalSample {
  fileprivate mutating func add(_ record: ThreadRecord) {
    requests &+= record.tally.responses
    errors &+= record.tally.errors.total
    latency.merge(record.latency)
  }
}
