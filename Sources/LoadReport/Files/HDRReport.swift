import Histogram

/// The percentile distribution that HdrHistogram's plotter reads (`.hgrm`), values in milliseconds.
public enum HDRReport {
  /// Points for each halving of the distance to 100 %.
  private static let ticksPerHalfDistance = 5

  /// Written here and not by the package, whose text shows counts modulo 2^32.
  public static func text(_ latency: LatencyHistogram) -> String {
    var lines = [
      "\(right("Value", 12)) \(right("Percentile", 14)) \(right("TotalCount", 10)) \(right("1/(1-Percentile)", 14))",
      "",
    ]
    for point in histogram(latency).percentiles(ticksPerHalfDistance: ticksPerHalfDistance) {
      let fraction = point.percentileLevelIteratedTo / 100
      let line =
        "\(right(milliseconds(Double(min(point.value, latency.max))), 12)) "
        + "\(NumberText.fixed(fraction, decimals: 12)) \(right("\(point.totalCountToThisValue)", 10))"
      let isLast = point.percentileLevelIteratedTo >= 100
      lines.append(
        isLast ? line : "\(line) \(right(NumberText.fixed(1 / (1 - fraction), decimals: 2), 14))")
    }
    let mean = right(milliseconds(latency.mean), 12)
    let deviation = right(milliseconds(latency.standardDeviation), 12)
    lines += [
      "#[Mean    = \(mean), StdDeviation   = \(deviation)]",
      "#[Max     = \(right(milliseconds(Double(latency.max)), 12)), Total count    = \(right("\(latency.count)", 12))]",
      "#[Buckets = \(right("\(HDRLayout.bucketCount / 1024 - 1)", 12)), SubBuckets     = \(right("2048", 12))]",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// The same counts in the package's histogram.
  static func histogram(_ latency: LatencyHistogram) -> Histogram<UInt64> {
    var result = Histogram<UInt64>(
      lowestDiscernibleValue: 1, highestTrackableValue: HDRLayout.longest,
      numberOfSignificantValueDigits: .three)
    for bucket in latency.buckets {
      // The longest one exactly; the package keeps it beside the buckets.
      result.record(min(bucket.highest, latency.max), count: bucket.count)
    }
    return result
  }

  private static func milliseconds(_ nanoseconds: Double) -> String {
    NumberText.fixed(nanoseconds / 1e6, decimals: 3)
  }

  private static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
