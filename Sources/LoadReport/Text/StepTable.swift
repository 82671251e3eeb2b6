/// The rates of a climbing run and where it went over.
struct StepTable {
  let steps: [Step]
  let style: TextStyle

  init(_ steps: [Step], _ style: TextStyle) {
    self.steps = steps
    self.style = style
  }

  var lines: [String] {
    var table = TextTable([.right, .right, .right, .right, .right, .right, .left])
    table.add(["intended", "answered", "p50", "p99", "p99.9", "errors", ""])
    for step in steps {
      table.add([
        "\(NumberText.rate(step.intendedRate))/s", "\(NumberText.rate(step.achievedRate))/s",
        DurationText.latency(step.latency.p50, style), DurationText.latency(step.latency.p99, style),
        DurationText.latency(step.latency.p999, style), NumberText.grouped(step.errors),
        Self.verdict(step),
      ])
    }
    return ["steps"] + table.lines() + [Self.knee(steps, style)]
  }

  /// Whether a step was sustained, and why not.
  static func verdict(_ step: Step) -> String {
    switch step.failure {
    case nil: return "sustained"
    case .slow:
      guard step.intendedRate > 0 else { return "too slow" }
      return "too slow: \(NumberText.percent(step.achievedRate / step.intendedRate)) answered"
    case .errors: return "errors: \(NumberText.percent(step.errorFraction)) failed"
    case .latency: return "p99 exploded"
    }
  }

  /// The knee in one line.
  static func knee(_ steps: [Step], _ style: TextStyle) -> String {
    let rates = steps.map(\.intendedRate)
    guard let highest = rates.max(), let lowest = rates.min() else { return "" }
    guard let index = KneeRule.knee(of: steps) else {
      return "knee: below \(NumberText.rate(lowest))/s, not one step was sustained"
    }
    let knee = steps[index]
    let found = "\(NumberText.rate(knee.intendedRate))/s at p99 \(DurationText.latency(knee.latency.p99, style))"
    if knee.intendedRate == highest {
      return "knee: not reached, sustained up to the highest rate tried: \(found)"
    }
    let failedBelow = steps.count { !$0.isSustained && $0.intendedRate < knee.intendedRate }
    let doubt = failedBelow == 0 ? "" : " (unsteady: \(RunDescription.counted(failedBelow, "lower step")) not sustained)"
    return "knee: \(found), the highest rate that was sustained\(doubt)"
  }
}
