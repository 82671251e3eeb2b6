/// `/stats?format=json`: one array, whose last element holds all histograms.
struct JSONStats {
  let registry: StatsRegistry
  let mode: StatsPrinter.HistogramMode
  private var isStarted = false
  private var hasElements = false
  private var isInHistograms = false

  init(registry: StatsRegistry, mode: StatsPrinter.HistogramMode) {
    self.registry = registry
    self.mode = mode
  }

  mutating func print(_ metric: Metric, into output: inout [UInt8]) {
    start(into: &output)
    if hasElements { output.append(",") }
    hasElements = true
    guard metric.kind != .histogram else { return print(histogram: metric, into: &output) }
    output.append("{\"name\":")
    output.append(jsonString: metric.name)
    output.append(",\"value\":")
    if metric.kind == .text {
      output.append(jsonString: registry.text(of: metric))
    } else {
      output.append(decimal: registry.value(of: metric))
    }
    output.append("}")
  }

  mutating func finish(into output: inout [UInt8]) {
    start(into: &output)
    if isInHistograms {
      switch mode {
      case .summary, .detailed: output.append("]}}")
      case .cumulative, .disjoint: output.append("]}")
      }
    }
    output.append("]}")
  }

  private mutating func start(into output: inout [UInt8]) {
    guard !isStarted else { return }
    isStarted = true
    output.append("{\"stats\":[")
  }

  private mutating func print(histogram metric: Metric, into output: inout [UInt8]) {
    if !isInHistograms {
      isInHistograms = true
      switch mode {
      case .summary:
        output.append("{\"histograms\":{\"supported_quantiles\":")
        percentileNames(into: &output)
        output.append(",\"computed_quantiles\":[")
      case .detailed:
        output.append("{\"histograms\":{\"supported_percentiles\":")
        percentileNames(into: &output)
        output.append(",\"details\":[")
      case .cumulative, .disjoint: output.append("{\"histograms\":[")
      }
    }
    let total = registry.histogram(of: metric)
    let interval = registry.interval(of: metric) ?? HistogramReading()
    output.append("{\"name\":")
    output.append(jsonString: metric.name)
    switch mode {
    case .summary:
      output.append(",\"values\":")
      percentiles(interval, total, metric.unit, into: &output)
    case .detailed:
      output.append(",\"totals\":")
      occupied(total, metric.unit, into: &output)
      output.append(",\"intervals\":")
      occupied(interval, metric.unit, into: &output)
      output.append(",\"percentiles\":")
      percentiles(interval, total, metric.unit, into: &output)
    case .cumulative, .disjoint:
      output.append(",\"buckets\":")
      buckets(interval, total, metric, into: &output)
    }
    output.append("}")
  }

  private func percentileNames(into output: inout [UInt8]) {
    list(StatsPrinter.percentiles, into: &output) { $1.append(thousandths: $0 * 100) }
  }

  private func percentiles(
    _ interval: HistogramReading, _ total: HistogramReading, _ unit: HistogramUnit,
    into output: inout [UInt8]
  ) {
    list(StatsPrinter.percentiles, into: &output) { perMille, output in
      output.append("{\"cumulative\":")
      value(total.quantile(perMille: perMille), unit, into: &output)
      output.append(",\"interval\":")
      value(interval.quantile(perMille: perMille), unit, into: &output)
      output.append("}")
    }
  }

  private func value(_ value: UInt64?, _ unit: HistogramUnit, into output: inout [UInt8]) {
    guard let value else { return output.append("null") }
    output.append(recorded: value, unit: unit)
  }

  private func buckets(
    _ interval: HistogramReading, _ total: HistogramReading, _ metric: Metric,
    into output: inout [UInt8]
  ) {
    let all = DisplayBucket.all(interval, total, metric, isCumulative: mode == .cumulative)
    list(all, into: &output) { bucket, output in
      output.append("{\"upper_bound\":")
      output.append(recorded: bucket.bound, unit: metric.unit)
      output.append(",\"interval\":")
      output.append(decimal: bucket.interval)
      output.append(",\"cumulative\":")
      output.append(decimal: bucket.total)
      output.append("}")
    }
  }

  private func occupied(
    _ reading: HistogramReading, _ unit: HistogramUnit, into output: inout [UInt8]
  ) {
    list(reading.occupied, into: &output) { bucket, output in
      output.append("{\"lower_bound\":")
      output.append(recorded: bucket.lowerBound, unit: unit)
      output.append(",\"width\":")
      output.append(recorded: bucket.width, unit: unit)
      output.append(",\"count\":")
      output.append(decimal: bucket.count)
      output.append("}")
    }
  }

  private func list<Element>(
    _ elements: [Element], into output: inout [UInt8],
    _ print: (Element, inout [UInt8]) -> Void
  ) {
    output.append("[")
    for (index, element) in elements.enumerated() {
      if index > 0 { output.append(",") }
      print(element, &output)
    }
    output.append("]")
  }
}
