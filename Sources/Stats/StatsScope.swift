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
  /// Its counters and gauges are in no list and no sink: they are read by handle. Each call makes new ones, and
  /// histograms, families and texts count into scratch cells.
  public let isHidden: Bool

  public func counter(_ name: String) -> Counter {
    isHidden
      ? Counter(cell: registry.hiddenCell(scope: id)) : registry.counter(prefix + name, scope: id)
  }

  public func gauge(_ name: String) -> Gauge {
    isHidden ? Gauge(cell: registry.hiddenCell(scope: id)) : registry.gauge(prefix + name, scope: id)
  }

  public func histogram(_ name: String, unit: HistogramUnit = .milliseconds) -> Histogram {
    isHidden ? .discarded : registry.histogram(prefix + name, unit: unit, scope: id)
  }

  /// Counters `<prefix><name>_<code>`: pass `upstream_rq` for `upstream_rq_200` and so on.
  public func codeFamily(_ name: String) -> CodeFamily {
    isHidden ? .discarded : registry.codeFamily(prefix + name, scope: id)
  }

  /// Counters that nobody but the handle's owner reads; nil in a scope that is not hidden, and when there is no room.
  public func counterBlock() -> CounterBlock? { isHidden ? registry.hiddenBlock(scope: id) : nil }

  /// Counters `<prefix><name>.<member>`: pass `ssl` for `ssl.versions.TLSv1.3` and so on.
  public func namedFamily(_ name: String, _ names: FamilyNames) -> NamedFamily {
    isHidden ? .discarded : registry.namedFamily(prefix + name, names, scope: id)
  }

  /// A text readout: a string that only administrators read.
  public func setText(_ name: String, to text: String) {
    if !isHidden { registry.setText(prefix + name, to: text, scope: id) }
  }
}
