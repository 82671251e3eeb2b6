import LoadGenerator
import LoadReport

/// Shows how a run goes on standard error: a line rewritten in place on a terminal, a line a second
/// when piped.
struct ProgressDisplay {
  private let plan: LoadPlan
  private let line: ProgressLine?
  private let isTerminal: Bool
  private var completed: UInt64 = 0
  private var errors: UInt64 = 0
  private var shownAt: Int64

  init(_ plan: LoadPlan, isQuiet: Bool) {
    self.plan = plan
    shownAt = -Int64(clamping: plan.warmUp)
    let columns = Console.columns
    isTerminal = columns != nil
    let limit: ProgressLine.Limit =
      if let duration = plan.duration {
        .duration(nanoseconds: duration)
      } else {
        .requests(UInt64(plan.requests ?? 0))
      }
    line = isQuiet ? nil : ProgressLine(columns: columns, limit: limit, style: Console.style)
  }

  mutating func show(_ progress: LoadProgress) {
    for interval in progress.intervals {
      completed += interval.requests
      errors += interval.errors
    }
    guard let line, isDue(progress) else { return }
    if progress.elapsed < 0 {
      let done = UInt64(max(0, Int64(plan.warmUp) + progress.elapsed))
      Console.write(line.warmUp(elapsedNanoseconds: done, ofNanoseconds: plan.warmUp), to: 2)
    } else if let last = progress.intervals.last {
      Console.write(
        line.text(
          last, elapsedNanoseconds: last.startNanoseconds + last.durationNanoseconds,
          completed: completed, errors: errors), to: 2)
    } else {
      return
    }
    shownAt = progress.elapsed
  }

  private func isDue(_ progress: LoadProgress) -> Bool {
    if progress.elapsed < 0, plan.warmUp < 1_000_000_000 { return false }
    let distance: Int64 = isTerminal ? 100_000_000 : 1_000_000_000
    return progress.elapsed - shownAt >= distance - 20_000_000
  }

  func end() {
    if let line { Console.write(line.end, to: 2) }
  }
}
