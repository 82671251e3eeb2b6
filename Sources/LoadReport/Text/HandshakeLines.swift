/// TLS handshakes in the text report: how many, of what kind, and how long they took.
struct HandshakeLines {
  let run: RunResult
  let style: TextStyle

  init(_ run: RunResult, _ style: TextStyle) {
    self.run = run
    self.style = style
  }

  /// "500 handshakes (50.1/s), 499 resumed"
  var counts: String {
    let tls = run.tally.tls
    let rate = NumberText.rate(perSecond(tls.handshakes, over: run.durationNanoseconds))
    let resumed = tls.resumed == tls.handshakes ? "all" : NumberText.grouped(tls.resumed)
    return "\(RunDescription.counted(tls.handshakes, "handshake")) (\(rate)/s), \(resumed) resumed"
  }

  var agreed: String {
    let list = run.tally.tls.agreedInOrder
    if list.count == 1 { return style.plain(list[0].name) }
    return list.map { "\(style.plain($0.name)) \(NumberText.grouped($0.count))" }.joined(separator: ", ")
  }

  /// "p50 310 µs, p90 420 µs, p99 ~900 µs, max 1.2 ms"
  var times: String {
    let histogram = run.handshakeTime
    let percentiles = [50.0, 90, 99].map { percent in
      let mark = Percentiles.isFirm(percent, of: histogram.count) ? "" : "~"
      return "\(Percentiles.name(percent)) \(mark)\(DurationText.latency(histogram.percentile(percent), style))"
    }
    return (percentiles + ["max \(DurationText.latency(histogram.max, style))"]).joined(separator: ", ")
  }
}
