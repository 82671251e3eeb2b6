/// The figures of several runs side by side, each with its ratio to the first.
struct ComparisonTable {
  let runs: [(label: String, run: RunResult)]

  init(_ runs: [(label: String, run: RunResult)]) { self.runs = runs }

  private enum Good { case high, low, neither }

  private struct Row {
    let name: String
    let good: Good
    /// nil: the run does not know.
    let value: (RunResult) -> Double?
    let text: (Double) -> String
    /// Shown even when no run knows it.
    var isAlways = false
  }

  /// Differences below this are not worth a colour.
  private let noise = 0.03

  var html: String {
    let heads = runs.enumerated().map { index, one in
      "<th>\(Self.swatch(index))\(HTMLText.escaped(one.label))</th>"
    }
    let rows = rows.filter { row in row.isAlways || runs.contains { row.value($0.run) != nil } }.map { row in
      "<tr><td>\(row.name)</td>\(cells(row))</tr>"
    }
    return notes + "<div class=\"scroll\"><table><tr><th></th>\(heads.joined())</tr>\n"
      + rows.joined(separator: "\n") + "\n</table></div>\n"
  }

  private var notes: String {
    var parts: [String] = []
    if runs.count > 1 { parts.append("× is the ratio to \(HTMLText.escaped(runs[0].label)).") }
    if runs.contains(where: { $0.run.warnings.contains { $0.code == .fewSamples } }) {
      parts.append("– is a percentile that fewer than \(Int(Percentiles.fewestAbove)) requests decide.")
    }
    return parts.isEmpty ? "" : "<p class=\"soft\">\(parts.joined(separator: " "))</p>\n"
  }

  static func swatch(_ index: Int) -> String {
    "<span class=\"swatch \(PageStyle.colour(index))\"></span>"
  }

  private func cells(_ row: Row) -> String {
    let first = runs.first.flatMap { row.value($0.run) }
    return runs.enumerated().map { index, one in
      guard let value = row.value(one.run) else { return "<td class=\"soft\">–</td>" }
      let ratio = index == 0 || runs.count == 1 ? "" : " " + ratio(value, to: first, row.good)
      return "<td>\(row.text(value))\(ratio)</td>"
    }.joined()
  }

  private func ratio(_ value: Double, to first: Double?, _ good: Good) -> String {
    guard let first, first > 0 else { return "<span class=\"ratio\"></span>" }
    let ratio = value / first
    var classes = "ratio"
    if abs(ratio - 1) > noise, good != .neither {
      classes += (ratio > 1) == (good == .high) ? " better" : " worse"
    }
    return "<span class=\"\(classes)\">×\(NumberText.significant(ratio))</span>"
  }

  private var rows: [Row] {
    let latency = { (nanoseconds: Double) in DurationText.latency(nanoseconds, .unicode) }
    var rows = [
      Row(name: "answers per second", good: .high, value: { $0.achievedRate }, text: NumberText.rate),
      Row(name: "answers", good: .neither, value: { Double($0.tally.responses) }, text: NumberText.rate),
      Row(
        name: "failed requests", good: .low, value: { $0.tally.errorFraction },
        text: { HTMLText.escaped(NumberText.percent($0)) }),
    ]
    for percent in Percentiles.shown {
      rows.append(
        Row(
          name: "latency " + Percentiles.name(percent), good: .low,
          value: { run in
            Percentiles.isFirm(percent, of: run.latency.count)
              ? Double(run.latency.percentile(percent)) : nil
          }, text: latency, isAlways: runs.contains { !$0.run.latency.isEmpty }))
    }
    return rows + [
      Row(
        name: "latency max", good: .low,
        value: { $0.latency.isEmpty ? nil : Double($0.latency.max) }, text: latency),
      Row(
        name: "latency mean", good: .low, value: { $0.latency.isEmpty ? nil : $0.latency.mean },
        text: latency),
      Row(
        name: "sent late by, p99", good: .low,
        value: { $0.scheduleError.isEmpty ? nil : Double($0.scheduleError.percentile(99)) },
        text: latency),
      Row(name: "knee, requests per second", good: .high, value: { $0.knee?.intendedRate }, text: NumberText.rate),
      Row(
        name: "TLS handshakes per second", good: .neither,
        value: { run in
          run.tally.tls.handshakes > 0 ? perSecond(run.tally.tls.handshakes, over: run.durationNanoseconds) : nil
        }, text: NumberText.rate),
      Row(
        name: "handshake time p50", good: .low,
        value: { $0.handshakeTime.isEmpty ? nil : Double($0.handshakeTime.percentile(50)) }, text: latency),
      Row(
        name: "handshake time p99", good: .low,
        value: { run in
          Percentiles.isFirm(99, of: run.handshakeTime.count) ? Double(run.handshakeTime.percentile(99)) : nil
        }, text: latency),
      Row(
        name: "bytes read per second", good: .neither,
        value: { perSecond($0.tally.bytesRead, over: $0.durationNanoseconds) },
        text: { NumberText.bytes($0) }),
      Row(
        name: "generator CPU per answer", good: .neither,
        value: { run in
          run.cpuNanoseconds > 0 && run.tally.responses > 0
            ? Double(run.cpuNanoseconds) / Double(run.tally.responses) : nil
        }, text: latency),
    ]
  }
}
