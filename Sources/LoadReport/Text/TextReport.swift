/// What a person reads when a run is over.
public struct TextReport: Sendable {
  private let run: RunResult
  private let style: TextStyle

  public init(_ run: RunResult, style: TextStyle = .unicode) {
    self.run = run
    self.style = style
  }

  /// The whole report, with a line break at its end.
  public var text: String {
    let sections = [
      header, totals, latency, overTime, statuses, grpcStatuses, errors, steps, warnings,
    ]
    return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") + "\n" }
      .joined(separator: "\n")
  }

  private var header: [String] {
    let label = style.plain(run.label)
    let target = style.plain(run.target)
    return [
      label.isEmpty || label == target ? target : "\(label): \(target)",
      "\(RunDescription.mode(run.mode)), \(RunDescription.setting(run))",
    ]
  }

  private var totals: [String] {
    let tally = run.tally
    var table = TextTable([.left, .left])
    table.add(["throughput", throughput])
    table.add(["requests", requests])
    table.add([
      "traffic", "\(traffic(tally.bytesRead)) read, \(traffic(tally.bytesWritten)) written",
    ])
    table.add(["connections", "\(NumberText.grouped(tally.connectionsOpened)) opened"])
    if run.tally.tls.handshakes > 0 {
      let lines = HandshakeLines(run, style)
      table.add(["TLS", lines.counts])
      table.add(["", lines.agreed])
      table.add(["handshake", lines.times])
    }
    if run.cpuNanoseconds > 0 { table.add(["generator", generator]) }
    return table.lines(indent: "")
  }

  private var throughput: String {
    let rate = "\(NumberText.rate(run.achievedRate)) answers/s"
    guard case .open(_, let first, let last) = run.mode, first == last, first > 0 else { return rate }
    let part = NumberText.percent(run.achievedRate / first)
    return "\(rate), \(part) of the intended \(NumberText.rate(first))/s"
  }

  private var requests: String {
    let tally = run.tally
    let sent = "\(NumberText.grouped(tally.requestsSent)) sent, "
    let answered = "\(NumberText.grouped(tally.responses)) answered, "
    guard tally.errors.total > 0 else { return sent + answered + "none failed" }
    let part = NumberText.percent(tally.errorFraction)
    return sent + answered + "\(NumberText.grouped(tally.errors.total)) FAILED (\(part))"
  }

  private func traffic(_ bytes: UInt64) -> String {
    let rate = perSecond(bytes, over: run.durationNanoseconds)
    return "\(NumberText.bytes(Double(bytes))) (\(NumberText.bytes(rate))/s)"
  }

  private var generator: String {
    let each = Double(run.cpuNanoseconds) / Double(max(1, run.tally.responses))
    var parts = ["\(DurationText.latency(each, style)) of CPU an answer"]
    if run.durationNanoseconds > 0 {
      let busy = Double(run.busiestThreadNanoseconds) / Double(run.durationNanoseconds)
      parts.append("busiest thread \(NumberText.percent(busy)) of a core")
    }
    return parts.joined(separator: ", ")
  }

  private var statuses: [String] {
    let all = run.tally.statuses
    let occurred = all.occurred
    guard !occurred.isEmpty else { return [] }
    var table = TextTable([.left, .right, .right])
    for (code, count) in occurred {
      let part = Double(count) / Double(max(1, all.total))
      table.add([
        code == 0 ? "none" : "\(code)", NumberText.grouped(count), NumberText.percent(part),
      ])
    }
    return ["status"] + table.lines()
  }

  private var grpcStatuses: [String] {
    let all = run.tally.grpcStatuses
    guard all.total > 0 else { return [] }
    var table = TextTable([.left, .right, .right])
    for (code, count) in all.occurred {
      table.add([
        GRPCStatusName.words(code), NumberText.grouped(count),
        NumberText.percent(Double(count) / Double(all.total)),
      ])
    }
    return ["grpc status"] + table.lines()
  }

  private var errors: [String] {
    let all = run.tally.errors
    guard all.total > 0 else { return [] }
    var table = TextTable([.left, .right, .left])
    for (kind, count) in all.occurred {
      table.add([kind.name, NumberText.grouped(count), kind.explanation])
    }
    return ["errors"] + table.lines()
  }

  private var latency: [String] {
    run.latency.isEmpty ? [] : LatencyTable(run, style).lines
  }

  private var overTime: [String] { TimeLines(run.intervals, style).lines }

  private var steps: [String] { run.steps.isEmpty ? [] : StepTable(run.steps, style).lines }

  private var warnings: [String] {
    run.warnings(style).map { "\($0.isNote ? "note" : "WARNING"): \($0.text)" }
  }
}
