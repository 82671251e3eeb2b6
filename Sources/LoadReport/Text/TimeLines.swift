/// Throughput and p99 over time, a mark an interval.
struct TimeLines {
  let intervals: [Interval]
  let style: TextStyle
  /// Marks at most.
  private let width = 60

  init(_ intervals: [Interval], _ style: TextStyle) {
    self.intervals = intervals
    self.style = style
  }

  var lines: [String] {
    guard intervals.count > 1, intervals.contains(where: { $0.requests > 0 }) else { return [] }
    let groups = Thinning.groups(of: intervals.count, limit: width).map { intervals[$0] }
    let rates = groups.map { group in
      perSecond(
        group.reduce(0) { $0 &+ $1.requests },
        over: group.reduce(0) { $0 &+ $1.durationNanoseconds })
    }
    let tails = groups.map { group in
      group.filter { $0.requests > 0 }.map { Double($0.latency.p99) }.max()
    }
    let each = DurationText.span(groups[0].reduce(0) { $0 &+ $1.durationNanoseconds })
    var table = TextTable([.left, .left, .left])
    table.add(["answers/s", Sparkline.line(rates, style), rateRange(rates)])
    table.add(["p99", Sparkline.line(tails, style), tailRange])
    return ["over time, \(each) a mark, from zero"] + table.lines()
  }

  private func rateRange(_ rates: [Double]) -> String {
    let lowest = rates.min() ?? 0
    let highest = rates.max() ?? 0
    return "\(NumberText.rate(lowest)) to \(NumberText.rate(highest))"
  }

  private var tailRange: String {
    let answered = intervals.filter { $0.requests > 0 }
    guard let lowest = answered.map(\.latency.p99).min(),
      let worst = answered.max(by: { $0.latency.p99 < $1.latency.p99 })
    else { return "" }
    return "\(DurationText.latency(lowest, style)) to \(DurationText.latency(worst.latency.p99, style)), "
      + "worst at \(DurationText.clock(worst.startNanoseconds))"
  }
}
