import Stats

/// What goes wrong on the way to a statsd server, as metrics of the registry itself: `statsd.*`.
struct SinkCounters {
  /// Failed system calls, refused connections among them.
  let errors: Counter
  /// Lines that will never arrive as far as we know: refused, did not fit, or too long.
  let linesDropped: Counter
  /// Datagrams, or connections, that were made.
  let datagramsSent: Counter
  let connections: Counter
  private let slab: StatsSlab

  init(registry: StatsRegistry) {
    errors = registry.counter("statsd.send_errors")
    linesDropped = registry.counter("statsd.lines_dropped")
    datagramsSent = registry.counter("statsd.datagrams_sent")
    connections = registry.counter("statsd.connections")
    slab = registry.flusherSlab
  }

  func count(_ counter: Counter, _ amount: Int = 1) { slab.add(counter, UInt64(max(0, amount))) }
}
