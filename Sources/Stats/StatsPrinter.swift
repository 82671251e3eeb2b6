/// Prints the metrics piece by piece, so that a thread that has other work never prints all of them at once.
///
/// The metrics are those that exist when the printer is made; each value is read when its line is printed.
/// Output is what Envoy's `/stats` and `/stats/prometheus` print.
public struct StatsPrinter {
  public enum Format: Sendable { case text, json, prometheus }

  /// How histograms are printed (`histogram_buckets`).
  public enum HistogramMode: Sendable {
    case summary, cumulative, disjoint
    /// Prometheus has no such form and prints ``cumulative``, as for ``disjoint``.
    case detailed
  }

  public struct Options {
    public var format: Format
    /// Only metrics that were ever written.
    public var usedOnly: Bool
    /// Only metrics of one kind.
    public var kind: Metric.Kind?
    /// Default: summary, and cumulative for Prometheus.
    public var histogramMode: HistogramMode?
    /// Which full names to print.
    public var filter: (String) -> Bool

    public init(
      format: Format = .text, usedOnly: Bool = false, kind: Metric.Kind? = nil,
      histogramMode: HistogramMode? = nil, filter: @escaping (String) -> Bool = { _ in true }
    ) {
      self.format = format
      self.usedOnly = usedOnly
      self.kind = kind
      self.histogramMode = histogramMode
      self.filter = filter
    }
  }

  /// The percentiles that are shown, in thousandths.
  static let percentiles: [UInt64] = [0, 250, 500, 750, 900, 950, 990, 995, 999, 1000]

  private let registry: StatsRegistry
  private let options: Options
  private let metrics: [Metric]
  private let families: [StatsSnapshot.PrometheusEntry]
  private var index = 0
  private var json: JSONStats
  private var prometheus: PrometheusStats
  private let text: TextStats
  private var isFinished = false

  public init(registry: StatsRegistry, options: Options = Options()) {
    self.registry = registry
    self.options = options
    let snapshot = registry.snapshot
    let isPrometheus = options.format == .prometheus
    metrics = isPrometheus ? [] : snapshot.metrics
    families = isPrometheus ? snapshot.prometheusOrder : []
    let mode = options.histogramMode ?? .summary
    text = TextStats(registry: registry, mode: mode)
    json = JSONStats(registry: registry, mode: mode)
    prometheus = PrometheusStats(
      registry: registry, printsSummaries: options.histogramMode == .summary)
  }

  /// Appends metrics until about `budgetBytes` were appended or as many metrics were looked at.
  ///
  /// - Returns: True as long as there is more. The last metric appended may exceed the budget.
  public mutating func next(into output: inout [UInt8], budgetBytes: Int) -> Bool {
    guard !isFinished else { return false }
    let start = output.count
    let budgetBytes = max(1, budgetBytes)
    let count = options.format == .prometheus ? families.count : metrics.count
    var looked = 0
    while index < count, output.count - start < budgetBytes, looked < budgetBytes {
      printMetric(into: &output)
      index += 1
      looked += 1
    }
    guard index == count else { return true }
    if options.format == .json { json.finish(into: &output) }
    isFinished = true
    return false
  }

  private mutating func printMetric(into output: inout [UInt8]) {
    let metric = options.format == .prometheus ? families[index].metric : metrics[index]
    guard options.kind == nil || options.kind == metric.kind else { return }
    guard options.filter(metric.name) else { return }
    guard !options.usedOnly || registry.isUsed(metric) else { return }
    switch options.format {
    case .text: text.print(metric, into: &output)
    case .json: json.print(metric, into: &output)
    case .prometheus: prometheus.print(metric, family: families[index].family, into: &output)
    }
  }
}
