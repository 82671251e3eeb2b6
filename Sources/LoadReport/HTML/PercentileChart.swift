#if canImport(Glibc)
  import Glibc
#endif

/// Latency by percentile, each nine as wide as the one before.
enum PercentileChart {
  private static let pointsPerNine = 24

  static func charts(_ runs: [(label: String, run: RunResult)]) -> [LineChart] {
    let series = runs.enumerated().filter { !$0.element.run.latency.isEmpty }.map { index, one in
      line(one.label, colour: index, one.run.latency)
    }
    guard !series.isEmpty else { return [] }
    let points = series.flatMap(\.points)
    let hasFaint = series.contains { !$0.pieces[1].isEmpty }
    let note = hasFaint ? "; faint: fewer than \(Int(Percentiles.fewestAbove)) requests took longer" : ""
    return [
      LineChart(
        title: "Latency by percentile", x: .percentile(upTo: points.map(\.x).max() ?? 1),
        y: .latency("latency", covering: points.map(\.y)), series: series, note: note)
    ]
  }

  /// Solid as far as enough requests lie above, faint beyond.
  private static func line(_ label: String, colour: Int, _ latency: LatencyHistogram) -> ChartSeries {
    var firm: [ChartSeries.Point] = []
    var faint: [ChartSeries.Point] = []
    let last = Int((log10(Double(latency.count)) * Double(pointsPerNine)).rounded(.down))
    for step in 0...max(0, last) {
      let inverse = pow(10, Double(step) / Double(pointsPerNine))
      let percent = 100 - 100 / inverse
      let point = ChartSeries.Point(x: inverse, y: Double(latency.percentile(percent)))
      if Percentiles.isFirm(percent, of: latency.count) {
        firm.append(point)
      } else {
        if faint.isEmpty, let end = firm.last { faint.append(end) }
        faint.append(point)
      }
    }
    // The first piece is the firm one, even when it is empty.
    var series = ChartSeries(name: label, colour: colour, pieces: [firm, faint])
    series.isFaintAfterFirst = true
    let noted = Percentiles.shown.filter { 100 / (100 - $0) <= Double(latency.count) }
    series.notes = noted.map { percent in
      let value = latency.percentile(percent)
      let note = "\(label), \(Percentiles.name(percent)): \(DurationText.latency(value, .unicode))"
      return ChartSeries.Point(x: 100 / (100 - percent), y: Double(value), note: note)
    }
    return series
  }
}
