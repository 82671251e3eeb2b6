/// Draws requests and their answers.
final class PlanMaker {
  private let dice: Dice
  private let isCalm: Bool
  private let settings: SimulatedConfiguration
  private let hedgeDice: Dice
  /// Plans by id, from 1.
  private(set) var plans: [ExchangePlan] = []

  /// Bodies that are worth a splice are frequent in this run.
  let hasLargeBodies: Bool

  /// Most bytes of one direction of a TCP session.
  var streamBytesMax: Int { hasLargeBodies ? 400_000 : 100_000 }

  init(dice: Dice, hedgeDice: Dice, isCalm: Bool, settings: SimulatedConfiguration) {
    self.dice = dice
    self.hedgeDice = hedgeDice
    self.isCalm = isCalm
    self.settings = settings
    hasLargeBodies = dice.chance(0.3)
  }

  func plan(_ id: Int) -> ExchangePlan? { id >= 1 && id <= plans.count ? plans[id - 1] : nil }

  /// Plans of copies by id, made when the first comes.
  private var copies: [Int: ExchangePlan] = [:]

  /// The plan of a request's copy: the same request, with an answer of its own.
  func copy(_ id: Int, _ dice: Dice) -> ExchangePlan? {
    if let made = copies[id] { return made }
    guard let plan = plan(id) else { return nil }
    let copy = ExchangePlan(copyOf: plan)
    copy.answer.status = dice.pick([200, 200, 204, 404, 500, 503])
    if !copy.answer.hasNoBody {
      copy.answer.body.framing = dice.pick([.length, .chunked])
      copy.answer.body.count = dice.skewed(0...(dice.chance(0.1) ? 300_000 : 5000))
    }
    copy.answer.isEarly = dice.chance(0.15)
    if dice.chance(0.3) { copy.answer.delayNanoseconds = UInt64(dice.skewed(0...2000)) * Time.millisecond }
    if dice.chance(0.3) {
      copy.answer.fate = dice.pick([
        .silent, .garbage, .breaks(after: 0, resets: dice.chance(0.5)),
        .breaks(after: dice.skewed(0...5000), resets: dice.chance(0.5)),
      ])
    } else if dice.chance(0.1) {
      copy.answer.ending = .closes
    }
    copies[id] = copy
    return copy
  }

  func make(isHTTP2: Bool, tls: TLSParties.ClientIntent? = nil) -> ExchangePlan {
    let plan = ExchangePlan(id: plans.count + 1)
    plan.clientIsHTTP2 = isHTTP2
    plan.clientIsSecure = tls != nil
    plan.clientHasCertificate = tls?.presents != nil
    plans.append(plan)
    plan.path = "/a/\(plan.id)"
    if settings.tunnels.isOn, dice.chance(0.2) {
      tunnel(plan)
    } else if dice.chance(0.08) {
      proxyAnswer(plan)
    } else if !isHTTP2, dice.chance(isCalm ? 0.02 : 0.06) {
      malformed(plan)
    } else {
      exchange(plan)
    }
    return plan
  }

  // MARK: Answers of the proxy itself

  private func proxyAnswer(_ plan: ExchangePlan) {
    switch dice.within(0...(settings.hasHealthCheck ? 4 : 3)) {
    case 0:
      plan.path = "/direct/\(plan.id)"
      plan.target = .proxy(200)
    case 1:
      plan.path = "/old/\(plan.id)"
      plan.target = .proxy(301)
    case 2:
      plan.path = "/nowhere/\(plan.id)"
      plan.target = .proxy(404)
    case 4:
      plan.path = "/health"
      plan.target = .proxy(200)
    default:
      plan.path = "/direct/\(plan.id)"
      plan.method = "POST"
      plan.target = .proxy(200)
      plan.body = body(max: 5000, trailers: false)
      // The answer may overtake the body, and then the connection ends.
      plan.isFragile = plan.body.framing != .none
    }
  }

  // MARK: What is no request

  private func malformed(_ plan: ExchangePlan) {
    let host = "host: sim\r\nx-id: \(plan.id)\r\n"
    let path = "/a/\(plan.id)"
    let choices: [(String, [Int])] = [
      ("\u{1}\u{2}\u{3} nonsense\r\n\r\n", [400]),
      ("GET \(path)\r\n\(host)\r\n", [400, 505]),
      ("GET \(path) HTTP/1.1\r\n\(host)bad header: x\r\n\r\n", [400]),
      ("GET \(path) HTTP/1.1\r\n\(host)content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef", [400]),
      ("POST \(path) HTTP/1.1\r\n\(host)content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
      ("POST \(path) HTTP/1.1\r\n\(host)content-length: -1\r\n\r\n", [400]),
      ("POST \(path) HTTP/1.1\r\n\(host)transfer-encoding: gzip\r\n\r\n", [400, 501]),
      ("GET \(path) HTTP/1.1\r\nx-id: \(plan.id)\r\n\r\n", [400]),
      (
        "GET \(path) HTTP/1.1\r\n\(host)x-long: \(String(repeating: "a", count: 70_000))\r\n\r\n",
        [431]
      ),
    ]
    let (text, statuses) = dice.pick(choices)
    plan.target = .malformed(Array(text.utf8), statuses: statuses)
  }

  // MARK: Tunnels

  private func tunnel(_ plan: ExchangePlan) {
    let kind: TunnelPlan.Kind
    switch dice.within(0...9) {
    case 0...5: kind = .upgrade(dice.pick(["websocket", "sim"]))
    case 6, 7: kind = .passedOn
    default: kind = .endsHere
    }
    var tunnel = TunnelPlan(
      kind: kind, clientStream: TCPStream(key: plan.requestKey, count: dice.skewed(0...streamBytesMax / 2)),
      hostStream: TCPStream(key: plan.responseKey, count: dice.skewed(0...streamBytesMax / 2)), clientHabit: .endsFirst,
      hostHabit: .endsFirst)
    // Somebody has to end first. Who is behind CONNECT that ends at the proxy always does.
    switch dice.within(0...2) {
    case 0: tunnel.clientHabit = .endsLast
    case 1 where kind != .endsHere: tunnel.hostHabit = .endsLast
    default: break
    }
    plan.method = kind == .passedOn || kind == .endsHere ? "CONNECT" : "GET"
    switch kind {
    case .upgrade: plan.path = "\(dice.pick(["/a", "/a", "/b", "/split"]))/\(plan.id)"
    case .passedOn: plan.path = TunnelPlan.passedOn
    case .endsHere: plan.path = TunnelPlan.endsHere
    }
    if kind != .endsHere {
      answer(plan)
      plan.answer.fate = .whole
      plan.answer.isEarly = false
      tunnel.isRefused = dice.chance(0.2)
      if !tunnel.isRefused { plan.answer.ending = .staysOpen }
      // 2xx says yes to CONNECT, and over HTTP/2 an upgrade is one.
      if tunnel.isRefused, plan.answer.status < 400 {
        plan.answer.status = dice.pick([403, 404, 503])
        if plan.answer.body.framing == .none { plan.answer.body.framing = .length }
      }
    }
    // What follows a refused request is thrown away with the connection.
    tunnel.speaksEarly = !tunnel.isRefused && dice.chance(0.3)
    if !isCalm, dice.chance(0.2) { tunnel.clientHabit = .resets(after: dice.skewed(0...20_000)) }
    if !isCalm, dice.chance(0.2) { tunnel.hostHabit = .resets(after: dice.skewed(0...20_000)) }
    if plan.method == "GET", dice.chance(0.08) {
      tunnel.kind = .upgrade(TunnelPlan.forbidden)
      tunnel.speaksEarly = false
      plan.target = .proxy(403)
    }
    if settings.hasSmallBreakers { plan.isFragile = true }
    plan.repeatsMax = settings.retries.repeatsMax
    plan.tunnel = tunnel
  }

  // MARK: Exchanges

  private func exchange(_ plan: ExchangePlan) {
    let roll = dice.within(0...99)
    if roll < 50 {
      plan.method = dice.pick(["GET", "GET", "GET", "HEAD", "DELETE", "OPTIONS"])
    } else {
      plan.method = dice.pick(["POST", "PUT", "PATCH"])
      plan.body = body(max: dice.chance(0.07) ? 300_000 : 20_000, trailers: true)
    }
    plan.path = settings.path(for: plan.id, dice)
    if dice.chance(0.1) { plan.headers.append(("x-padding", String(repeating: "p", count: dice.within(1...3000)))) }
    if plan.body.framing != .none, dice.chance(0.15) { plan.expectsContinue = true }
    answer(plan)
    if !plan.clientIsHTTP2, dice.chance(0.05) { plan.closes = true }
    if settings.hasFault, dice.chance(0.1) {
      plan.headers.append(("x-fault", "yes"))
      plan.isFragile = true
    }
    if settings.hasCors, dice.chance(0.2) { plan.headers.append(("origin", "https://example.com")) }
    if settings.bufferLimitOfFilter > 0, plan.body.count > settings.bufferLimitOfFilter {
      plan.isFragile = true
    }
    if plan.path.hasPrefix("/quick/") { plan.isFragile = true }
    plan.hedgeWish = settings.hedges.wish(hedgeDice)
    if settings.hasSmallBreakers { plan.isFragile = true }
    plan.repeatsMax = settings.retries.repeatsMax
    clientFate(plan)
  }

  private func body(max: Int, trailers: Bool) -> BodyPlan {
    var body = BodyPlan()
    body.count = dice.skewed(0...max)
    body.framing = dice.chance(0.5) ? .length : .chunked
    if body.count == 0, body.framing == .length, dice.chance(0.5) { body.framing = .none }
    if body.framing == .chunked {
      body.chunkMax = dice.skewed(1...8000)
      if body.count / body.chunkMax > 400 { body.chunkMax = body.count / 400 }
      if trailers, dice.chance(0.4) { body.trailers = dice.within(1...3) }
    }
    return body
  }

  private func answer(_ plan: ExchangePlan) {
    plan.answer.status = dice.pick([200, 200, 200, 200, 201, 204, 304, 404, 500])
    if dice.chance(0.15) { plan.answer.delayNanoseconds = UInt64(dice.skewed(0...400)) * Time.millisecond }
    if dice.chance(0.1) { plan.answer.interims = dice.pick([[103], [100], [102, 103], [103, 103]]) }
    if !plan.answer.hasNoBody {
      plan.answer.body = body(max: dice.chance(0.08) ? 400_000 : 20_000, trailers: true)
      if hasLargeBodies, dice.chance(0.25) {
        plan.answer.body.count = dice.within(90_000...300_000)
        if dice.chance(0.6) { plan.answer.body.framing = .length }
        plan.answer.body.chunkMax = max(plan.answer.body.chunkMax, 2000)
      }
      if plan.answer.body.framing == .none { plan.answer.body.framing = .length }
      if dice.chance(0.25) {
        plan.answer.body.framing = .untilClose
        plan.answer.body.trailers = 0
        plan.answer.ending = .closes
      }
    }
    if plan.body.count > 0, dice.chance(0.1) { plan.answer.isEarly = true }
    if plan.answer.ending == .staysOpen {
      if dice.chance(0.06) {
        plan.answer.ending = .closes
      } else if dice.chance(0.06), !isCalm {
        plan.answer.ending = .closesSilently(
          afterNanoseconds: UInt64(dice.skewed(0...50_000_000)))
      }
    }
    if isCalm { return }
    if dice.chance(0.06) {
      // A body that ends with the connection is cut unseen by an orderly end, but not by a reset.
      let resets = dice.chance(0.5) || plan.answer.body.framing == .untilClose
      plan.answer.fate = dice.pick([
        .breaks(after: dice.skewed(0...plan.answer.body.count + 100), resets: resets),
        .breaks(after: 0, resets: dice.chance(0.5)), .silent, .garbage,
      ])
    }
  }

  private func clientFate(_ plan: ExchangePlan) {
    let isLarge = plan.answer.body.count >= 90_000
    guard !isCalm, dice.chance(isLarge ? 0.4 : 0.05) else { return }
    let resets = dice.chance(0.5)
    if !isLarge, dice.chance(0.5) {
      plan.fate = .leavesInRequest(dice.skewed(0...plan.body.count + 100), resets: resets)
    } else {
      plan.fate = .leavesInResponse(dice.skewed(0...plan.answer.body.count), resets: resets)
    }
  }
}
