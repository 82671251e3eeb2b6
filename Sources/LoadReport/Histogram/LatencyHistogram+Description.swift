extension LatencyHistogram: CustomStringConvertible {
  /// Short, instead of 33,000 counts.
  public var description: String {
    "\(count) durations, p50 \(percentile(50)) ns, p99 \(percentile(99)) ns, max \(max) ns"
  }
}
