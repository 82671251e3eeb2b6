/// The final answer to one request as its client sees it: checked against the plan, byte for byte.
final class IncomingAnswer {
  let plan: ExchangePlan
  private unowned let world: World
  private let report: (String) -> Void
  private(set) var isLocal = false
  private(set) var received = 0
  private var expected: Int?
  /// Whose answer it is.
  private var attempt: Attempt?
  private var sent: AnswerPlan { attempt?.answer ?? plan.answer }
  private var key: UInt64 { attempt?.responseKey ?? plan.responseKey }

  /// Checks the head.
  init(
    world: World, _ plan: ExchangePlan, _ head: MessageHead, client: Int,
    report: @escaping (String) -> Void
  ) {
    self.world = world
    self.plan = plan
    self.report = report
    plan.answersSeen += 1
    if plan.answersSeen > 1 { report("request \(plan.id) was answered twice") }
    if let origin = head["x-origin-id"].flatMap({ Int($0) }) {
      checkOriginHead(head, origin)
    } else {
      isLocal = true
      world.checkLocalReply(plan, head.status, client: client)
    }
  }

  private func note(_ feature: Coverage.Feature) { world.network.coverage.note(feature) }

  private func checkOriginHead(_ head: MessageHead, _ origin: Int) {
    if origin != plan.id { report("request \(plan.id) got the answer to request \(origin)") }
    attempt = attempt(of: head)
    plan.winner = attempt
    plan.answered = world.events.now
    plan.originIsHTTP2 = attempt?.isHTTP2 ?? plan.originIsHTTP2
    plan.originIsSecure = attempt?.isSecure ?? plan.originIsSecure
    if head.status != sent.status {
      report("request \(plan.id): status \(head.status) instead of \(sent.status)")
    }
    if case .origin = plan.target {} else { report("request \(plan.id) reached an origin") }
    if let value = head["x-mutated"] {
      note(.mutatedResponse)
      if value != "yes" { report("header x-mutated: \(value)") }
    }
    if !plan.isHead, !sent.hasNoBody { expected = sent.body.count }
    if let attempt, world.hedges(plan) { world.wins(attempt, of: plan) }
  }

  private func attempt(of head: MessageHead) -> Attempt? {
    guard world.hedges(plan) else { return plan.attempts.last }
    let number = head["x-origin-attempt"].flatMap { Int($0) } ?? 0
    guard plan.attempts.indices.contains(number - 1) else {
      report("request \(plan.id): an answer of attempt \(number)")
      return nil
    }
    return plan.attempts[number - 1]
  }

  func body(_ bytes: ArraySlice<UInt8>) {
    if !isLocal, !Pattern.matches(bytes, key, from: received) {
      report("request \(plan.id): wrong bytes in the response's body near \(received)")
    }
    received += bytes.count
    if let expected, received > expected {
      report("request \(plan.id): more than \(expected) bytes of body")
    }
  }

  func end(_ trailers: Fields) {
    if sent.isCut, !isLocal { report("request \(plan.id): a cut answer ended as if it were whole") }
    if let expected, received != expected {
      report("request \(plan.id): \(received) bytes of body instead of \(expected)")
    }
    if !isLocal, expected != nil, sent.body.framing == .chunked {
      let wanted = world.passesTrailers(of: plan, originIsHTTP2: plan.originIsHTTP2) ? sent.body : BodyPlan()
      let isRight =
        RequestText.trailersMatch(trailers, wanted, key: key)
        || (world.mayDropTrailers && trailers.isEmpty)
      if !isRight { report("request \(plan.id): trailers \(trailers)") }
    }
    noteWhole()
    if world.hedges(plan) { world.expectEnds(of: plan) }
    world.answered(plan)
  }

  /// For the coverage.
  private func noteWhole() {
    if plan.tunnel != nil { note(isLocal ? .tunnelForbidden : .tunnelRefused) }
    if plan.path == "/health" { note(.healthCheckAnswer) }
    if plan.path.hasPrefix("/old/") { note(.redirectAnswer) }
    if isLocal { return }
    if plan.clientIsSecure, plan.originIsSecure { note(.tlsBridge) }
    if plan.clientIsHTTP2 || plan.originIsHTTP2 {
      note(
        !plan.clientIsHTTP2
          ? .bridgeHTTP1ToHTTP2 : plan.originIsHTTP2 ? .http2ToHTTP2 : .bridgeHTTP2ToHTTP1)
    }
    if sent.status == 204 { note(.noContent) }
    if sent.status == 304 { note(.notModified) }
    if plan.isHead || sent.hasNoBody { return }
    if sent.body.count > 100_000 { note(.largeResponse) }
    switch sent.body.framing {
    case .length: note(.responseContentLength)
    case .chunked: note(.responseChunked)
    case .untilClose: note(.responseUntilClose)
    case .none: break
    }
    if sent.body.framing == .chunked, sent.body.trailers > 0 { note(.responseTrailers) }
  }
}
