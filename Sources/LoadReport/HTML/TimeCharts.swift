/// Throughput and latency over time.
struct TimeCharts {
  /// Points of one line at most.
  private static let mostPoints = 280

  let runs: [(label: String, run: RunResult)]

  init(_ runs: [(label: String, run: RunResult)]) { self.runs = runs }

  private var seconds: Double {
    let ends = runs.flatMap { $0.run.intervals }.map { Double($0.startNanoseconds) + Double($0.durationNanoseconds) }
    return (ends.max() ?? 0) / 1e9
  }

  var throughput: [LineChart] {
    var series: [ChartSeries] = []
    for (index, (label, run)) in runs.enumerated() where !run.intervals.isEmpty {
      let groups = groups(of: run)
      let points = groups.map { group in
        point(at: group, group.rate, "\(label), \(NumberText.rate(group.rate))/s")
      }
      series.append(ChartSeries(name: label, colour: index, pieces: [points]))
      if let intended = intended(groups), runs.count == 1 {
        series.append(
          ChartSeries(name: "\(label), intended", colour: index, pieces: [intended], isDashed: true))
      }
    }
    guard !series.isEmpty else { return [] }
    let highest = series.flatMap(\.points).map(\.y).max() ?? 0
    return [
      LineChart(
        title: "Throughput over time", x: .time(upTo: seconds),
        y: .rate("answers per second", upTo: highest), series: series)
    ]
  }

  /// One run: its percentiles in one chart. Several: a chart for each percentile.
  var latency: [LineChart] {
    let kinds: [(name: String, value: (Interval) -> UInt64)] = [
      ("p50", { $0.latency.p50 }), ("p99", { $0.latency.p99 }), ("p99.9", { $0.latency.p999 }),
    ]
    if let only = runs.first, runs.count == 1 {
      let series = kinds.enumerated().map { index, kind in
        self.series(of: only.run, kind.name, colour: index, kind.value)
      }
      return chart("Latency over time", series).map { [$0] } ?? []
    }
    return kinds.compactMap { kind in
      let series = runs.enumerated().map { index, one in
        self.series(of: one.run, one.label, colour: index, kind.value)
      }
      return chart("\(kind.name) over time", series)
    }
  }

  private func chart(_ title: String, _ series: [ChartSeries]) -> LineChart? {
    let shown = series.filter { !$0.points.isEmpty }
    guard !shown.isEmpty else { return nil }
    return LineChart(
      title: title, x: .time(upTo: seconds),
      y: .latency("latency", covering: shown.flatMap(\.points).map(\.y)), series: shown)
  }

  /// The worst value of each group; a gap where nothing was answered.
  private func series(
    of run: RunResult, _ name: String, colour: Int, _ value: (Interval) -> UInt64
  ) -> ChartSeries {
    var pieces: [[ChartSeries.Point]] = [[]]
    for group in groups(of: run) {
      guard let worst = group.intervals.filter({ $0.requests > 0 }).map(value).max() else {
        pieces.append([])
        continue
      }
      let note = "\(name), \(DurationText.latency(worst, .unicode))"
      pieces[pieces.count - 1].append(point(at: group, Double(worst), note))
    }
    return ChartSeries(name: name, colour: colour, pieces: pieces.filter { !$0.isEmpty })
  }

  private struct Group {
    let intervals: [Interval]

    var start: UInt64 { intervals.first?.startNanoseconds ?? 0 }
    private var duration: UInt64 { intervals.reduce(0) { $0 &+ $1.durationNanoseconds } }
    var rate: Double { perSecond(intervals.reduce(0) { $0 &+ $1.requests }, over: duration) }
    /// Seconds.
    var middle: Double { (Double(start) + Double(duration) / 2) / 1e9 }
    var intended: Double? {
      let rates = intervals.compactMap(\.intendedRate)
      return rates.isEmpty ? nil : rates.reduce(0, +) / Double(rates.count)
    }
  }

  private func groups(of run: RunResult) -> [Group] {
    Thinning.groups(of: run.intervals.count, limit: Self.mostPoints).map {
      Group(intervals: Array(run.intervals[$0]))
    }
  }

  private func intended(_ groups: [Group]) -> [ChartSeries.Point]? {
    let points = groups.compactMap { group in
      group.intended.map { ChartSeries.Point(x: group.middle, y: $0) }
    }
    return points.isEmpty ? nil : points
  }

  private func point(at group: Group, _ value: Double, _ note: String) -> ChartSeries.Point {
    ChartSeries.Point(x: group.middle, y: value, note: "\(DurationText.clock(group.start)): \(note)")
  }
}
