/// `/stats/prometheus`: the Prometheus text format 0.0.4, the metrics of a family together.
struct PrometheusStats {
  let registry: StatsRegistry
  /// Histograms as quantiles of the last interval instead of cumulative buckets.
  let printsSummaries: Bool
  private var lastFamily = ""

  init(registry: StatsRegistry, printsSummaries: Bool) {
    self.registry = registry
    self.printsSummaries = printsSummaries
  }

  mutating func print(_ metric: Metric, family: String, into output: inout [UInt8]) {
    switch metric.kind {
    case .counter, .gauge:
      header(family, metric.kind == .counter ? "counter" : "gauge", into: &output)
      sample(family, "", metric, into: &output)
      output.append(decimal: registry.value(of: metric))
      output.append("\n")
    case .histogram:
      let total = registry.histogram(of: metric)
      guard total.count > 0 else { return }
      header(family, printsSummaries ? "summary" : "histogram", into: &output)
      if printsSummaries {
        summary(registry.interval(of: metric) ?? HistogramReading(), metric, family, into: &output)
      } else {
        buckets(total, metric, family, into: &output)
      }
    case .text, .family: return
    }
  }

  private mutating func header(
    _ family: String, _ type: StaticString, into output: inout [UInt8]
  ) {
    guard family != lastFamily else { return }
    lastFamily = family
    output.append("# TYPE ")
    output.append(text: family)
    output.append(" ")
    output.append(type)
    output.append("\n")
  }

  private func buckets(
    _ total: HistogramReading, _ metric: Metric, _ family: String, into output: inout [UInt8]
  ) {
    let counts = total.cumulativeCounts(upTo: metric.bucketBounds)
    for (bound, count) in zip(metric.bucketBounds, counts) {
      sample(family, "_bucket", metric, extra: "le", into: &output) {
        $0.append(recorded: bound, unit: metric.unit)
      }
      output.append(decimal: count)
      output.append("\n")
    }
    sample(family, "_bucket", metric, extra: "le", into: &output) { $0.append("+Inf") }
    output.append(decimal: total.count)
    output.append("\n")
    sumAndCount(total, metric, family, into: &output)
  }

  private func summary(
    _ interval: HistogramReading, _ metric: Metric, _ family: String, into output: inout [UInt8]
  ) {
    for perMille in StatsPrinter.percentiles {
      sample(family, "", metric, extra: "quantile", into: &output) {
        $0.append(thousandths: perMille)
      }
      if let value = interval.quantile(perMille: perMille) {
        output.append(recorded: value, unit: metric.unit)
      } else {
        output.append("nan")
      }
      output.append("\n")
    }
    sumAndCount(interval, metric, family, into: &output)
  }

  private func sumAndCount(
    _ reading: HistogramReading, _ metric: Metric, _ family: String, into output: inout [UInt8]
  ) {
    sample(family, "_sum", metric, into: &output)
    output.append(recorded: reading.sum, unit: metric.unit)
    output.append("\n")
    sample(family, "_count", metric, into: &output)
    output.append(decimal: reading.count)
    output.append("\n")
  }

  /// `name{labels} `, the value is the caller's.
  private func sample(
    _ family: String, _ suffix: StaticString, _ metric: Metric, extra: StaticString? = nil,
    into output: inout [UInt8], extraValue: ((inout [UInt8]) -> Void)? = nil
  ) {
    output.append(text: family)
    output.append(suffix)
    output.append("{")
    var isFirst = true
    for tag in metric.tags {
      if !isFirst { output.append(",") }
      isFirst = false
      output.append(contentsOf: MetricName.prometheusLabel(tag.name))
      output.append("=\"")
      label(tag.value, into: &output)
      output.append("\"")
    }
    if let extra, let extraValue {
      if !isFirst { output.append(",") }
      output.append(extra)
      output.append("=\"")
      extraValue(&output)
      output.append("\"")
    }
    output.append("} ")
  }

  private func label(_ value: String, into output: inout [UInt8]) {
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): output.append("\\\\")
      case UInt8(ascii: "\""): output.append("\\\"")
      case UInt8(ascii: "\n"): output.append("\\n")
      default: output.append(byte)
      }
    }
  }
}
