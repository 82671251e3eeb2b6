import Primitives
import TLS

/// A client on one connection with requests to make: what does not depend on the protocol.
class PlannedClient {
  enum Ending { case closes, halfCloses, resets, staysIdle }

  /// Who it is and what it is going to do.
  struct Intent {
    let number: Int
    let plans: [ExchangePlan]
    let listener: SocketAddress
    let address: SocketAddress
    /// Most requests without an answer at a time.
    let depth: Int
    let ending: Ending
    /// Sent before anything else: a PROXY header.
    let preface: [UInt8]
    /// Over TLS, with this.
    var tls: TLSParties.ClientIntent?
  }

  unowned let world: World
  let intent: Intent
  var socket: PeerSocket?
  var nextToSend = 0
  private(set) var isDone = false
  /// Takes no interest any more in what comes.
  private(set) var isLeaving = false
  private var lastProgress: UInt64 = 0
  private static let patience: UInt64 = 7200 * Time.second

  init(world: World, _ intent: Intent) {
    self.world = world
    self.intent = intent
  }

  var number: Int { intent.number }
  var plans: [ExchangePlan] { intent.plans }
  var hasBegun: Bool { nextToSend > 0 }
  var isIdle: Bool { isDone || (nextToSend == plans.count && oldestWaiting == nil) }

  func note(_ feature: Coverage.Feature) { world.network.coverage.note(feature) }
  func violation(_ text: String) { world.report("client \(number): \(text)") }

  // MARK: For subclasses

  /// The oldest request without a whole answer.
  var oldestWaiting: ExchangePlan? { nil }

  /// The connection is there.
  func begin() {}

  func fed(_ bytes: [UInt8]) {}

  /// The proxy has ended the connection.
  func ended(isReset: Bool) {}

  // MARK: Life

  func start() {
    guard let socket = world.network.connect(to: intent.listener, from: intent.address) else {
      if !world.mayRefuse { violation("nobody listens on \(intent.listener)") }
      return finish()
    }
    self.socket = socket
    socket.readPace = .drawn(world.peerDice)
    socket.writePace = .drawn(world.peerDice)
    socket.onBytes = { [self] in
      guard !isLeaving else { return }
      lastProgress = world.events.now
      fed($0)
    }
    socket.onEnd = { [self] in if !isLeaving { ended(isReset: false) } }
    socket.onReset = { [self] in if !isLeaving { ended(isReset: true) } }
    socket.onDrained = { [self] in lastProgress = world.events.now }
    socket.send(intent.preface)
    if let tls = intent.tls, let parties = world.tlsParties { secure(socket, tls, parties) }
    lastProgress = world.events.now
    watch()
    begin()
  }

  private func secure(_ socket: PeerSocket, _ tls: TLSParties.ClientIntent, _ parties: TLSParties) {
    let security = parties.client(tls) { [unowned self] in violation($0) }
    security.onEstablished = { [unowned self] in
      let name = $0.alpn.string
      // A listener with TLS speaks both, in the client's order.
      if name != tls.protocols.first ?? "" { violation("TLS: \"\(name)\" was agreed on, \(tls.protocols) were offered") }
      if tls.presents != nil { note(.tlsClientCertificate) }
      if world.settings.tls.staysAttached { note(.tlsAttached) }
      note(name == "h2" ? .tlsHTTP2 : .tlsHTTP1)
    }
    socket.onCut = { [unowned self] in
      if !isLeaving, !world.mayFail { violation("TLS: the connection ended without close_notify") }
    }
    socket.secure(security)
  }

  /// Gives up after a long time without a byte.
  private func watch() {
    world.events.after(Self.patience / 4) { [self] in
      guard !isDone else { return }
      if world.events.now > lastProgress + Self.patience {
        if intent.ending != .staysIdle || oldestWaiting != nil {
          violation("no answer to request \(oldestWaiting?.id ?? 0) for two hours")
        }
        return abort()
      }
      watch()
    }
  }

  /// Time in which nobody could do anything does not try its patience.
  func clockJumps(by nanoseconds: UInt64) { lastProgress += nanoseconds }

  /// What was planned for the time when all is answered.
  func end() {
    guard let socket, !isLeaving else { return }
    switch intent.ending {
    case .closes: close()
    case .halfCloses:
      note(.clientHalfCloses)
      socket.end()
    case .resets:
      note(.clientResets)
      abort()
    case .staysIdle: break
    }
  }

  /// The world is over: an idle client leaves.
  func leave() {
    guard !isLeaving, oldestWaiting == nil else { return }
    close()
  }

  /// Closes when everything is out; only then is the client done.
  func close() {
    isLeaving = true
    guard let socket else { return finish() }
    socket.onClosed = { [self] in finish() }
    socket.close()
  }

  func abort() {
    socket?.abort()
    finish()
  }

  func finish() {
    guard !isDone else { return }
    isLeaving = true
    isDone = true
    world.clientDone()
  }

  /// For the coverage.
  func noteRequest(_ plan: ExchangePlan) {
    plan.sent = world.events.now
    if plan.isMalformed { return note(.malformedRequest) }
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

  /// The tunnel is there.
  func noteTunnel(_ plan: ExchangePlan) {
    if intent.tls != nil { note(.tunnelOverTLS) }
    switch plan.tunnel?.kind {
    case .endsHere: note(plan.clientIsHTTP2 ? .tunnelHTTP2ToTCP : .tunnelHTTP1ToTCP)
    case .passedOn: note(.tunnelPassedOn)
    case .upgrade, nil:
      note(
        plan.clientIsHTTP2
          ? plan.originIsHTTP2 ? .tunnelHTTP2ToHTTP2 : .tunnelHTTP2ToHTTP1
          : plan.originIsHTTP2 ? .tunnelHTTP1ToHTTP2 : .tunnelHTTP1ToHTTP1)
    }
  }

  /// An interim response: true when it is the one that lets the body go.
  func isContinue(_ plan: ExchangePlan, _ status: Int) -> Bool {
    if status == 100, plan.expectsContinue {
      note(.continueReceived)
      return true
    }
    if plan.answer.interims.contains(status) {
      note(.interimPassedOn)
    } else {
      violation("unexpected interim response \(status) to request \(plan.id)")
    }
    return false
  }
}
