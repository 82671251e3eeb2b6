import Primitives

/// A client over HTTP/1.1: sends its planned requests, perhaps ahead of the answers, and checks every
/// byte that comes back.
final class HTTP1Client: PlannedClient {
  private let reader = HTTPMessageReader()
  /// Plans that wait for their answer, oldest first.
  private var waiting: [ExchangePlan] = []
  /// What is being read.
  private var answer: IncomingAnswer?
  /// The proxy said that no other answer comes on this connection.
  private var announcedEnd = false
  private var holdsBody: ExchangePlan?
  private var tunnel: TunnelEnd?

  override var oldestWaiting: ExchangePlan? { waiting.first }

  override func begin() {
    reader.onHead = { [unowned self] in head($0) }
    reader.onBody = { [unowned self] in bodyBytes($0) }
    reader.onMessageEnd = { [unowned self] in messageEnd($0) }
    reader.onError = { [unowned self] in violation("a broken response: \($0)") }
    sendMore()
  }

  override func fed(_ bytes: [UInt8]) {
    reader.feed(bytes)
    guard !isLeaving else { return }
    if announcedEnd, answer == nil {
      // Nothing more can come. Wait for the end that was announced, then leave.
      nextToSend = plans.count
      return
    }
    sendMore()
  }

  // MARK: Sending

  private func sendMore() {
    guard let socket, !isLeaving, !announcedEnd, holdsBody == nil else { return }
    while nextToSend < plans.count, waiting.count < intent.depth {
      let plan = plans[nextToSend]
      nextToSend += 1
      waiting.append(plan)
      world.trace.record("\(world.events.now) client \(number) sends request \(plan.shown)")
      if waiting.count > 1, !plan.isMalformed { note(.pipelinedRequest) }
      noteRequest(plan)
      if case .leavesInRequest(let count, let resets) = plan.fate {
        return leave(RequestText.head(plan) + RequestText.body(plan), after: count, resets: resets)
      }
      socket.send(RequestText.head(plan))
      if let tunnel = plan.tunnel {
        ask(plan, tunnel, socket)
        return
      }
      if plan.expectsContinue {
        waitForContinue(plan)
        return
      }
      socket.send(RequestText.body(plan))
      if plan.closes || plan.isMalformed {
        nextToSend = plans.count
        return
      }
    }
    if nextToSend == plans.count, waiting.isEmpty { end() }
  }

  /// The last request of the connection: nothing follows but what the tunnel carries.
  private func ask(_ plan: ExchangePlan, _ tunnel: TunnelPlan, _ socket: PeerSocket) {
    nextToSend = plans.count
    // A cut end breaks the tunnel.
    if !world.mayFail { socket.security?.mustClose = true }
    let end = TunnelEnd(
      world: world, name: "client \(number), tunnel \(plan.id)", stream: tunnel.clientStream, habit: tunnel.clientHabit,
      expectedKey: tunnel.kind == .endsHere ? nil : tunnel.hostStream.key,
      carrier: TunnelEnd.Carrier(
        send: { socket.send($0) }, end: { socket.end() }, reset: { [unowned self] in abort() }))
    self.tunnel = end
    if tunnel.speaksEarly {
      note(.tunnelSpeaksEarly)
      end.speak()
    }
  }

  /// - Returns: Nil when the answer does not begin the tunnel.
  private func accepted(_ plan: ExchangePlan, _ head: MessageHead) -> HTTPMessageReader.Framing? {
    guard let asked = plan.tunnel, let tunnel, asked.acceptance == head.status, !asked.isRefused,
      waiting.count == 1
    else { return nil }
    plan.answersSeen += 1
    if let type = asked.upgradeType, head["upgrade"] != type || head["connection"] != "upgrade" {
      violation("tunnel \(plan.id): accepted with \(head.headers)")
    }
    noteTunnel(plan)
    tunnel.accepted()
    return .untilClose
  }

  private func leave(_ bytes: [UInt8], after count: Int, resets: Bool) {
    guard let socket else { return }
    nextToSend = plans.count
    socket.send(Array(bytes.prefix(count)))
    if resets {
      world.events.after(Time.millisecond) { [self] in abort() }
    } else {
      close()
    }
  }

  /// Holds the body back until 100 (Continue) comes, or for a second (RFC 9110 section 10.1.1).
  private func waitForContinue(_ plan: ExchangePlan) {
    holdsBody = plan
    world.events.after(Time.second) { [self] in continueBody(plan) }
  }

  private func continueBody(_ plan: ExchangePlan) {
    guard holdsBody === plan, !isLeaving else { return }
    holdsBody = nil
    socket?.send(RequestText.body(plan))
    sendMore()
  }

  // MARK: Answers

  private func head(_ head: MessageHead) -> HTTPMessageReader.Framing {
    if isLeaving { return .none }
    guard let plan = waiting.first else {
      violation("an answer that nobody asked for: \(head.startLine)")
      return .none
    }
    if announcedEnd { violation("an answer after connection: close: \(head.startLine)") }
    guard head.startLine.hasPrefix("HTTP/1.1 ") else {
      violation("status line \(head.startLine)")
      return .none
    }
    if let framing = accepted(plan, head) { return framing }
    if (100..<200).contains(head.status) {
      if isContinue(plan, head.status) { continueBody(plan) }
      return .none
    }
    if head["connection"] == "close" { announcedEnd = true }
    answer = IncomingAnswer(world: world, plan, head, client: number) { [unowned self] in violation($0) }
    return framing(plan, head)
  }

  private func framing(_ plan: ExchangePlan, _ head: MessageHead) -> HTTPMessageReader.Framing {
    if plan.isHead || head.status == 204 || head.status == 304 { return .none }
    if head["transfer-encoding"] == "chunked" {
      if head["content-length"] != nil { violation("both framings in one response") }
      return .chunked
    }
    if let length = head["content-length"] {
      guard let count = Int(length) else {
        violation("content-length: \(length)")
        return .none
      }
      return .length(count)
    }
    return .untilClose
  }

  private func bodyBytes(_ bytes: ArraySlice<UInt8>) {
    if let tunnel, tunnel.isAccepted { return tunnel.received(bytes) }
    guard !isLeaving, let answer else { return }
    answer.body(bytes)
    if case .leavesInResponse(let count, let resets) = answer.plan.fate, answer.received >= count {
      note(.clientLeavesInResponse)
      if resets { abort() } else { close() }
    }
  }

  private func messageEnd(_ trailers: Fields) {
    if let tunnel, tunnel.isAccepted {
      tunnel.otherEnded()
      waiting = []
      return
    }
    guard !isLeaving, let answer else { return }
    self.answer = nil
    // The connection ends with the answer: what the client has sent may not be HTTP.
    if answer.plan.tunnel != nil { announcedEnd = true }
    answer.end(trailers)
    let plan = answer.plan
    if plan.answersSeen == 1, plan !== plans.first { note(.keepAlive) }
    waiting.removeFirst()
    if holdsBody === plan {
      // Answered without the body: what follows cannot be told from it.
      holdsBody = nil
      announcedEnd = true
    }
  }

  // MARK: The end

  override func ended(isReset: Bool) {
    if isReset, let tunnel, tunnel.isAccepted {
      tunnel.broke("the connection was reset")
      return close()
    }
    if isReset || !reader.feedEnd() {
      // In the middle of an answer, or before one: allowed only when something went wrong.
      if let plan = waiting.first, !announcedEnd || answer != nil { checkUnanswered(plan, isReset) }
    } else if let plan = waiting.first, !announcedEnd {
      checkUnanswered(plan, isReset)
    }
    close()
  }

  private func checkUnanswered(_ plan: ExchangePlan, _ isReset: Bool) {
    if plan.mayFail || world.mayFail { return }
    // What was sent behind a request that ends the connection is not answered.
    if plans.contains(where: { ($0.mayFail || $0.closes || $0.isMalformed) && $0.id < plan.id }) {
      return
    }
    let how = isReset ? "was reset" : "ended"
    violation("the connection \(how) before the answer to request \(plan.id) was complete")
  }
}
