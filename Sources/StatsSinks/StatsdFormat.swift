/// How metrics become statsd lines.
public struct StatsdFormat: Sendable {
  public enum Dialect: Sendable {
    /// Tags stay in the name.
    case statsd
    /// Tag-extracted names, and `|#name:value,...`.
    case dogStatsd
  }

  public enum Histograms: Sendable, Equatable {
    /// The interval summed up: `<name>.count` as a counter, and `<name>.p50`, `.p95`, `.p99`, `.p99_9` and
    /// `.max` in milliseconds as timers. Nothing but the count when there was no value.
    case aggregated
    /// The values as timers, read back from the buckets (within 1 %). Above `linesMax` values a histogram and
    /// flush, every n-th of the sorted values with the sample rate 1/n.
    case timers(linesMax: Int)
  }

  public var prefix: String
  public var dialect: Dialect
  public var histograms: Histograms

  /// - Parameter prefix: Put before every name, with a dot; none when empty.
  public init(
    prefix: String = "envoy", dialect: Dialect = .statsd, histograms: Histograms = .aggregated
  ) {
    self.prefix = prefix
    self.dialect = dialect
    self.histograms = histograms
  }
}
