import Stats

/// Reads the registry and works out what changed since it last did.
///
/// The deltas of a counter add up to exactly what was counted, also for a counter that is removed: it is read
/// until its cells are recycled. One collector per registry.
public struct FlushCollector {
  private let registry: StatsRegistry
  private var totals: [UInt64: UInt64] = [:]
  private var leaving: [Metric] = []

  public init(registry: StatsRegistry) {
    self.registry = registry
    registry.trackDepartures()
  }

  public mutating func collect() -> StatsFlush {
    // Removed ones first: what goes away between the two reads is among the removed ones next time.
    leaving += registry.takeDeparted()
    let snapshot = registry.snapshot
    var flush = StatsFlush()
    for metric in snapshot.metrics where registry.isUsed(metric) {
      switch metric.kind {
      case .counter: flush.counters.append((metric, takeDelta(metric)))
      case .gauge: flush.gauges.append((metric, registry.value(of: metric)))
      case .histogram: flush.histograms.append((metric, registry.latchInterval(of: metric)))
      case .text, .family: continue
      }
    }
    var stillLeaving: [Metric] = []
    for metric in leaving {
      // Asked before the last read, so that nothing can be counted after it.
      let isFinal = metric.isFinal
      collect(leaving: metric, into: &flush)
      if isFinal { totals[metric.serial] = nil } else { stillLeaving.append(metric) }
    }
    leaving = stillLeaving
    return flush
  }

  private mutating func collect(leaving metric: Metric, into flush: inout StatsFlush) {
    if metric.kind == .histogram {
      let interval = registry.latchInterval(of: metric)
      if interval.count > 0 { flush.histograms.append((metric, interval)) }
    } else {
      let delta = takeDelta(metric)
      if delta > 0 { flush.counters.append((metric, delta)) }
    }
  }

  private mutating func takeDelta(_ metric: Metric) -> UInt64 {
    let total = registry.total(of: metric)
    let delta = total &- totals[metric.serial, default: 0]
    if delta > 0 { totals[metric.serial] = total }
    return delta
  }
}
