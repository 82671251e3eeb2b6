/// One request, and what must come of it.
final class ExchangePlan {
  enum Target {
    /// An origin answers.
    case origin
    /// The proxy answers with this status; the path has no other meaning.
    case proxy(Int)
    /// The bytes are no request: one of these statuses, and the connection ends.
    case malformed([UInt8], statuses: [Int])
  }

  enum ClientFate {
    case stays
    /// Closes, or resets, after so many bytes of the request.
    case leavesInRequest(Int, resets: Bool)
    /// Leaves after so many bytes of the response's body.
    case leavesInResponse(Int, resets: Bool)
  }

  let id: Int
  var target = Target.origin
  var method = "GET"
  var path = "/"
  var headers: [(name: String, value: String)] = []
  var body = BodyPlan()
  var expectsContinue = false
  /// `connection: close`: the client's last request.
  var closes = false
  var fate = ClientFate.stays
  var answer = AnswerPlan()
  /// Asks to leave HTTP.
  var tunnel: TunnelPlan?

  /// The client speaks HTTP/2.
  var clientIsHTTP2 = false
  /// The client speaks TLS.
  var clientIsSecure = false
  var clientHasCertificate = false

  /// Its address is none of the proxy's own network.
  var clientIsExternal = false
  /// What the client wants to be done about late attempts, if it says so.
  var hedgeWish: Bool?

  // What happened
  /// The origin whose answer came, or that saw it last, speaks HTTP/2.
  var originIsHTTP2 = false
  var originIsSecure = false
  /// When the client began to send it, in nanoseconds.
  var sent: UInt64 = 0
  /// Origins that saw the request's head, in that order.
  var attempts: [Attempt] = []
  /// The one whose answer the client got.
  var winner: Attempt?
  /// When the client saw that answer's head, in nanoseconds.
  var answered: UInt64 = 0
  /// What attempts say they are the how manieth of.
  var attemptCounts: Set<String> = []
  /// Times that a client saw a final response to it.
  var answersSeen = 0
  /// A filter may answer it, or the configuration makes it fail.
  var isFragile = false

  init(id: Int) { self.id = id }

  /// The same request, of which nothing has happened.
  init(copyOf plan: ExchangePlan) {
    id = plan.id
    target = plan.target
    method = plan.method
    path = plan.path
    headers = plan.headers
    body = plan.body
    tunnel = plan.tunnel
    fate = plan.fate
    clientIsHTTP2 = plan.clientIsHTTP2
    clientIsSecure = plan.clientIsSecure
    clientHasCertificate = plan.clientHasCertificate
  }

  /// What main asks hosts, and what they say to it when nothing is wrong.
  static func check(_ dice: Dice) -> ExchangePlan {
    let plan = ExchangePlan(id: 0)
    plan.answer.body.framing = dice.pick([.length, .chunked])
    plan.answer.body.count = dice.pick([0, 2, 2000])
    if dice.chance(0.1) { plan.answer.headers.append(("x-envoy-degraded", "yes")) }
    return plan
  }

  /// For the trace.
  var shown: String {
    "\(id) \(method) \(path), body \(body.framing) \(body.count)\(expectsContinue ? ", expects 100" : "")"
      + "\(closes ? ", closes" : ""), \(target), client \(fate), answer \(answer.status)"
      + " \(answer.body.framing) \(answer.body.count) \(answer.fate) \(answer.ending)"
      + "\(answer.isEarly ? ", early" : "")\(tunnel.map { ", tunnel \($0)" } ?? "")"
  }

  var requestKey: UInt64 { UInt64(id) * 2 }
  var responseKey: UInt64 { UInt64(id) * 2 + 1 }
  /// Where each attempt has an answer of its own.
  func responseKey(ofAttempt number: Int) -> UInt64 { responseKey | UInt64(number) << 50 }
  var isHead: Bool { method == "HEAD" }
  var isMalformed: Bool { if case .malformed = target { true } else { false } }

  /// How often a retry policy may have it sent again.
  var repeatsMax = 0

  /// Safe to send twice, as the proxy may do on a connection that died.
  var mayRepeat: Bool {
    // An empty body in chunks is none for the next hop when all of it came with the head.
    ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].contains(method) && body.count == 0
  }

  /// Whether something other than the planned answer is no fault of the proxy.
  var mayFail: Bool {
    if isFragile { return true }
    if case .stays = fate { return answer.mayFail } else { return true }
  }
}

/// A message's body.
struct BodyPlan {
  enum Framing { case none, length, chunked, untilClose }
  var framing = Framing.none
  var count = 0
  /// Largest chunk.
  var chunkMax = 1000
  var trailers = 0
}

/// What an origin does with a request.
struct AnswerPlan {
  enum Fate: Equatable {
    case whole
    /// Ends the connection after so many bytes of the response.
    case breaks(after: Int, resets: Bool)
    /// Never answers.
    case silent
    /// Answers with bytes that are no response.
    case garbage
  }

  enum Ending: Equatable {
    case staysOpen
    /// Says `connection: close` and does.
    case closes
    /// Closes without a word, so much later.
    case closesSilently(afterNanoseconds: UInt64)
  }

  var status = 200
  /// Interim responses before it.
  var interims: [Int] = []
  var body = BodyPlan()
  /// Answers when the head is there, and reads the body after.
  var isEarly = false
  var delayNanoseconds: UInt64 = 0
  var fate = Fate.whole
  var ending = Ending.staysOpen

  /// A host that fails answers instead: nothing says whose answer it is.
  var isFailure = false
  /// More headers.
  var headers: Fields = []

  /// Its end was cut as no attacker may do unseen: TLS ended without close_notify, and the body ends with the connection.
  var isCut = false

  var hasNoBody: Bool { status == 204 || status == 304 }

  var mayFail: Bool {
    if fate != .whole || isCut { return true }
    // The answer may overtake the request: then the connection ends, perhaps before all of it is read.
    return isEarly
  }
}
