/// What came of each rate of climbing runs.
struct StepCharts {
  let runs: [(label: String, run: RunResult)]

  init(_ runs: [(label: String, run: RunResult)]) { self.runs = runs }

  var charts: [LineChart] {
    let rates = runs.flatMap { $0.run.steps }.map(\.intendedRate)
    guard let highest = rates.max() else { return [] }
    let answered = series { $0.achievedRate } note: { "\(NumberText.rate($0.achievedRate))/s" }
    let tails = series { Double($0.latency.p99) } note: {
      "p99 \(DurationText.latency($0.latency.p99, .unicode))"
    }
    let lowest = rates.min() ?? 0
    let ideal = ChartSeries(
      name: "all answered", colour: nil,
      pieces: [[.init(x: lowest, y: lowest), .init(x: highest, y: highest)]], isDashed: true)
    let x = ChartAxis.rate("intended rate, requests per second", upTo: highest)
    let most = answered.flatMap(\.points).map(\.y).max() ?? 0
    return [
      LineChart(
        title: "Answered by intended rate", x: x,
        y: .rate("answers per second", upTo: max(most, highest)), series: [ideal] + answered),
      LineChart(
        title: "p99 by intended rate", x: x,
        y: .latency("latency", covering: tails.flatMap(\.points).map(\.y)), series: tails),
    ]
  }

  private func series(_ value: (Step) -> Double, note: (Step) -> String) -> [ChartSeries] {
    runs.enumerated().filter { !$0.element.run.steps.isEmpty }.map { index, one in
      let points = one.run.steps.filter { $0.requests > 0 }.map { step in
        ChartSeries.Point(
          x: step.intendedRate, y: value(step),
          note:
            "\(one.label) at \(NumberText.rate(step.intendedRate))/s: \(note(step)), \(StepTable.verdict(step))"
        )
      }
      var series = ChartSeries(name: one.label, colour: index, pieces: [points])
      series.hasDots = true
      series.ringed = one.run.knee.map { .init(x: $0.intendedRate, y: value($0)) }
      return series
    }
  }
}
