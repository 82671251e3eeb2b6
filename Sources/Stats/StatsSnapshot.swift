import Synchronization

/// The metrics that exist at one moment. Immutable; values are read through the registry.
public final class StatsSnapshot: Sendable {
  /// Changes when a metric comes or goes.
  public let version: UInt64
  /// Texts, then counters and gauges, then histograms; by name within each.
  public let metrics: [Metric]

  private let families = Mutex<[PrometheusEntry]?>(nil)

  struct PrometheusEntry: Sendable {
    let family: String
    let metric: Metric
  }

  init(version: UInt64, metrics: [Metric]) {
    self.version = version
    self.metrics = metrics
  }

  /// Counters, gauges, histograms; within each by family, then by name. Sorted once, when first asked for.
  var prometheusOrder: [PrometheusEntry] {
    families.withLock { families in
      if let families { return families }
      let sorted =
        metrics
        .filter { $0.kind != .text }
        .map { PrometheusEntry(family: MetricName.prometheus($0.tagExtractedName), metric: $0) }
        .sorted {
          ($0.metric.kind, $0.family, $0.metric.name) < ($1.metric.kind, $1.family, $1.metric.name)
        }
      families = sorted
      return sorted
    }
  }

  /// The order of ``metrics``.
  static func precedes(_ a: Metric, _ b: Metric) -> Bool {
    let (groupA, groupB) = (group(a.kind), group(b.kind))
    return groupA != groupB ? groupA < groupB : a.name < b.name
  }

  private static func group(_ kind: Metric.Kind) -> Int {
    switch kind {
    case .text: 0
    case .counter, .gauge, .codeFamily: 1
    case .histogram: 2
    }
  }
}
