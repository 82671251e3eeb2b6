import Primitives

/// One connection from the proxy over HTTP/1.1: reads requests, checks every byte, and answers as each request's plan says.
final class HTTP1OriginConnection: OriginConnection {
  private unowned let world: World
  private let socket: PeerSocket
  private let reader = HTTPMessageReader()
  /// The latest one.
  private var request: IncomingRequest?
  private var isOver = false {
    didSet { if isOver { request?.attempt.isEnded = true } }
  }
  private var tunnel: TunnelEnd?
  private let role: OriginRole
  private let script: ScriptedHost?

  init(world: World, socket: PeerSocket, role: OriginRole, script: ScriptedHost?) {
    self.role = role
    self.script = script
    self.world = world
    self.socket = socket
  }

  func start() {
    reader.onHead = { [unowned self] in head($0) }
    reader.onBody = { [unowned self] in
      if let tunnel { tunnel.received($0) } else { request?.body($0) }
    }
    reader.onMessageEnd = { [unowned self] in messageEnd($0) }
    reader.onError = { [unowned self] in violation("a broken request: \($0)") }
  }

  func fed(_ bytes: [UInt8]) { if !isOver { reader.feed(bytes) } }

  private func violation(_ text: String) {
    world.report("origin connection \(socket.connection.id): \(text)")
  }

  private func note(_ feature: Coverage.Feature?) {
    if let feature { world.network.coverage.note(feature) }
  }

  func ended(isReset: Bool) {
    guard !isOver else { return }
    if isReset { tunnel?.broke("reset") } else { tunnel?.otherEnded() }
    if let request, !request.isEnded { request.cut() }
    isOver = true
    socket.close()
  }

  // MARK: Requests

  private func head(_ head: MessageHead) -> HTTPMessageReader.Framing {
    if let request, !request.isAnswered {
      violation("\(head.startLine) before the answer to request \(request.plan.id)")
    }
    request = IncomingRequest(world: world, head, socket, isHTTP2: false, role: role, script: script) { [unowned self] in
      violation($0)
    }
    guard let request else { return .none }
    if role == .traffic, let tunnel = request.plan.tunnel, !tunnel.isRefused { return begin(request, tunnel, head) }
    if request.answer.isEarly {
      note(role.feature(.earlyAnswer, mirror: .mirrorAnswersEarly))
      answer(request)
    } else if head["expect"] != nil {
      socket.send("HTTP/1.1 100 Continue\r\n\r\n")
    }
    return framing(head)
  }

  /// What follows is the tunnel's.
  private func begin(
    _ request: IncomingRequest, _ plan: TunnelPlan, _ head: MessageHead
  ) -> HTTPMessageReader.Framing {
    request.isAnswered = true
    // A cut end breaks the tunnel.
    if !world.mayFail { socket.security?.mustClose = true }
    if let type = plan.upgradeType, head["upgrade"] != type || head["connection"] != "upgrade" {
      violation("tunnel \(request.plan.id): asked for with \(head.headers)")
    }
    let end = TunnelEnd(
      world: world, name: "origin connection \(socket.connection.id), tunnel \(request.plan.id)",
      stream: plan.hostStream, habit: plan.hostHabit, expectedKey: plan.clientStream.key,
      carrier: TunnelEnd.Carrier(
        send: { [unowned self] in socket.send($0) }, end: { [unowned self] in socket.end() },
        reset: { [unowned self] in
          isOver = true
          socket.abort()
        }))
    tunnel = end
    world.events.after(request.plan.answer.delayNanoseconds) { [self] in
      guard !isOver else { return }
      let first = plan.upgradeType.map { "101 Switching\r\nconnection: upgrade\r\nupgrade: \($0)" } ?? "200 Connected"
      socket.send("HTTP/1.1 \(first)\r\nx-origin-id: \(request.plan.id)\r\n\r\n")
      end.accepted()
    }
    return .untilClose
  }

  private func framing(_ head: MessageHead) -> HTTPMessageReader.Framing {
    if head["transfer-encoding"] == "chunked" {
      if head["content-length"] != nil { violation("both framings in one request") }
      return .chunked
    }
    guard let text = head["content-length"] else { return .none }
    guard let count = Int(text) else {
      violation("content-length: \(text)")
      return .none
    }
    return .length(count)
  }

  private func messageEnd(_ trailers: Fields) {
    guard let request else { return }
    request.end(trailers)
    if !request.isAnswered { answer(request) }
  }

  // MARK: Answers

  private func answer(_ request: IncomingRequest) {
    request.isAnswered = true
    let delay = request.answer.delayNanoseconds
    guard delay > 0 else { return send(request) }
    if role == .traffic { note(.delayedAnswer) }
    world.events.after(delay) { [self] in if !isOver { send(request) } }
  }

  /// A body that ends with the connection is whole only when TLS says so.
  private func decideCut(_ request: IncomingRequest) {
    guard let security = socket.security, !request.plan.isHead, !request.answer.hasNoBody else { return }
    if world.mayFail { security.willCut = world.tlsDice.chance(0.9) } else { security.mustClose = true }
    guard security.cutsItsEnd else { return }
    note(.tlsCutAnswer)
    request.attempt.answer.isCut = true
  }

  private func send(_ request: IncomingRequest) {
    let (plan, answer) = (request.plan, request.answer)
    var bytes: [UInt8] = []
    for status in answer.interims {
      bytes += Array("HTTP/1.1 \(status) Interim\r\nx-interim: \(plan.id)\r\n\r\n".utf8)
    }
    var text = "HTTP/1.1 \(answer.status) Planned\r\n\(answer.isFailure ? "" : "x-origin-id: \(plan.id)\r\n")"
    if world.hedges(plan), !answer.isFailure, role == .traffic { text += "x-origin-attempt: \(request.attempt.number)\r\n" }
    for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
    switch answer.body.framing {
    case .length where !answer.hasNoBody: text += "content-length: \(answer.body.count)\r\n"
    case .chunked where !answer.hasNoBody: text += "transfer-encoding: chunked\r\n"
    case .none, .length, .chunked, .untilClose: break
    }
    if answer.ending == .closes { text += "connection: close\r\n" }
    bytes += Array((text + "\r\n").utf8)
    if !plan.isHead, !answer.hasNoBody { bytes += RequestText.bytes(answer.body, key: request.attempt.responseKey) }
    switch answer.fate {
    case .whole: break
    case .silent:
      note(role.feature(.silentOrigin, mirror: .mirrorSilent))
      return
    case .garbage:
      note(role.feature(.garbageAnswer, mirror: .mirrorGarbage))
      socket.send("!!! this is no response\r\n\r\n")
      return
    case .breaks(let count, let resets):
      note(role.feature(.brokenAnswer, mirror: .mirrorBreaks))
      socket.send(Array(bytes.prefix(count)))
      socket.onDrained = { [self] in
        isOver = true
        if resets { socket.abort() }
      }
      if !resets { socket.close() }
      if count == 0, resets {
        isOver = true
        socket.abort()
      }
      return
    }
    if answer.body.framing == .untilClose { decideCut(request) }
    request.attempt.answered = world.events.now
    request.attempt.isSaid = true
    socket.send(bytes)
    switch answer.ending {
    case .staysOpen: break
    case .closes:
      note(.originCloses)
      socket.end()
    case .closesSilently(let delay):
      world.events.after(delay) { [self] in
        // Only while nothing new has come: an origin does not break what it has begun.
        if self.request === request, !isOver {
          note(.originClosesSilently)
          socket.close()
          isOver = true
        }
      }
    }
  }
}
