/// One request as an origin sees it: checked against its plan, byte for byte.
final class IncomingRequest {
  let plan: ExchangePlan
  let attempt: Attempt
  private unowned let world: World
  private let report: (String) -> Void
  private let role: OriginRole
  private var isMirror: Bool { role == .mirror }
  /// What the host makes of the planned one.
  var answer: AnswerPlan { attempt.answer }
  var isAnswered = false
  /// All of it has come.
  private(set) var isEnded = false

  /// - Returns: Nil (and a violation) when nobody planned it.
  init?(
    world: World, _ head: MessageHead, _ socket: PeerSocket, isHTTP2: Bool, role: OriginRole, script: ScriptedHost?,
    report: @escaping (String) -> Void
  ) {
    guard let plan = Self.plan(world, head, role) else {
      report("a request without a plan: \(head.startLine)")
      return nil
    }
    let id = plan.id
    self.world = world
    self.plan = plan
    self.report = report
    self.role = role
    let number = plan.attempts.count + 1
    var answer = plan.tunnel == nil ? script?.answer(plan.answer) ?? plan.answer : plan.answer
    let isOneOfMany = role == .traffic && world.hedges(plan)
    if isOneOfMany { answer = world.settings.hedges.answer(answer, attempt: number, world.hedgeDice) }
    attempt = Attempt(
      number: number, responseKey: isOneOfMany ? plan.responseKey(ofAttempt: number) : plan.responseKey, socket,
      isHTTP2: isHTTP2, answer: answer, now: world.events.now)
    if role == .check {
      Self.check(world, head, answer, report)
      return
    }
    if isMirror { Self.checkCopy(world, plan, head, report) }
    plan.originIsHTTP2 = isHTTP2
    plan.originIsSecure = attempt.isSecure
    if isOneOfMany { world.begins(attempt, of: plan, head) }
    plan.attempts.append(attempt)
    if number > 1 + plan.repeatsMax + (plan.mayRepeat ? 1 : 0) { report("request \(id) was sent \(number) times") }
    if head[RequestText.hedgeWish] != nil { report("request \(id): a host learns what its caller asked the proxy for") }
    if head.startLine != "\(plan.method) \(plan.path) HTTP/1.1" {
      report("request \(id): \(head.startLine)")
    }
    switch plan.target {
    case .origin: break
    case .proxy, .malformed: report("request \(id) should not have come")
    }
    for (name, value) in plan.headers where head[name] != value {
      report("request \(id): header \(name) is \(head[name] ?? "gone")")
    }
    let scheme = plan.clientIsSecure ? "https" : "http"
    if head["x-forwarded-proto"] != scheme {
      report("request \(id): x-forwarded-proto is \(head["x-forwarded-proto"] ?? "gone")")
    }
    let client = head["x-forwarded-client-cert"] ?? ""
    if client.contains("URI=spiffe://sim/client") != plan.clientHasCertificate {
      report("request \(id): x-forwarded-client-cert is \"\(client)\"")
    }
    if let text = head["content-length"], Int(text) != plan.body.count {
      report("request \(id): content-length: \(text)")
    }
  }

  private static func plan(_ world: World, _ head: MessageHead, _ role: OriginRole) -> ExchangePlan? {
    if role == .check { return .check(world.hostDice) }
    guard let id = head["x-id"].flatMap({ Int($0) }) else { return nil }
    return role == .mirror ? world.planMaker.copy(id, world.mirrorDice) : world.planMaker.plan(id)
  }

  private static func check(_ world: World, _ head: MessageHead, _ answer: AnswerPlan, _ report: (String) -> Void) {
    world.network.coverage.note(answer.isFailure ? .checkFailed : .checkAnswered)
    if head.startLine != "GET /healthz HTTP/1.1" { report("a check: \(head.startLine)") }
    if head["user-agent"] != "Envoy/HC" { report("a check of \(head["user-agent"] ?? "nobody")") }
    if head["x-id"] != nil { report("request \(head["x-id"] ?? "") went to a host as a check") }
  }

  private static func checkCopy(
    _ world: World, _ plan: ExchangePlan, _ head: MessageHead, _ report: (String) -> Void
  ) {
    world.network.coverage.note(.mirroredRequest)
    if plan.tunnel != nil { report("tunnel \(plan.id) was copied") }
    let host = head["host"] ?? head[":authority"] ?? ""
    if host != world.settings.mirrors.host { report("the host of copy \(plan.id) is \(host)") }
    if head["x-envoy-internal"] != "true" { report("copy \(plan.id) does not say that it is internal") }
    if head["x-copied"] != "\(plan.id)" { report("copy \(plan.id): x-copied is \(head["x-copied"] ?? "gone")") }
  }

  /// It ends here, and is not whole.
  func cut() {
    if isMirror { world.network.coverage.note(.mirrorUnfinished) }
  }

  func body(_ bytes: ArraySlice<UInt8>) {
    if !Pattern.matches(bytes, plan.requestKey, from: attempt.received) {
      report("request \(plan.id): wrong bytes in the body near \(attempt.received)")
    }
    attempt.received += bytes.count
    if attempt.received > plan.body.count { report("request \(plan.id): more than \(plan.body.count) bytes of body") }
  }

  func end(_ trailers: Fields) {
    isEnded = true
    attempt.whole = world.events.now
    if isMirror, attempt.received > 0 { world.network.coverage.note(.mirroredBody) }
    if isMirror, !trailers.isEmpty { world.network.coverage.note(.mirroredTrailers) }
    if attempt.received != plan.body.count {
      report("request \(plan.id): \(attempt.received) bytes of body instead of \(plan.body.count)")
    }
    let wanted = world.passesTrailers(of: plan, originIsHTTP2: attempt.isHTTP2) ? plan.body : BodyPlan()
    if !RequestText.trailersMatch(trailers, wanted, key: plan.requestKey),
      !(world.mayDropTrailers && trailers.isEmpty)
    {
      report("request \(plan.id): trailers \(trailers)")
    }
  }
}
