/// Percentiles, one a line; in open loop with the parts that latency is made of beside it.
struct LatencyTable {
  let run: RunResult
  let style: TextStyle

  init(_ run: RunResult, _ style: TextStyle) {
    self.run = run
    self.style = style
  }

  var lines: [String] {
    let columns = columns
    var table = TextTable([.left] + columns.map { _ in .right })
    table.add([""] + columns.map(\.name))
    for percent in Percentiles.shown {
      table.add(
        [Percentiles.name(percent)]
          + columns.map { column in
            let value = DurationText.latency(column.histogram.percentile(percent), style)
            return Percentiles.isFirm(percent, of: column.histogram.count) ? value : "~" + value
          })
    }
    table.add(["max"] + columns.map { DurationText.latency($0.histogram.max, style) })
    table.add(["mean"] + columns.map { DurationText.latency($0.histogram.mean, style) })
    table.add(
      ["stdev"] + columns.map { DurationText.latency($0.histogram.standardDeviation, style) })
    let rates = run.steps.isEmpty ? "" : " over all rates"
    return ["latency\(rates), \(RunDescription.latencyStart(run.mode)) until its answer was whole"]
      + table.lines()
  }

  private var columns: [(name: String, histogram: LatencyHistogram)] {
    var columns = [(name: "latency", histogram: run.latency)]
    guard run.mode.isOpen else { return columns }
    if !run.serviceTime.isEmpty { columns.append((name: "from sending", histogram: run.serviceTime)) }
    if !run.scheduleError.isEmpty { columns.append((name: "sent late by", histogram: run.scheduleError)) }
    return columns
  }
}
