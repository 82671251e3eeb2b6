import Stats

/// What one flush tells the sinks: only metrics that were ever written.
public struct StatsFlush: Sendable {
  /// What each counter gained since the last flush. Zero is told too.
  public var counters: [(metric: Metric, delta: UInt64)] = []
  /// Where each gauge stands.
  public var gauges: [(metric: Metric, value: UInt64)] = []
  /// What each histogram recorded since the last flush; may be empty.
  public var histograms: [(metric: Metric, interval: HistogramReading)] = []

  public init() {}
}

/// Takes what a flush found somewhere. Made by main and given to a ``StatsFlusher``, whose thread is from then
/// on the only one that calls it: that is what makes a sink with plain state sendable.
public protocol StatsSink: AnyObject, Sendable {
  /// Sends one flush. Must return within a second or so, whatever the peer does.
  ///
  /// - Parameter isLast: The process ends: there is no later chance.
  func send(_ flush: StatsFlush, isLast: Bool)
}
