#if canImport(Glibc)
  import Glibc
#endif

/// One axis of a chart: where a value lies between 0 and 1, and what is written beside it.
struct ChartAxis {
  enum Scale { case linear, logarithmic }

  let title: String
  let scale: Scale
  let lowest: Double
  let highest: Double
  let ticks: [(value: Double, label: String)]

  /// Where `value` lies, 0...1.
  func position(_ value: Double) -> Double {
    let span = transformed(highest) - transformed(lowest)
    guard span > 0 else { return 0 }
    return max(0, min(1, (transformed(value) - transformed(lowest)) / span))
  }

  private func transformed(_ value: Double) -> Double {
    scale == .linear ? value : log10(max(value, .leastNormalMagnitude))
  }
}

extension ChartAxis {
  /// Requests per second from 0.
  static func rate(_ title: String, upTo largest: Double) -> ChartAxis {
    let ticks = AxisTicks.linear(upTo: largest)
    return ChartAxis(
      title: title, scale: .linear, lowest: 0, highest: ticks.last ?? 1,
      ticks: ticks.map { ($0, NumberText.rate($0)) })
  }

  /// Nanoseconds: logarithmic when the values differ much, else from 0.
  static func latency(_ title: String, covering values: [Double]) -> ChartAxis {
    let positive = values.filter { $0 > 0 }
    let low = positive.min() ?? 1
    let high = positive.max() ?? 1
    let isWide = high > low * 4
    let ticks = isWide ? AxisTicks.logarithmic(low...high) : AxisTicks.linear(upTo: high)
    return ChartAxis(
      title: isWide ? title + ", logarithmic" : title, scale: isWide ? .logarithmic : .linear,
      lowest: ticks.first ?? 0, highest: ticks.last ?? 1,
      ticks: ticks.map { ($0, $0 == 0 ? "0" : DurationText.tick($0)) })
  }

  /// Seconds since the start of the measured part.
  static func time(upTo largest: Double) -> ChartAxis {
    let labels = AxisTicks.time(upTo: largest).map { seconds in
      let label =
        largest > 120
        ? DurationText.clock(UInt64(seconds * 1e9)) : "\(NumberText.shortest(seconds)) s"
      return (value: seconds, label: label)
    }
    return ChartAxis(
      title: largest > 120 ? "time since the start, minutes:seconds" : "time since the start",
      scale: .linear, lowest: 0, highest: max(largest, 1e-3), ticks: labels)
  }

  /// Percentiles spaced by 1/(1-p), so that each nine takes the same room. Values are 1/(1-p).
  static func percentile(upTo largest: Double) -> ChartAxis {
    let percents: [Double] = [50, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999]
    let ticks = percents.map { (value: 100 / (100 - $0), label: Percentiles.digits($0)) }
    let highest = max(largest, 10)
    return ChartAxis(
      title: "percentile", scale: .logarithmic,
      lowest: 1, highest: highest, ticks: ticks.filter { $0.value <= highest * 1.01 })
  }
}
