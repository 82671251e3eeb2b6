/// `/stats`: a line per metric.
struct TextStats {
  let registry: StatsRegistry
  let mode: StatsPrinter.HistogramMode

  func print(_ metric: Metric, into output: inout [UInt8]) {
    output.append(text: metric.name)
    switch metric.kind {
    case .counter, .gauge, .family:
      output.append(": ")
      output.append(decimal: registry.value(of: metric))
    case .text:
      output.append(": \"")
      output.append(text: registry.text(of: metric))
      output.append("\"")
    case .histogram: print(histogram: metric, into: &output)
    }
    output.append("\n")
  }

  private func print(histogram metric: Metric, into output: inout [UInt8]) {
    let total = registry.histogram(of: metric)
    guard total.count > 0 else { return output.append(": No recorded values") }
    let interval = registry.interval(of: metric) ?? HistogramReading()
    switch mode {
    case .summary:
      output.append(": ")
      summary(interval, total, metric.unit, into: &output)
    case .cumulative, .disjoint:
      output.append(":")
      buckets(interval, total, metric, into: &output)
    case .detailed:
      output.append(":\n  totals=")
      occupied(total, metric.unit, into: &output)
      output.append("\n  intervals=")
      occupied(interval, metric.unit, into: &output)
      output.append("\n  summary=")
      summary(interval, total, metric.unit, into: &output)
    }
  }

  /// `P50(interval,total) ...`
  private func summary(
    _ interval: HistogramReading, _ total: HistogramReading, _ unit: HistogramUnit,
    into output: inout [UInt8]
  ) {
    for (index, perMille) in StatsPrinter.percentiles.enumerated() {
      if index > 0 { output.append(" ") }
      output.append("P")
      output.append(thousandths: perMille * 100)
      output.append("(")
      value(interval.quantile(perMille: perMille), unit, into: &output)
      output.append(",")
      value(total.quantile(perMille: perMille), unit, into: &output)
      output.append(")")
    }
  }

  private func value(_ value: UInt64?, _ unit: HistogramUnit, into output: inout [UInt8]) {
    guard let value else { return output.append("nan") }
    output.append(recorded: value, unit: unit)
  }

  /// ` B0.5(interval,total) ...`
  private func buckets(
    _ interval: HistogramReading, _ total: HistogramReading, _ metric: Metric,
    into output: inout [UInt8]
  ) {
    for bucket in DisplayBucket.all(interval, total, metric, isCumulative: mode == .cumulative) {
      output.append(" B")
      output.append(generalRecorded: bucket.bound, unit: metric.unit)
      output.append("(")
      output.append(decimal: bucket.interval)
      output.append(",")
      output.append(decimal: bucket.total)
      output.append(")")
    }
  }

  /// `lowest,width:count, ...`
  private func occupied(
    _ reading: HistogramReading, _ unit: HistogramUnit, into output: inout [UInt8]
  ) {
    for (index, bucket) in reading.occupied.enumerated() {
      if index > 0 { output.append(", ") }
      output.append(recorded: bucket.lowerBound, unit: unit)
      output.append(",")
      output.append(recorded: bucket.width, unit: unit)
      output.append(":")
      output.append(decimal: bucket.count)
    }
  }
}

/// A bucket as displayed: what lies at or below a bound, or between it and the bound before.
struct DisplayBucket {
  let bound: UInt64
  let interval: UInt64
  let total: UInt64

  static func all(
    _ interval: HistogramReading, _ total: HistogramReading, _ metric: Metric, isCumulative: Bool
  ) -> [DisplayBucket] {
    let bounds = metric.bucketBounds
    let intervals = interval.cumulativeCounts(upTo: bounds)
    let totals = total.cumulativeCounts(upTo: bounds)
    return bounds.indices.map { index in
      let isFirst = isCumulative || index == 0
      return DisplayBucket(
        bound: bounds[index],
        interval: intervals[index] - (isFirst ? 0 : intervals[index - 1]),
        total: totals[index] - (isFirst ? 0 : totals[index - 1]))
    }
  }
}
