/// A group of metrics with a common prefix that goes away together, such as those of a cluster.
///
/// Asking for a name that exists already, in this or another scope, gives the same metric: it goes away with
/// the last scope that asked. So the new version of a cluster makes its scope before the old one is removed,
/// and no count is lost.
public struct StatsScope: Sendable {
  public let registry: StatsRegistry
  let id: UInt64
  /// Put before every name as it is, so it ends with a dot.
  public let prefix: String

  public func counter(_ name: String) -> Counter { registry.counter(prefix + name, scope: id) }

  public func gauge(_ name: String) -> Gauge { registry.gauge(prefix + name, scope: id) }

  public func histogram(_ name: String, unit: HistogramUnit = .milliseconds) -> Histogram {
    registry.histogram(prefix + name, unit: unit, scope: id)
  }

  /// Counters `<prefix><name>_<code>`: pass `upstream_rq` for `upstream_rq_200` and so on.
  public func codeFamily(_ name: String) -> CodeFamily {
    registry.codeFamily(prefix + name, scope: id)
  }

  /// A text readout: a string that only administrators read.
  public func setText(_ name: String, to text: String) {
    registry.setText(prefix + name, to: text, scope: id)
  }
}
