/// Something that someone must know before believing the figures of a run.
public struct RunWarning: Sendable, Equatable {
  public enum Code: String, Sendable {
    case noAnswers = "no_answers"
    case unanswered = "unanswered"
    case unsent = "unsent"
    case stalled = "stalled"
    case rateMissed = "rate_missed"
    case connectionsBusy = "connections_busy"
    case generatorLate = "generator_late"
    case generatorBusy = "generator_busy"
    case fewSamples = "few_samples"
  }

  public let code: Code
  /// True for what holds for most runs and is no reason for doubt.
  public var isNote: Bool { code == .fewSamples }
  public let text: String
}

extension RunResult {
  /// Most important first.
  public var warnings: [RunWarning] { warnings(.unicode) }

  func warnings(_ style: TextStyle) -> [RunWarning] {
    guard tally.responses > 0 else {
      return [RunWarning(code: .noAnswers, text: "Not one request was answered.")]
    }
    let found: [(RunWarning.Code, String?)] = [
      (.unanswered, unansweredWarning),
      (.unsent, unsentWarning),
      (.stalled, stallWarning),
      (.rateMissed, rateWarning),
      (.connectionsBusy, connectionsWarning(style)),
      (.generatorLate, lateWarning(style)),
      (.generatorBusy, busyWarning),
      (.fewSamples, samplesWarning),
    ]
    return found.compactMap { code, text in text.map { RunWarning(code: code, text: $0) } }
  }

  private var unansweredWarning: String? {
    let lost = tally.errors.unanswered
    guard lost > 0 else { return nil }
    return "\(RunDescription.counted(lost, "request")) got no whole answer; "
      + "the latency figures do not contain \(lost == 1 ? "it" : "them"), so the real tail is worse."
  }

  private var unsentWarning: String? {
    let unsent = tally.requestsUnsent
    guard unsent > 0 else { return nil }
    return "\(RunDescription.counted(unsent, "request")) \(unsent == 1 ? "was" : "were") due but never sent: "
      + "no connection was free until the end. The latency figures do not contain \(unsent == 1 ? "it" : "them")."
  }

  private var stallWarning: String? {
    // At a low rate a slice without an answer is normal.
    let silent = intervals.filter {
      $0.requests == 0 && achievedRate * Double($0.durationNanoseconds) / 1e9 >= 10
    }
    guard let first = silent.first else { return nil }
    let length = silent.reduce(0) { $0 &+ $1.durationNanoseconds }
    return "Nothing was answered during \(DurationText.span(length)) of the run, "
      + "first at \(DurationText.clock(first.startNanoseconds))."
  }

  /// Judged for a fixed rate only: of a climbing one each step says so.
  private var rateWarning: String? {
    guard case .open(_, let first, let last) = mode, first == last, first > 0, steps.isEmpty,
      achievedRate < first * KneeRule().leastAchieved
    else { return nil }
    return "Only \(NumberText.percent(achievedRate / first)) of the intended rate was answered. "
      + "Requests queue up meanwhile: latency grows with the length of the run."
  }

  /// A p99 later than this is not noise of the clock.
  private var lateLimitNanoseconds: UInt64 { 1_000_000 }

  private var isLate: Bool { mode.isOpen && scheduleError.percentile(99) > lateLimitNanoseconds }

  /// Waiting for a connection explains lateness when it is as frequent as the lateness is.
  private var isShortOfConnections: Bool {
    Double(tally.waitedForConnection) >= Double(scheduleError.count) / 100
  }

  private func connectionsWarning(_ style: TextStyle) -> String? {
    guard isLate, isShortOfConnections else { return nil }
    let waited = NumberText.percent(
      Double(tally.waitedForConnection) / Double(max(1, scheduleError.count)))
    return "\(waited) of the requests were due when no connection was free (p99 sent "
      + "\(DurationText.latency(scheduleError.percentile(99), style)) late). "
      + "The wait is in the latency; more connections shorten it."
  }

  private func lateWarning(_ style: TextStyle) -> String? {
    guard isLate, !isShortOfConnections else { return nil }
    return "The generator itself was late: p99 of the schedule error is "
      + "\(DurationText.latency(scheduleError.percentile(99), style)). "
      + "The latency is not the server's alone."
  }

  private var busyWarning: String? {
    guard durationNanoseconds > 0 else { return nil }
    let busy = Double(busiestThreadNanoseconds) / Double(durationNanoseconds)
    guard busy > 0.95 else { return nil }
    return "A thread of the generator was busy \(NumberText.percent(min(busy, 1))) of the time: "
      + "this may be the limit of the generator and not of the server. Use more threads."
  }

  private var samplesWarning: String? {
    guard let first = Percentiles.shown.first(where: { !Percentiles.isFirm($0, of: latency.count) })
    else { return nil }
    let needed = (Percentiles.fewestAbove / (1 - first / 100)).rounded()
    return "\(Percentiles.name(first)) and beyond (~) rest on fewer than "
      + "\(Int(Percentiles.fewestAbove)) requests each; \(Percentiles.name(first)) takes "
      + "\(NumberText.grouped(UInt64(needed))) answers, this run had "
      + "\(NumberText.grouped(latency.count))."
  }
}
