/// One run in words.
enum RunDescription {
  /// "open loop, Poisson arrivals at 20,000/s"
  static func mode(_ mode: LoadMode) -> String {
    switch mode {
    case .closed: return "closed loop"
    case .open(let arrivals, let first, let last):
      let kind = arrivals == .constant ? "constant" : "Poisson arrivals at"
      let rate =
        first == last
        ? "\(NumberText.rate(first))/s"
        : "\(NumberText.rate(first))/s to \(NumberText.rate(last))/s"
      return "open loop, \(kind) \(rate)"
    }
  }

  /// "64 connections, 2 threads, 30 s after 5 s of warm-up"
  static func setting(_ run: RunResult) -> String {
    var parts = [counted(run.connections, "connection"), counted(run.threads, "thread")]
    if !run.protocolName.isEmpty { parts.insert(run.protocolName, at: 0) }
    if run.streams > 1 { parts.append("\(run.streams) streams on each connection") }
    if run.pipelining > 1 { parts.append("\(run.pipelining) requests at once on each") }
    let length = DurationText.span(run.durationNanoseconds)
    let warmUp = run.warmUpNanoseconds
    parts.append(warmUp == 0 ? length : "\(length) after \(DurationText.span(warmUp)) of warm-up")
    return parts.joined(separator: ", ")
  }

  /// What the latency is counted from.
  static func latencyStart(_ mode: LoadMode) -> String {
    mode.isOpen ? "from when a request was due" : "from when a request was sent"
  }

  static func counted(_ count: Int, _ noun: String) -> String {
    "\(NumberText.grouped(UInt64(max(0, count)))) \(noun)\(count == 1 ? "" : "s")"
  }

  static func counted(_ count: UInt64, _ noun: String) -> String {
    "\(NumberText.grouped(count)) \(noun)\(count == 1 ? "" : "s")"
  }
}
