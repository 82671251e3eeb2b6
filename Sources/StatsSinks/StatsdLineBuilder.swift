import Stats

/// Writes statsd lines: bytes only, no sockets. A line has no newline at its end.
///
/// Names and tags come from configuration and traffic. What would end a name, a value, a tag or the line
/// becomes `_`, so that a metric is always exactly one line with one meaning.
public struct StatsdLineBuilder: Sendable {
  public let format: StatsdFormat
  private let prefix: [UInt8]

  public init(format: StatsdFormat) {
    self.format = format
    var prefix: [UInt8] = []
    Self.append(name: format.prefix, to: &prefix)
    if !prefix.isEmpty { prefix.append(UInt8(ascii: ".")) }
    self.prefix = prefix
  }

  /// Calls `emit` with each line of a flush.
  public func build(_ flush: StatsFlush, emit: (ArraySlice<UInt8>) -> Void) {
    var line: [UInt8] = []
    func write(_ body: (inout [UInt8]) -> Void) {
      line.removeAll(keepingCapacity: true)
      body(&line)
      emit(line[...])
    }
    for (metric, delta) in flush.counters {
      write { counter(metric, suffix: "", delta, into: &$0) }
    }
    for (metric, value) in flush.gauges {
      write { gauge(metric, value, into: &$0) }
    }
    for (metric, interval) in flush.histograms {
      switch format.histograms {
      case .aggregated:
        write { counter(metric, suffix: ".count", interval.count, into: &$0) }
        for (suffix, perMille) in Self.quantiles {
          guard let value = interval.quantile(perMille: perMille) else { continue }
          write { timer(metric, suffix: suffix, value, stride: 1, into: &$0) }
        }
      case .timers(let linesMax):
        Self.sample(interval, linesMax: linesMax) { value, stride in
          write { timer(metric, suffix: "", value, stride: stride, into: &$0) }
        }
      }
    }
  }

  private static let quantiles: [(StaticString, UInt64)] = [
    (".p50", 500), (".p95", 950), (".p99", 990), (".p99_9", 999), (".max", 1000),
  ]

  /// `<name>:<delta>|c`
  public func counter(
    _ metric: Metric, suffix: StaticString, _ delta: UInt64, into line: inout [UInt8]
  ) {
    begin(metric, suffix, into: &line)
    line.append(decimal: delta)
    line.append("|c")
    appendTags(metric, to: &line)
  }

  /// `<name>:<value>|g`. The value has no sign, so it is absolute.
  public func gauge(_ metric: Metric, _ value: UInt64, into line: inout [UInt8]) {
    begin(metric, "", into: &line)
    line.append(decimal: value)
    line.append("|g")
    appendTags(metric, to: &line)
  }

  /// `<name>:<milliseconds>|ms`, with `|@<rate>` when the value stands for `stride` values.
  public func timer(
    _ metric: Metric, suffix: StaticString, _ value: UInt64, stride: UInt64,
    into line: inout [UInt8]
  ) {
    begin(metric, suffix, into: &line)
    line.append(recorded: value, unit: metric.unit)
    line.append("|ms")
    if stride > 1 {
      line.append("|@")
      Self.append(rateOneIn: stride, to: &line)
    }
    appendTags(metric, to: &line)
  }

  private func begin(_ metric: Metric, _ suffix: StaticString, into line: inout [UInt8]) {
    line += prefix
    switch format.dialect {
    case .statsd: Self.append(name: metric.name, to: &line)
    case .dogStatsd: Self.append(name: metric.tagExtractedName, to: &line)
    }
    line.append(suffix)
    line.append(":")
  }

  private func appendTags(_ metric: Metric, to line: inout [UInt8]) {
    guard format.dialect == .dogStatsd, !metric.tags.isEmpty else { return }
    line.append("|#")
    for (index, tag) in metric.tags.enumerated() {
      if index > 0 { line.append(",") }
      Self.append(name: tag.name, to: &line)
      line.append(":")
      for byte in tag.value.utf8 {
        line.append(
          byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "|") || byte == UInt8(ascii: ",")
            ? UInt8(ascii: "_") : byte)
      }
    }
  }

  /// Replaces what some parser gives a meaning: separators, white space, control characters.
  private static func append(name: String, to line: inout [UInt8]) {
    for byte in name.utf8 {
      switch byte {
      case 0...0x20, 0x7F, UInt8(ascii: ":"), UInt8(ascii: "|"), UInt8(ascii: "@"),
        UInt8(ascii: "#"), UInt8(ascii: ","):
        line.append(UInt8(ascii: "_"))
      default: line.append(byte)
      }
    }
  }

  /// 1/n with nine decimals at most, never 0.
  static func append(rateOneIn n: UInt64, to line: inout [UInt8]) {
    guard n > 1 else { return line.append("1") }
    let scale: UInt64 = 1_000_000_000
    var rest = max(1, (scale + n / 2) / n)
    line.append("0.")
    while rest > 0 {
      line.append(UInt8(48 + rest / (scale / 10)))
      rest = rest % (scale / 10) * 10
    }
  }

  /// Values of an interval in ascending order, at most `linesMax`, each for `stride` of them.
  static func sample(
    _ interval: HistogramReading, linesMax: Int, _ emit: (_ value: UInt64, _ stride: UInt64) -> Void
  ) {
    guard interval.count > 0, linesMax > 0 else { return }
    let lines = UInt64(linesMax)
    let stride = min((interval.count - 1) / lines + 1, 1_000_000_000)
    // The middle of the first run of `stride` values, then one in each run.
    var next = (stride - 1) / 2
    var before: UInt64 = 0
    var emitted: UInt64 = 0
    for bucket in interval.occupied {
      let end = before + bucket.count
      while next < end, emitted < lines {
        emit(bucket.lowerBound + bucket.width / 2, stride)
        emitted += 1
        next += stride
      }
      before = end
    }
  }
}
