/// One connection from the proxy over HTTP/2: reads requests, checks every byte, and answers as each
/// request's plan says.
final class HTTP2OriginConnection: OriginConnection {
  private unowned let world: World
  private let socket: PeerSocket
  private let link: HTTP2Link
  private var requests: [UInt32: IncomingRequest] = [:]
  /// A first GOAWAY is out.
  private var isEnding = false
  /// The proxy has seen it: the second goes when no stream is left.
  private var mayEnd = false
  private var isOver = false {
    didSet { if isOver { for request in requests.values { request.attempt.isEnded = true } } }
  }
  /// All is said: the proxy's end is waited for.
  private var isLeaving = false
  private var tunnels: [UInt32: TunnelEnd] = [:]
  private let role: OriginRole
  private let script: ScriptedHost?
  private var dice: Dice { world.dice(of: role) }

  init(world: World, socket: PeerSocket, role: OriginRole, script: ScriptedHost?) {
    self.role = role
    self.script = script
    self.world = world
    self.socket = socket
    link = HTTP2Link(world: world, socket: socket, side: .server) { text in
      world.report("origin connection \(socket.connection.id): \(text)")
    }
  }

  private func violation(_ text: String) {
    world.report("origin connection \(socket.connection.id): \(text)")
  }

  private func note(_ feature: Coverage.Feature?) {
    if let feature { world.network.coverage.note(feature) }
  }

  func start() {
    note(.http2Origin)
    link.onHead = { [unowned self] id, fields, _ in head(id, fields) }
    link.onBody = { [unowned self] id, bytes in
      if let tunnel = tunnels[id] { tunnel.received(bytes) } else { requests[id]?.body(bytes) }
    }
    link.onStreamDone = { [unowned self] in
      requests[$0]?.attempt.isEnded = true
      if tunnels.removeValue(forKey: $0) != nil { endIfDone() }
    }
    link.onEnd = { [unowned self] in requestEnd($0, $1) }
    link.onReset = { [unowned self] id, _ in
      note(.http2ProxyCancels)
      if let request = requests.removeValue(forKey: id) {
        request.attempt.isEnded = true
        if !request.isEnded { request.cut() }
      }
      tunnels.removeValue(forKey: id)?.broke("the stream was reset")
      endIfDone()
    }
    link.start()
  }

  func fed(_ bytes: [UInt8]) {
    if isOver || isLeaving { return }
    // The preface is the link's only beginning; HTTPOrigin has seen it.
    link.fed(sawPreface ? bytes[...] : bytes.dropFirst(24))
    sawPreface = true
  }

  private var sawPreface = false

  func ended(isReset: Bool) { leave() }

  private func leave() {
    guard !isOver else { return }
    isOver = true
    // The proxy closes a connection that takes no more behind its last stream: a reset may overtake what was not read yet.
    if !isEnding, world.settings.maxRequestsPerConnection == 0 {
      for id in tunnels.keys.sorted() { tunnels[id]?.broke("the connection ended") }
    }
    tunnels = [:]
    link.stop()
    socket.close()
  }

  // MARK: Requests

  private func head(_ id: UInt32, _ fields: Fields) {
    if refuses(id) { return }
    func value(_ name: String) -> String { fields.first { $0.name == name }?.value ?? "" }
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade", "host"]
    where fields.contains(where: { $0.name == name }) {
      violation("\(name) in HTTP/2")
    }
    let type = fields.first { $0.name == ":protocol" }?.value
    let isConnect = value(":method") == "CONNECT" && type == nil
    if !isConnect, role == .traffic, value(":authority") != "sim" { violation(":authority is \(value(":authority"))") }
    let target = isConnect ? value(":authority") : value(":path")
    let head = MessageHead(
      startLine: "\(type == nil ? value(":method") : "GET") \(target) HTTP/1.1", headers: fields)
    guard let request = IncomingRequest(
        world: world, head, socket, isHTTP2: true, role: role, script: script, report: { [unowned self] in violation($0) })
    else { return }
    requests[id] = request
    if role == .traffic, let tunnel = request.plan.tunnel {
      if tunnel.upgradeType != type { violation("tunnel \(request.plan.id): \(type ?? "nothing") is asked for") }
      if type != nil, !link.allowsConnect { violation("extended CONNECT was not allowed") }
      return tunnel.isRefused ? answer(id, request) : begin(id, request, tunnel)
    }
    if request.answer.isEarly {
      note(role.feature(.earlyAnswer, mirror: .mirrorAnswersEarly))
      answer(id, request)
    } else if head["expect"] != nil {
      link.head(id, [(":status", "100")], ends: false)
    }
  }

  private func begin(_ id: UInt32, _ request: IncomingRequest, _ plan: TunnelPlan) {
    request.isAnswered = true
    let end = TunnelEnd(
      world: world, name: "origin connection \(socket.connection.id), tunnel \(request.plan.id)",
      stream: plan.hostStream, habit: plan.hostHabit, expectedKey: plan.clientStream.key,
      carrier: TunnelEnd.Carrier(
        send: { [unowned self] in link.more(id, $0) }, end: { [unowned self] in link.finish(id) },
        reset: { [unowned self] in
          tunnels[id] = nil
          link.reset(id, 10)
        }))
    tunnels[id] = end
    world.events.after(request.plan.answer.delayNanoseconds) { [self] in
      guard !isOver, tunnels[id] === end else { return }
      link.head(id, [(":status", "200"), ("x-origin-id", "\(request.plan.id)")], ends: false)
      end.accepted()
    }
  }

  /// Says that it has not looked at the request: the proxy may send it elsewhere.
  private func refuses(_ id: UInt32) -> Bool {
    guard world.mayFail || role == .mirror, dice.chance(0.03) else { return false }
    note(.http2Refused)
    link.reset(id, 7)
    return true
  }

  private func requestEnd(_ id: UInt32, _ trailers: Fields) {
    if let tunnel = tunnels[id] { return tunnel.otherEnded() }
    guard let request = requests[id] else { return }
    request.end(trailers)
    if !request.isAnswered { answer(id, request) }
  }

  // MARK: Answers

  private func answer(_ id: UInt32, _ request: IncomingRequest) {
    request.isAnswered = true
    let delay = request.answer.delayNanoseconds
    guard delay > 0 else { return send(id, request) }
    if role == .traffic { note(.delayedAnswer) }
    world.events.after(delay) { [self] in
      if !isOver, requests[id] === request { send(id, request) }
    }
  }

  private func send(_ id: UInt32, _ request: IncomingRequest) {
    let (plan, answer) = (request.plan, request.answer)
    for status in answer.interims {
      link.head(id, [(":status", "\(status)"), ("x-interim", "\(plan.id)")], ends: false)
    }
    switch answer.fate {
    case .whole: whole(id, request)
    case .silent: note(role.feature(.silentOrigin, mirror: .mirrorSilent))
    case .garbage: garbage(id)
    case .breaks(let count, let resets): breaks(id, request, after: count, resets: resets)
    }
  }

  private func whole(_ id: UInt32, _ request: IncomingRequest) {
    let (plan, answer) = (request.plan, request.answer)
    request.attempt.answered = world.events.now
    let hasBody = !plan.isHead && !answer.hasNoBody
    link.head(id, head(of: request), ends: !hasBody)
    if hasBody {
      link.body(
        id, Pattern.bytes(request.attempt.responseKey, count: answer.body.count)[...],
        trailers: RequestText.trailers(answer.body, key: request.attempt.responseKey))
    }
    switch answer.ending {
    case .staysOpen: break
    case .closes: announceEnd()
    case .closesSilently(let delay):
      world.events.after(delay) { [self] in
        guard !isOver, link.streamCount == 0 else { return }
        note(.originClosesSilently)
        leave()
      }
    }
    endIfDone()
  }

  private func head(of request: IncomingRequest) -> Fields {
    let (plan, answer) = (request.plan, request.answer)
    var fields: Fields = [(":status", "\(answer.status)")] + answer.headers
    if !answer.isFailure { fields.append(("x-origin-id", "\(plan.id)")) }
    if world.hedges(plan), !answer.isFailure, role == .traffic {
      fields.append(("x-origin-attempt", "\(request.attempt.number)"))
    }
    if answer.body.framing == .length, !answer.hasNoBody {
      fields.append(("content-length", "\(answer.body.count)"))
    }
    return fields
  }

  private func garbage(_ id: UInt32) {
    note(role.feature(.garbageAnswer, mirror: .mirrorGarbage))
    switch dice.within(0...2) {
    case 0: link.head(id, [("x-no-status", "here")], ends: true)
    case 1: link.head(id, [(":status", "200"), ("connection", "close")], ends: true)
    default: socket.send("!!! this is no frame at all, and much too long for one")
    }
  }

  private func breaks(_ id: UInt32, _ request: IncomingRequest, after count: Int, resets: Bool) {
    let (plan, answer) = (request.plan, request.answer)
    note(role.feature(.brokenAnswer, mirror: .mirrorBreaks))
    if count > 0, !plan.isHead, !answer.hasNoBody {
      link.head(id, head(of: request), ends: false)
      // Less than all of it: what is whole is no broken answer.
      let part = min(count, max(0, answer.body.count - 1))
      link.part(id, Pattern.bytes(request.attempt.responseKey, count: part)[...])
    }
    switch (resets, dice.chance(0.5)) {
    case (true, true):
      requests[id] = nil
      request.attempt.isEnded = true
      link.reset(id, 2)
    case (true, false):
      isOver = true
      link.stop()
      socket.abort()
    case (false, true):
      // Streams above this one were not looked at, it says, and perhaps this one neither.
      note(.http2AbruptGoAway)
      link.goAway(last: id, 2)
      leave()
    case (false, false): leave()
    }
  }

  // MARK: The end of the connection

  /// In two steps, so that no request is lost: streams that are on their way are still served.
  private func announceEnd() {
    guard !isEnding else { return }
    isEnding = true
    note(.http2GracefulGoAway)
    link.goAway(last: 0x7FFF_FFFF)
    // What the proxy sent before it saw that is here when the pong is.
    link.afterRoundTrip { [unowned self] in
      mayEnd = true
      endIfDone()
    }
  }

  private func endIfDone() {
    guard mayEnd, !isOver, !isLeaving, link.streamCount == 0 else { return }
    note(.originCloses)
    link.goAway(last: link.lastProcessed)
    // Not both directions at once: what the proxy still says would be answered with a reset, and that overtakes answers.
    isLeaving = true
    socket.end()
  }
}
