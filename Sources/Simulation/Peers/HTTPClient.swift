import Primitives

/// A client on one connection: sends its planned requests, perhaps ahead of the answers, and checks every
/// byte that comes back.
final class HTTPClient {
  enum Ending { case closes, halfCloses, resets, staysIdle }

  private unowned let world: World
  let number: Int
  private let plans: [ExchangePlan]
  private let listener: SocketAddress
  private let address: SocketAddress
  /// Most requests without an answer at a time.
  private let depth: Int
  private let ending: Ending
  /// Sent before the first request: a PROXY header.
  private let preface: [UInt8]
  private var socket: PeerSocket?
  private let reader = HTTPMessageReader()
  private var nextToSend = 0
  /// Plans that wait for their answer, oldest first.
  private var waiting: [ExchangePlan] = []
  private var body = ResponseBody()
  /// The proxy said that no other answer comes on this connection.
  private var announcedEnd = false
  private var holdsBody: ExchangePlan?
  private(set) var isDone = false
  /// Takes no interest any more in what comes.
  private var isLeaving = false
  private var lastProgress: UInt64 = 0
  static let patience: UInt64 = 7200 * Time.second

  /// The answer that is being read.
  private struct ResponseBody {
    var plan: ExchangePlan?
    var isLocal = false
    var received = 0
    var expected: Int?
  }

  init(
    world: World, number: Int, plans: [ExchangePlan], listener: SocketAddress,
    address: SocketAddress, depth: Int, ending: Ending, preface: [UInt8]
  ) {
    self.world = world
    self.number = number
    self.plans = plans
    self.listener = listener
    self.address = address
    self.depth = depth
    self.ending = ending
    self.preface = preface
  }

  func start() {
    reader.onHead = { [unowned self] in head($0) }
    reader.onBody = { [unowned self] in bodyBytes($0) }
    reader.onMessageEnd = { [unowned self] in messageEnd($0) }
    reader.onError = { [unowned self] in violation("a broken response: \($0)") }
    guard let socket = world.network.connect(to: listener, from: address) else {
      if !world.mayRefuse { violation("nobody listens on \(listener)") }
      return finish()
    }
    self.socket = socket
    socket.readPace = .drawn(world.peerDice)
    socket.writePace = .drawn(world.peerDice)
    socket.onBytes = { [self] in
      guard !isLeaving else { return }
      lastProgress = world.events.now
      reader.feed($0)
      afterInput()
    }
    socket.onEnd = { [self] in ended(isReset: false) }
    socket.onReset = { [self] in ended(isReset: true) }
    socket.onDrained = { [self] in lastProgress = world.events.now }
    socket.send(preface)
    lastProgress = world.events.now
    watch()
    sendMore()
  }

  /// Gives up after a long time without a byte.
  private func watch() {
    world.events.after(Self.patience / 4) { [self] in
      guard !isDone else { return }
      if world.events.now - lastProgress > Self.patience {
        if ending != .staysIdle || !waiting.isEmpty {
          violation("no answer to request \(waiting.first?.id ?? 0) for two hours")
        }
        socket?.abort()
        return finish()
      }
      watch()
    }
  }

  var hasBegun: Bool { nextToSend > 0 }

  private func note(_ feature: Coverage.Feature) { world.network.coverage.note(feature) }

  private func violation(_ text: String) { world.report("client \(number): \(text)") }

  // MARK: Sending

  private func sendMore() {
    guard let socket, !isLeaving, !announcedEnd, holdsBody == nil else { return }
    while nextToSend < plans.count, waiting.count < depth {
      let plan = plans[nextToSend]
      nextToSend += 1
      waiting.append(plan)
      world.trace.record("\(world.events.now) client \(number) sends request \(plan.shown)")
      noteRequest(plan)
      if case .leavesInRequest(let count, let resets) = plan.fate {
        return leave(RequestText.head(plan) + RequestText.body(plan), after: count, resets: resets)
      }
      socket.send(RequestText.head(plan))
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

  private func noteRequest(_ plan: ExchangePlan) {
    if plan.isMalformed { return note(.malformedRequest) }
    if waiting.count > 1 { note(.pipelinedRequest) }
    if plan.isHead { note(.headRequest) }
    switch plan.body.framing {
    case .length: note(.requestContentLength)
    case .chunked: note(.requestChunked)
    case .none, .untilClose: break
    }
    if plan.body.trailers > 0 { note(.requestTrailers) }
    if plan.body.count > 100_000 { note(.largeRequest) }
    if plan.expectsContinue { note(.expectContinue) }
    if plan.closes { note(.connectionClose) }
    if case .leavesInRequest = plan.fate { note(.clientLeavesInRequest) }
    if plan.headers.contains(where: { $0.name == "origin" }) { note(.corsRequest) }
    if world.settings.bufferLimitOfFilter > 0, plan.body.count > 0 { note(.bufferedRequest) }
  }

  private func leave(_ bytes: [UInt8], after count: Int, resets: Bool) {
    guard let socket else { return }
    nextToSend = plans.count
    socket.send(Array(bytes.prefix(count)))
    if resets {
      world.events.after(Time.millisecond) { [self] in
        socket.abort()
        finish()
      }
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

  private func head(_ head: HTTPMessageReader.Head) -> HTTPMessageReader.Framing {
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
    let status = head.status
    if (100..<200).contains(status) {
      interim(plan, status)
      return .none
    }
    plan.answersSeen += 1
    if plan.answersSeen > 1 { violation("request \(plan.id) was answered twice") }
    if head["connection"] == "close" { announcedEnd = true }
    let origin = head["x-origin-id"].flatMap { Int($0) }
    body = ResponseBody(plan: plan)
    if let origin {
      checkOriginHead(plan, head, origin)
    } else {
      body.isLocal = true
      world.checkLocalReply(plan, status, client: number)
    }
    return framing(plan, head, status)
  }

  private func interim(_ plan: ExchangePlan, _ status: Int) {
    if status == 100, plan.expectsContinue {
      note(.continueReceived)
      continueBody(plan)
      return
    }
    if plan.answer.interims.contains(status) { note(.interimPassedOn) }
    if !plan.answer.interims.contains(status) {
      violation("unexpected interim response \(status) to request \(plan.id)")
    }
  }

  private func checkOriginHead(_ plan: ExchangePlan, _ head: HTTPMessageReader.Head, _ origin: Int) {
    if origin != plan.id { violation("request \(plan.id) got the answer to request \(origin)") }
    if head.status != plan.answer.status {
      violation("request \(plan.id): status \(head.status) instead of \(plan.answer.status)")
    }
    if case .origin = plan.target {} else {
      violation("request \(plan.id) reached an origin")
    }
    if let value = head["x-mutated"] {
      note(.mutatedResponse)
      if value != "yes" { violation("header x-mutated: \(value)") }
    }
    if !plan.isHead, !plan.answer.hasNoBody { body.expected = plan.answer.body.count }
  }

  private func framing(
    _ plan: ExchangePlan, _ head: HTTPMessageReader.Head, _ status: Int
  ) -> HTTPMessageReader.Framing {
    if plan.isHead || status == 204 || status == 304 { return .none }
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
    guard !isLeaving, let plan = body.plan else { return }
    if !body.isLocal, !Pattern.matches(bytes, plan.responseKey, from: body.received) {
      violation("request \(plan.id): wrong bytes in the response's body near \(body.received)")
    }
    body.received += bytes.count
    if let expected = body.expected, body.received > expected {
      violation("request \(plan.id): more than \(expected) bytes of body")
    }
    if case .leavesInResponse(let count, let resets) = plan.fate, body.received >= count {
      note(.clientLeavesInResponse)
      leaveNow(resets: resets)
    }
  }

  private func leaveNow(resets: Bool) {
    guard !isLeaving else { return }
    if resets {
      socket?.abort()
      finish()
    } else {
      close()
    }
  }

  private func messageEnd(_ trailers: [(name: String, value: String)]) {
    guard !isLeaving, let plan = body.plan else { return }
    body.plan = nil
    if let expected = body.expected, body.received != expected {
      violation("request \(plan.id): \(body.received) bytes of body instead of \(expected)")
    }
    if !body.isLocal, body.expected != nil, plan.answer.body.framing == .chunked {
      let wanted = world.passesTrailers ? plan.answer.body : BodyPlan()
      let isRight =
        RequestText.trailersMatch(trailers, wanted, key: plan.responseKey)
        || (world.mayDropTrailers && trailers.isEmpty)
      if !isRight { violation("request \(plan.id): trailers \(trailers)") }
    }
    noteResponse(plan)
    waiting.removeFirst()
    if holdsBody === plan {
      // Answered without the body: what follows cannot be told from it.
      holdsBody = nil
      announcedEnd = true
    }
    world.answered(plan)
  }

  private func noteResponse(_ plan: ExchangePlan) {
    if plan.answersSeen == 1, plan !== plans.first { note(.keepAlive) }
    if plan.path == "/health" { note(.healthCheckAnswer) }
    if plan.path.hasPrefix("/old/") { note(.redirectAnswer) }
    if body.isLocal { return }
    if plan.answer.status == 204 { note(.noContent) }
    if plan.answer.status == 304 { note(.notModified) }
    if plan.isHead || plan.answer.hasNoBody { return }
    if plan.answer.body.count > 100_000 { note(.largeResponse) }
    switch plan.answer.body.framing {
    case .length: note(.responseContentLength)
    case .chunked: note(.responseChunked)
    case .untilClose: note(.responseUntilClose)
    case .none: break
    }
    if plan.answer.body.framing == .chunked, plan.answer.body.trailers > 0 { note(.responseTrailers) }
  }

  private func afterInput() {
    guard !isLeaving else { return }
    if announcedEnd, body.plan == nil {
      // Nothing more can come. Wait for the end that was announced, then leave.
      nextToSend = plans.count
      return
    }
    sendMore()
  }

  // MARK: The end

  private func ended(isReset: Bool) {
    if isLeaving { return }
    if isReset || !reader.feedEnd() {
      // In the middle of an answer, or before one: allowed only when something went wrong.
      if let plan = waiting.first, !announcedEnd || body.plan != nil { checkUnanswered(plan, isReset) }
    } else if let plan = waiting.first, !announcedEnd {
      checkUnanswered(plan, isReset)
    }
    close()
  }

  /// Closes when everything is out; only then is the client done.
  private func close() {
    isLeaving = true
    guard let socket else { return finish() }
    socket.onClosed = { [self] in finish() }
    socket.close()
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

  private func end() {
    guard let socket, !isLeaving else { return }
    switch ending {
    case .closes: close()
    case .halfCloses:
      note(.clientHalfCloses)
      socket.end()
    case .resets:
      note(.clientResets)
      socket.abort()
      finish()
    case .staysIdle: break
    }
  }

  /// The world is over: an idle client leaves.
  func leave() {
    guard !isLeaving, waiting.isEmpty else { return }
    close()
  }

  var isIdle: Bool { isDone || (nextToSend == plans.count && waiting.isEmpty) }

  private func finish() {
    guard !isDone else { return }
    isLeaving = true
    isDone = true
    world.clientDone()
  }
}
