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

  /// Counters, gauges, histograms; within each by family, then by name. Made once, when first asked for.
  var prometheusOrder: [PrometheusEntry] {
    families.withLock { families in
      if let families { return families }
      let sorted = makePrometheusOrder()
      families = sorted
      return sorted
    }
  }

  private struct Family: Hashable {
    let kind: Metric.Kind
    let tagExtractedName: String
  }

  /// Groups before it sorts: there are far fewer families than metrics, and within one the metrics are in
  /// order already.
  private func makePrometheusOrder() -> [PrometheusEntry] {
    var groups: [Family: [Metric]] = [:]
    for metric in metrics where metric.kind != .text {
      groups[Family(kind: metric.kind, tagExtractedName: metric.tagExtractedName), default: []]
        .append(metric)
    }
    let families = groups.map { family, metrics in
      (kind: family.kind, name: MetricName.prometheus(family.tagExtractedName), metrics: metrics)
    }.sorted { ($0.kind, $0.name) < ($1.kind, $1.name) }
    var order: [PrometheusEntry] = []
    order.reserveCapacity(metrics.count)
    var index = 0
    while index < families.count {
      let first = families[index]
      var members = first.metrics
      index += 1
      // Two names may differ only in characters that Prometheus does not have.
      while index < families.count, (families[index].kind, families[index].name) == (first.kind, first.name) {
        members += families[index].metrics
        members.sort { $0.name < $1.name }
        index += 1
      }
      order += members.map { PrometheusEntry(family: first.name, metric: $0) }
    }
    return order
  }

  /// The order of ``metrics``.
  static func precedes(_ a: Metric, _ b: Metric) -> Bool {
    let (groupA, groupB) = (group(a.kind), group(b.kind))
    return groupA != groupB ? groupA < groupB : a.name < b.name
  }

  private static func group(_ kind: Metric.Kind) -> Int {
    switch kind {
    case .text: 0
    case .counter, .gauge, .family: 1
    case .histogram: 2
    }
  }
}
