/// A client over HTTP/2: sends its planned requests on streams of one connection, several at a time,
/// and checks every byte that comes back.
final class HTTP2Client: PlannedClient {
  private var link: HTTP2Link?

  /// A request whose stream is not over.
  private final class Exchange {
    let plan: ExchangePlan
    var answer: IncomingAnswer?
    var tunnel: TunnelEnd?
    /// Waits for 100 (Continue).
    var holdsBody = false
    init(_ plan: ExchangePlan) { self.plan = plan }
  }

  private var exchanges: [UInt32: Exchange] = [:]
  /// The proxy takes no more streams on this connection.
  private var announcedEnd = false

  override var oldestWaiting: ExchangePlan? {
    exchanges.values.map(\.plan).min { $0.id < $1.id }
  }

  override func begin() {
    guard let socket else { return }
    let link = HTTP2Link(world: world, socket: socket, side: .client) { [unowned self] in violation($0) }
    self.link = link
    link.onHead = { [unowned self] id, fields, _ in head(id, fields) }
    link.onBody = { [unowned self] in body($0, $1) }
    link.onEnd = { [unowned self] in answerEnd($0, $1) }
    link.onReset = { [unowned self] in streamReset($0, $1) }
    link.onStreamDone = { [unowned self] in streamDone($0) }
    link.onGoAway = { [unowned self] in goAway($0, $1) }
    link.start()
    note(.http2Client)
    sendMore()
  }

  override func fed(_ bytes: [UInt8]) {
    link?.fed(bytes)
    if !isLeaving { sendMore() }
  }

  // MARK: Sending

  private func sendMore() {
    guard let link, !isLeaving else { return }
    // Until the proxy says how many it takes, one at a time.
    let most = min(intent.depth, link.hasPeerSettings ? link.peerStreamsMax ?? .max : 1)
    while nextToSend < plans.count, exchanges.count < most, !announcedEnd {
      let plan = plans[nextToSend]
      if plan.tunnel?.upgradeType != nil, !link.peerAllowsConnect {
        // Nobody may ask before the proxy has said that it understands (RFC 8441 section 3).
        if link.hasPeerSettings { violation("extended CONNECT is not allowed") }
        return
      }
      nextToSend += 1
      send(plan, link)
      if isLeaving { return }
    }
    if nextToSend == plans.count, exchanges.isEmpty, !announcedEnd { end() }
  }

  private func send(_ plan: ExchangePlan, _ link: HTTP2Link) {
    world.trace.record("\(world.events.now) client \(number) sends request \(plan.shown) over HTTP/2")
    if !exchanges.isEmpty { note(.http2ConcurrentStreams) }
    noteRequest(plan)
    let exchange = Exchange(plan)
    let isEmpty = plan.body.framing == .none && plan.tunnel == nil
    let id = link.open(head(of: plan), ends: isEmpty)
    exchanges[id] = exchange
    if case .leavesInRequest(let count, let resets) = plan.fate {
      return leaveInRequest(id, plan, after: count, resets: resets)
    }
    if let tunnel = plan.tunnel { return ask(id, exchange, tunnel, link) }
    if isEmpty { return }
    guard plan.expectsContinue else { return sendBody(id, exchange) }
    exchange.holdsBody = true
    world.events.after(Time.second) { [self] in if exchange.holdsBody { sendBody(id, exchange) } }
  }

  private func ask(_ id: UInt32, _ exchange: Exchange, _ tunnel: TunnelPlan, _ link: HTTP2Link) {
    let end = TunnelEnd(
      world: world, name: "client \(number), tunnel \(exchange.plan.id)", stream: tunnel.clientStream,
      habit: tunnel.clientHabit, expectedKey: tunnel.kind == .endsHere ? nil : tunnel.hostStream.key,
      carrier: TunnelEnd.Carrier(
        send: { link.more(id, $0) }, end: { link.finish(id) }, reset: { [unowned self] in cancel(id) }))
    exchange.tunnel = end
    if tunnel.speaksEarly {
      note(.tunnelSpeaksEarly)
      end.speak()
    }
  }

  /// A tunnel has ended both ways.
  private func streamDone(_ id: UInt32) {
    guard let exchange = exchanges[id], exchange.tunnel?.isAccepted == true else { return }
    exchanges[id] = nil
  }

  private func connectHead(of plan: ExchangePlan, _ type: String?) -> Fields {
    let id = (name: "x-id", value: "\(plan.id)")
    guard let type else { return [(":method", "CONNECT"), (":authority", plan.path), id] }
    return [
      (":method", "CONNECT"), (":protocol", type), (":scheme", plan.clientIsSecure ? "https" : "http"),
      (":authority", "sim"), (":path", plan.path), id,
    ]
  }

  private func head(of plan: ExchangePlan) -> Fields {
    if let tunnel = plan.tunnel { return connectHead(of: plan, tunnel.upgradeType) }
    var fields: Fields = [
      (":method", plan.method), (":scheme", plan.clientIsSecure ? "https" : "http"), (":authority", "sim"), (":path", plan.path),
      ("x-id", "\(plan.id)"),
    ]
    fields += plan.headers + RequestText.wishes(plan)
    if plan.body.framing == .length { fields.append(("content-length", "\(plan.body.count)")) }
    if plan.expectsContinue { fields.append(("expect", "100-continue")) }
    return fields
  }

  private func sendBody(_ id: UInt32, _ exchange: Exchange) {
    guard !isLeaving, exchanges[id] === exchange else { return }
    exchange.holdsBody = false
    let plan = exchange.plan
    link?.body(
      id, Pattern.bytes(plan.requestKey, count: plan.body.count)[...],
      trailers: RequestText.trailers(plan.body, key: plan.requestKey))
  }

  private func leaveInRequest(_ id: UInt32, _ plan: ExchangePlan, after count: Int, resets: Bool) {
    let part = Pattern.bytes(plan.requestKey, count: min(count, plan.body.count))
    if plan.body.framing != .none { link?.part(id, part[...]) }
    if resets { return cancel(id) }
    nextToSend = plans.count
    link?.stop()
    close()
  }

  /// Takes one request back; the others go on.
  private func cancel(_ id: UInt32) {
    note(.http2ClientCancels)
    link?.reset(id, 8)
    exchanges[id] = nil
  }

  // MARK: Answers

  private func head(_ id: UInt32, _ fields: Fields) {
    guard !isLeaving, let exchange = exchanges[id] else { return }
    let plan = exchange.plan
    let status = fields.first { $0.name == ":status" }?.value ?? "none"
    if fields.first?.name != ":status" { violation("request \(plan.id): a head without status: \(fields)") }
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"]
    where fields.contains(where: { $0.name == name }) {
      violation("request \(plan.id): \(name) in HTTP/2")
    }
    let head = MessageHead(startLine: "HTTP/2 \(status)", headers: fields)
    if (100..<200).contains(head.status) {
      if isContinue(plan, head.status), exchange.holdsBody { sendBody(id, exchange) }
      return
    }
    if let asked = plan.tunnel, !asked.isRefused, head.status == 200 {
      plan.answersSeen += 1
      noteTunnel(plan)
      exchange.tunnel?.accepted()
      return
    }
    exchange.answer = IncomingAnswer(world: world, plan, head, client: number) { [unowned self] in violation($0) }
  }

  private func body(_ id: UInt32, _ bytes: ArraySlice<UInt8>) {
    if let tunnel = exchanges[id]?.tunnel, tunnel.isAccepted { return tunnel.received(bytes) }
    guard !isLeaving, let answer = exchanges[id]?.answer else { return }
    answer.body(bytes)
    if case .leavesInResponse(let count, let resets) = answer.plan.fate, answer.received >= count {
      note(.clientLeavesInResponse)
      if resets { return cancel(id) }
      link?.stop()
      close()
    }
  }

  private func answerEnd(_ id: UInt32, _ trailers: Fields) {
    if let tunnel = exchanges[id]?.tunnel, tunnel.isAccepted { return tunnel.otherEnded() }
    guard !isLeaving, let exchange = exchanges.removeValue(forKey: id) else { return }
    guard let answer = exchange.answer else {
      return violation("request \(exchange.plan.id): an end without an answer")
    }
    answer.end(trailers)
    // An answer that did not wait for the request's end (RFC 9113 section 8.1).
    if link?.isSending(id) == true { link?.reset(id, 8) }
  }

  private func streamReset(_ id: UInt32, _ code: UInt32) {
    guard !isLeaving, let exchange = exchanges.removeValue(forKey: id) else { return }
    note(.http2StreamReset)
    if let tunnel = exchange.tunnel, tunnel.isAccepted { return tunnel.broke("the stream was reset with code \(code)") }
    if !exchange.plan.mayFail, !world.mayFail {
      violation("request \(exchange.plan.id): the stream was reset with code \(code)")
    }
  }

  // MARK: The end

  private func goAway(_ last: UInt32, _ code: UInt32) {
    note(.http2GoAwayToClient)
    if code != 0, !world.mayFail { violation("GOAWAY with code \(code)") }
    announcedEnd = true
    nextToSend = plans.count
    for id in exchanges.keys.sorted() where id > last {
      guard let exchange = exchanges.removeValue(forKey: id) else { continue }
      checkUnanswered(exchange.plan, "GOAWAY came")
    }
  }

  override func ended(isReset: Bool) {
    // Who has ended its own direction is taken for gone, as in Envoy: nobody flushes for it.
    let isOwnEnd = socket?.endsAfterOutput ?? false
    if link?.isBetweenFrames == false, !isReset, !isOwnEnd, !world.mayFail { violation("half a frame") }
    for id in exchanges.keys.sorted() {
      guard let exchange = exchanges.removeValue(forKey: id) else { continue }
      checkUnanswered(exchange.plan, isReset ? "the connection was reset" : "the connection ended")
    }
    link?.stop()
    close()
  }

  private func checkUnanswered(_ plan: ExchangePlan, _ how: String) {
    if plan.mayFail || world.mayFail { return }
    violation("\(how) before the answer to request \(plan.id) was complete")
  }

  override func finish() {
    link?.stop()
    super.finish()
  }
}
