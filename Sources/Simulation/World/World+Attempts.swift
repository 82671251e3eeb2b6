import Primitives

/// Attempts of one request beside each other: who may be there, who must go, and what hosts are told to have done.
extension World {
  private static let loserPatience = 10 * Time.second
  /// Timers and messages are a little late.
  private static let slack = 200 * Time.millisecond

  /// Whether a late attempt of the request goes on beside others. The word of callers from elsewhere is not heard.
  func hedges(_ plan: ExchangePlan) -> Bool {
    plan.tunnel == nil && settings.hedges.hedges(plan.clientIsExternal ? nil : plan.hedgeWish)
  }

  private func note(_ feature: Coverage.Feature) { network.coverage.note(feature) }

  /// A host sees one more attempt.
  func begins(_ attempt: Attempt, of plan: ExchangePlan, _ head: MessageHead) {
    let count = head["x-envoy-attempt-count"] ?? "gone"
    if !plan.attemptCounts.insert(count).inserted { report("request \(plan.id): x-envoy-attempt-count is \(count) once more") }
    attempt.isHedge = plan.attempts.contains { !$0.isOver }
    guard attempt.isHedge else { return }
    note(.hedgeBegins)
    note(attempt.isHTTP2 ? .hedgeOverHTTP2 : .hedgeOverHTTP1)
    if attempt.isSecure { note(.hedgeOverTLS) }
    if plan.body.count > 0 { note(.hedgeWithBody) }
    if plan.body.trailers > 0 { note(.hedgeWithTrailers) }
    if plan.hedgeWish == true { note(.hedgeOfCaller) }
  }

  /// The client sees the answer of an attempt.
  func wins(_ winner: Attempt, of plan: ExchangePlan) {
    trace.record("\(events.now) request \(plan.id) has the answer of attempt \(winner.number) of \(plan.attempts.count)")
    if winner.whole == nil, !winner.answer.isEarly { report("request \(plan.id): answered by who has not all of it") }
    if winner.isHedge, plan.attempts.contains(where: { $0.number < winner.number && !$0.isOver }) {
      note(.hedgeWins)
      if winner.answer.body.count > 100_000 { note(.hedgeWinsLarge) }
    }
    if plan.attempts.contains(where: { $0.number > winner.number && $0.isHedge }) { note(.hedgeLoses) }
    if plan.attempts.contains(where: \.isHedge), plan.attempts.contains(where: { $0 !== winner && $0.isSpoilt }) {
      note(.hedgeFails)
    }
    let kept = settings.retries.bodyLimit > 0 ? settings.retries.bodyLimit : settings.bufferLimitBytes
    if plan.attempts.count == 1, plan.body.count > kept, isSurelyLate(winner, of: plan) { note(.lateAndNotKept) }
  }

  /// The client has all of an answer: the other attempts have been reset.
  func expectEnds(of plan: ExchangePlan) {
    let losers = plan.attempts.filter { $0 !== plan.winner && !$0.isOver }
    // Nobody can do anything while the clock jumps.
    guard !losers.isEmpty, network.faults.clockJumps == 0 else { return }
    events.after(Self.loserPatience) { [unowned self] in
      for loser in losers where !loser.isOver && !loser.mayHearMore {
        report("request \(plan.id): attempt \(loser.number) goes on long after the answer")
      }
    }
  }

  /// Nobody waits for anything any more: no host is left with a request.
  func checkAttempts() {
    for plan in planMaker.plans where plan.tunnel == nil {
      for attempt in plan.attempts where !attempt.isOver {
        report("request \(plan.id): attempt \(attempt.number) is still with \(attempt.host)")
      }
    }
  }

  // MARK: Outlier detection

  private func isSurelyLate(_ attempt: Attempt, of plan: ExchangePlan) -> Bool {
    let time = settings.hedges.perTryNanoseconds
    guard time > 0, hedges(plan), !plan.path.hasPrefix("/quick/"), let whole = attempt.whole, let answered = attempt.answered,
      answered >= whole
    else { return false }
    return answered - whole > time + Self.slack
  }

  private func mayBeLate(_ attempt: Attempt, of plan: ExchangePlan) -> Bool {
    // The route's own time counts too.
    if plan.path.hasPrefix("/quick/") { return true }
    guard hedges(plan) else { return false }
    return attempt !== plan.winner || plan.answered - plan.sent >= settings.hedges.perTryNanoseconds
  }

  /// Each attempt counts its response's head once, and once more when it was late before. Where nothing goes wrong there is
  /// nothing else to count.
  func checkOutlierCounts() {
    guard isCalm else { return }
    let counts = main.outlierCounts
    guard !counts.isEmpty else { return }
    var rows: [String: (heads: ClosedRange<UInt64>, late: ClosedRange<UInt64>)] = [:]
    // Who was late, and taken back before its host saw anything of it.
    var unseen: UInt64 = 0
    for plan in planMaker.plans {
      if plan.path.hasPrefix("/quick/") || plan.attempts.count > 1 && hedges(plan) { unseen += 1 }
      for attempt in plan.attempts {
        var (heads, late) = rows["\(attempt.host)"] ?? (0...0, 0...0)
        let isWinner = attempt === plan.winner
        heads = heads.lowerBound + (isWinner ? 1 : 0)...heads.upperBound + 1
        late =
          late.lowerBound + (isWinner && isSurelyLate(attempt, of: plan) ? 1 : 0)...late.upperBound
          + (mayBeLate(attempt, of: plan) ? 1 : 0)
        rows["\(attempt.host)"] = (heads, late)
      }
    }
    for count in counts {
      guard let row = rows[count.host] else { continue }
      let heads = row.heads
      let late = row.late.lowerBound...row.late.upperBound + unseen
      let all = heads.lowerBound + late.lowerBound...heads.upperBound + late.upperBound
      let results = count.isSplit ? heads : all
      if !results.contains(count.results) {
        report("host \(count.host): \(count.results) results are counted, which should be in \(results)")
      }
      if count.isSplit, !late.contains(count.localFailures) {
        report("host \(count.host): \(count.localFailures) failures are counted, which should be in \(late)")
      }
    }
  }
}
