/// One or several runs as one page that needs nothing else: style and drawings are in it, there is no script, and
/// its policy forbids to load anything.
public enum HTMLReport {
  /// The first run is the one that the others are compared with.
  public static func page(_ results: [RunResult]) -> String {
    let runs = named(results)
    let title = runs.isEmpty ? "Load report" : "Load report: " + runs.map(\.label).joined(separator: ", ")
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <title>\(HTMLText.escaped(title))</title>
      <style>
      \(PageStyle.css)
      </style></head><body>
      <h1>Load report</h1>
      \(runs.isEmpty ? "<p class=\"empty\">No runs.</p>" : body(runs))
      </body></html>

      """
  }

  /// Labels that tell the runs apart: the target when there is none, with a number when one occurs twice.
  static func named(_ results: [RunResult]) -> [(label: String, run: RunResult)] {
    var seen: [String: Int] = [:]
    return results.map { run in
      let base = run.label.isEmpty ? run.target : run.label
      let count = (seen[base] ?? 0) + 1
      seen[base] = count
      return (label: count == 1 ? base : "\(base) (\(count))", run: run)
    }
  }

  private static func body(_ runs: [(label: String, run: RunResult)]) -> String {
    let time = TimeCharts(runs)
    let percentiles = PercentileChart.charts(runs)
    let steps = StepCharts(runs).charts
    let tables = CountTables(runs)
    return [
      RunTable(runs).html,
      "<h2>Summary</h2>\n" + ComparisonTable(runs).html,
      steps.isEmpty ? "" : section("Steps", steps),
      section("Latency and throughput", percentiles + time.throughput + time.latency),
      "<h2>Errors</h2>\n" + tables.errors,
      "<h2>Answers by status</h2>\n" + tables.statuses,
      tables.grpcStatuses.isEmpty ? "" : "<h2>Calls by grpc-status</h2>\n" + tables.grpcStatuses,
    ].joined(separator: "\n")
  }

  private static func section(_ title: String, _ charts: [LineChart]) -> String {
    let head = "<h2>\(title)</h2>\n"
    guard !charts.isEmpty else { return head + "<p class=\"empty\">Nothing was answered.</p>\n" }
    return head + "<div class=\"charts\">\n\(charts.map(\.html).joined())</div>\n"
  }
}
