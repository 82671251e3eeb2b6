/// One request as an origin sees it: checked against its plan, byte for byte.
final class IncomingRequest {
  let plan: ExchangePlan
  private unowned let world: World
  private let report: (String) -> Void
  private var received = 0
  var isAnswered = false

  /// - Returns: Nil (and a violation) when nobody planned it.
  init?(world: World, _ head: MessageHead, isHTTP2: Bool, report: @escaping (String) -> Void) {
    guard let id = head["x-id"].flatMap({ Int($0) }), let plan = world.planMaker.plan(id) else {
      report("a request without a plan: \(head.startLine)")
      return nil
    }
    self.world = world
    self.plan = plan
    self.report = report
    plan.originIsHTTP2 = isHTTP2
    plan.headsSeen += 1
    if plan.headsSeen > 1 + plan.repeatsMax + (plan.mayRepeat ? 1 : 0) {
      report("request \(id) was sent \(plan.headsSeen) times")
    }
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

  func body(_ bytes: ArraySlice<UInt8>) {
    if !Pattern.matches(bytes, plan.requestKey, from: received) {
      report("request \(plan.id): wrong bytes in the body near \(received)")
    }
    received += bytes.count
  }

  func end(_ trailers: Fields) {
    plan.endsSeen += 1
    if received != plan.body.count {
      report("request \(plan.id): \(received) bytes of body instead of \(plan.body.count)")
    }
    let wanted = world.passesTrailers(of: plan) ? plan.body : BodyPlan()
    if !RequestText.trailersMatch(trailers, wanted, key: plan.requestKey),
      !(world.mayDropTrailers && trailers.isEmpty)
    {
      report("request \(plan.id): trailers \(trailers)")
    }
  }
}
