import Primitives

/// A host behind the proxy: reads requests, checks every byte, and answers as each request's plan says.
final class HTTPOrigin {
  private unowned let world: World
  let address: SocketAddress
  private(set) var connectionCount = 0

  init(world: World, address: SocketAddress) {
    self.world = world
    self.address = address
  }

  func accept(_ socket: PeerSocket) {
    connectionCount += 1
    HTTPOriginConnection(world: world, socket: socket).start()
  }
}

/// One connection from the proxy.
final class HTTPOriginConnection {
  private unowned let world: World
  private let socket: PeerSocket
  private let reader = HTTPMessageReader()
  private var plan: ExchangePlan?
  private var received = 0
  private var isAnswered = false
  private var requestCount = 0
  private var isOver = false

  init(world: World, socket: PeerSocket) {
    self.world = world
    self.socket = socket
  }

  func start() {
    socket.readPace = .drawn(world.peerDice)
    socket.writePace = .drawn(world.peerDice)
    reader.onHead = { [unowned self] in head($0) }
    reader.onBody = { [unowned self] in body($0) }
    reader.onMessageEnd = { [unowned self] in messageEnd($0) }
    reader.onError = { [unowned self] in violation("a broken request: \($0)") }
    // The socket keeps this object until the connection is over.
    socket.onBytes = { [self] in if !isOver { reader.feed($0) } }
    socket.onEnd = { [self] in leave() }
    socket.onReset = { [self] in leave() }
  }

  private func violation(_ text: String) {
    world.report("origin connection \(socket.connection.id): \(text)")
  }

  private func note(_ feature: Coverage.Feature) { world.network.coverage.note(feature) }

  private func leave() {
    guard !isOver else { return }
    isOver = true
    socket.close()
  }

  // MARK: Requests

  private func head(_ head: HTTPMessageReader.Head) -> HTTPMessageReader.Framing {
    requestCount += 1
    guard let id = head["x-id"].flatMap({ Int($0) }), let plan = world.planMaker.plan(id) else {
      violation("a request without a plan: \(head.startLine)")
      return .none
    }
    if self.plan != nil, !isAnswered { violation("request \(id) before the answer to another") }
    self.plan = plan
    received = 0
    isAnswered = false
    plan.headsSeen += 1
    if plan.headsSeen > 1, !(plan.mayRepeat && plan.headsSeen == 2) {
      violation("request \(id) was sent \(plan.headsSeen) times")
    }
    if head.startLine != "\(plan.method) \(plan.path) HTTP/1.1" {
      violation("request \(id): \(head.startLine)")
    }
    switch plan.target {
    case .origin: break
    case .proxy, .malformed: violation("request \(id) should not have come")
    }
    for (name, value) in plan.headers where head[name] != value {
      violation("request \(id): header \(name) is \(head[name] ?? "gone")")
    }
    if plan.answer.isEarly {
      note(.earlyAnswer)
      answer(plan)
    } else if head["expect"] != nil {
      socket.send("HTTP/1.1 100 Continue\r\n\r\n")
    }
    return framing(plan, head)
  }

  private func framing(
    _ plan: ExchangePlan, _ head: HTTPMessageReader.Head
  ) -> HTTPMessageReader.Framing {
    if head["transfer-encoding"] == "chunked" {
      if head["content-length"] != nil { violation("both framings in one request") }
      return .chunked
    }
    guard let text = head["content-length"] else { return .none }
    guard let count = Int(text) else {
      violation("content-length: \(text)")
      return .none
    }
    if count != plan.body.count { violation("request \(plan.id): content-length \(count)") }
    return .length(count)
  }

  private func body(_ bytes: ArraySlice<UInt8>) {
    guard let plan else { return }
    if !Pattern.matches(bytes, plan.requestKey, from: received) {
      violation("request \(plan.id): wrong bytes in the body near \(received)")
    }
    received += bytes.count
  }

  private func messageEnd(_ trailers: [(name: String, value: String)]) {
    guard let plan else { return }
    plan.endsSeen += 1
    if received != plan.body.count {
      violation("request \(plan.id): \(received) bytes of body instead of \(plan.body.count)")
    }
    let wanted = world.passesTrailers ? plan.body : BodyPlan()
    if !RequestText.trailersMatch(trailers, wanted, key: plan.requestKey),
      !(world.mayDropTrailers && trailers.isEmpty)
    {
      violation("request \(plan.id): trailers \(trailers)")
    }
    if !isAnswered { answer(plan) }
  }

  // MARK: Answers

  private func answer(_ plan: ExchangePlan) {
    isAnswered = true
    guard plan.answer.delayNanoseconds > 0 else { return send(plan) }
    note(.delayedAnswer)
    world.events.after(plan.answer.delayNanoseconds) { [self] in if !isOver { send(plan) } }
  }

  private func send(_ plan: ExchangePlan) {
    let answer = plan.answer
    var bytes: [UInt8] = []
    for status in answer.interims {
      bytes += Array("HTTP/1.1 \(status) Interim\r\nx-interim: \(plan.id)\r\n\r\n".utf8)
    }
    var text = "HTTP/1.1 \(answer.status) Planned\r\nx-origin-id: \(plan.id)\r\n"
    switch answer.body.framing {
    case .length where !answer.hasNoBody: text += "content-length: \(answer.body.count)\r\n"
    case .chunked where !answer.hasNoBody: text += "transfer-encoding: chunked\r\n"
    case .none, .length, .chunked, .untilClose: break
    }
    if answer.ending == .closes { text += "connection: close\r\n" }
    bytes += Array((text + "\r\n").utf8)
    if !plan.isHead, !answer.hasNoBody { bytes += RequestText.bytes(answer.body, key: plan.responseKey) }
    switch answer.fate {
    case .whole: break
    case .silent:
      note(.silentOrigin)
      return
    case .garbage:
      note(.garbageAnswer)
      socket.send("!!! this is no response\r\n\r\n")
      return
    case .breaks(let count, let resets):
      note(.brokenAnswer)
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
    socket.send(bytes)
    switch answer.ending {
    case .staysOpen: break
    case .closes:
      note(.originCloses)
      socket.end()
    case .closesSilently(let delay):
      world.events.after(delay) { [self] in
        // Only while nothing new has come: an origin does not break what it has begun.
        if self.plan === plan, isAnswered, !isOver {
          note(.originClosesSilently)
          socket.close()
          isOver = true
        }
      }
    }
  }
}
