/// Runs as comma-separated values (RFC 4180): a row an interval, a row a step, and rows for the whole run.
public enum CSVReport {
  static let header = [
    "record", "name", "run", "start_s", "duration_s", "requests", "errors", "intended_rate",
    "achieved_rate", "p50_ms", "p90_ms", "p99_ms", "p99.9_ms", "p99.99_ms", "p99.999_ms", "max_ms",
    "mean_ms",
  ]

  public static func text(_ runs: [RunResult]) -> String {
    var rows = [header]
    for run in runs { rows += self.rows(of: run) }
    return rows.map { row in
      let missing = header.count - row.count
      return (row.map(field) + repeatElement("", count: missing)).joined(separator: ",") + "\r\n"
    }.joined()
  }

  private static func rows(of run: RunResult) -> [[String]] {
    let label = inert(run.label)
    var rows: [[String]] = []
    for (index, interval) in run.intervals.enumerated() {
      rows.append(
        ["interval", "\(index)", label]
          + time(interval.startNanoseconds, interval.durationNanoseconds)
          + ["\(interval.requests)", "\(interval.errors)", interval.intendedRate.map(rate) ?? ""]
          + [rate(interval.achievedRate)] + latency(interval.latency))
    }
    for step in run.steps {
      rows.append(
        ["step", step.failure?.rawValue ?? "sustained", label]
          + time(step.startNanoseconds, step.durationNanoseconds)
          + ["\(step.requests)", "\(step.errors)", rate(step.intendedRate), rate(step.achievedRate)]
          + latency(step.latency))
    }
    rows.append(total(run, label))
    if !run.handshakeTime.isEmpty {
      rows.append(
        ["handshake", "", label] + time(0, run.durationNanoseconds) + ["\(run.tally.tls.handshakes)", "", "", ""]
          + figures(run.handshakeTime))
    }
    rows += run.tally.statuses.occurred.map { code, count in
      ["status", "\(code)", label, "", "", "\(count)"]
    }
    rows += run.tally.grpcStatuses.occurred.map { code, count in
      ["grpc_status", "\(code)", label, "", "", "\(count)"]
    }
    rows += run.tally.errors.occurred.map { kind, count in
      ["error", kind.name, label, "", "", "", "\(count)"]
    }
    return rows
  }

  private static func total(_ run: RunResult, _ label: String) -> [String] {
    var intended = ""
    if case .open(_, let first, let last) = run.mode, first == last { intended = rate(first) }
    return ["total", "", label] + time(0, run.durationNanoseconds)
      + ["\(run.tally.responses)", "\(run.tally.errors.total)", intended, rate(run.achievedRate)]
      + figures(run.latency)
  }

  private static func figures(_ histogram: LatencyHistogram) -> [String] {
    let figures = [50, 90, 99, 99.9, 99.99, 99.999].map { histogram.percentile($0) } + [histogram.max]
    return figures.map { milliseconds(Double($0)) } + [milliseconds(histogram.mean)]
  }

  private static func time(_ start: UInt64, _ duration: UInt64) -> [String] {
    [start, duration].map { NumberText.fixed(Double($0) / 1e9, decimals: 3) }
  }

  private static func latency(_ summary: LatencySummary) -> [String] {
    [summary.p50, summary.p90, summary.p99, summary.p999].map { milliseconds(Double($0)) }
      + ["", "", milliseconds(Double(summary.max))]
  }

  private static func milliseconds(_ nanoseconds: Double) -> String {
    NumberText.fixed(nanoseconds / 1e6, decimals: 6)
  }

  private static func rate(_ value: Double) -> String { NumberText.fixed(value, decimals: 3) }

  /// Spreadsheets run what begins like a formula.
  private static func inert(_ text: String) -> String {
    guard let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first) else {
      return text
    }
    return "'" + text
  }

  private static func field(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
      return text
    }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}
