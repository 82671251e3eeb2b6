import Primitives
import Proxy
import Reactor
import Stats

/// One simulated world: a proxy, the network, and everybody in it.
///
/// All chance comes from the seed, all time from the kernel's clock: one seed gives one run.
final class World {
  let seed: UInt64
  let isCalm: Bool
  let events: EventQueue
  let network: VirtualNetwork
  let trace: Trace
  let planMaker: PlanMaker
  let proxy: SimulatedProxy
  let peerDice: Dice
  let worldDice: Dice
  let tlsDice: Dice
  /// What hosts do that get copies: nobody else's chances change by it.
  let mirrorDice: Dice
  /// What scripts do at the moment of a request.
  let hostDice: Dice
  /// What hosts make of attempts that may have others beside them.
  let hedgeDice: Dice
  /// Hosts of the proxy's clusters that have scripts, by address.
  var scriptedHosts: [ScriptedHost] = []
  let sizes: SegmentPool.Sizes
  var settings: SimulatedConfiguration
  let startTime: UInt64
  let clientCount: Int
  /// The last of them come at once, and none of them gets further than a hello.
  let stormCount: Int
  /// Times that a certificate is renewed, in worlds with TLS.
  let rotationCount: Int
  private(set) var doneClients = 0
  var httpClients: [PlannedClient] = []
  var tcpParties: [TCPParty] = []
  var connectHosts: [ConnectHost] = []
  /// Connections to hosts that get copies.
  var mirrorSockets: [PeerSocket] = []
  var hasDroppedMirrors = false
  var tlsStrangers: [TLSStranger] = []
  var answerCount = 0
  var logLineCount = 0
  /// When the log last said of a request that its host took too long.
  var latestTimeout: UInt64 = 0
  var nextTCPKey: UInt64 = 1 << 32
  var hasDrained = false
  var isPlanted = false
  static let pipeCapacities = 1000...200_000

  /// - Throws: What a worker throws that cannot start.
  init(seed: UInt64, plant: Plant?, print: ((String) -> Void)?) throws {
    self.seed = seed
    let dice = Dice(seed: seed, stream: 1)
    isCalm = dice.chance(0.4)
    worldDice = dice
    peerDice = Dice(seed: seed, stream: 2)
    tlsDice = Dice(seed: seed, stream: 8)
    mirrorDice = Dice(seed: seed, stream: 12)
    hostDice = Dice(seed: seed, stream: 15)
    hedgeDice = Dice(seed: seed, stream: 16)
    startTime = 1_000_000_000_000 + UInt64(dice.within(0...1_000_000_000))
    events = EventQueue(now: startTime)
    trace = Trace(print: print)
    network = VirtualNetwork(
      events: events, dice: Dice(seed: seed, stream: 3), trace: trace,
      faults: Faults(Dice(seed: seed, stream: 4), isCalm: isCalm), pipeCapacity: Self.pipeCapacities)
    let retries = RetrySettings(Dice(seed: seed, stream: 10), isCalm: isCalm)
    settings = SimulatedConfiguration(
      Dice(seed: seed, stream: 5), isCalm: isCalm, tls: TLSSettings(tlsDice, isCalm: isCalm),
      tunnels: TunnelSettings(Dice(seed: seed, stream: 9)), retries: retries,
      hedges: HedgeSettings(Dice(seed: seed, stream: 17), isCalm: isCalm, isPossible: retries.repeatsMax > 0),
      mirrors: MirrorSettings(Dice(seed: seed, stream: 11)), balancing: BalancingSettings(Dice(seed: seed, stream: 12)),
      health: HealthSettings(Dice(seed: seed, stream: 13), isCalm: isCalm))
    planMaker = PlanMaker(
      dice: Dice(seed: seed, stream: 6), hedgeDice: Dice(seed: seed, stream: 18), isCalm: isCalm, settings: settings)
    let record = ViolationRecord(events: events, trace: trace, startTime: startTime)
    self.record = record
    var proxySettings = SimulatedProxy.Settings(seed: seed)
    proxySettings.entries = UInt32(dice.pick([8, 32, 256, 1024]))
    proxySettings.flags = ProcessFlags(
      drainNanoseconds: UInt64(dice.within(1...10)) * Time.second, keepsTLSAttached: settings.tls.staysAttached)
    proxySettings.sizes.smallCount = dice.pick([4, 16, 64, 256])
    proxySettings.sizes.smallBytes = dice.pick([256, 1024, 4096, 16_384])
    proxySettings.sizes.largeCount = dice.pick([1, 2, 16])
    proxySettings.sizes.largeBytes = proxySettings.sizes.smallBytes * dice.pick([2, 8])
    sizes = proxySettings.sizes
    stormCount = settings.tls.isOn && tlsDice.chance(0.12) ? 20 : 0
    clientCount = dice.within(1...10) + stormCount
    proxy = try SimulatedProxy(proxySettings, network: network, record: record, configuration: settings.text)
    self.plant = plant
    rotationCount = tlsDice.chance(0.6) ? tlsDice.within(1...3) : 0
    if settings.tls.isOn { tlsParties = try TLSParties(world: self) }
    kernel.plant = plant?.kernelPlant
    proxy.afterTurn = { [unowned self] in turned() }
  }

  private func turned() {
    if !isPlanted { isPlanted = plant?.afterTurn(worker) ?? true }
    checkTurn()
  }

  var kernel: SimulatedKernel { proxy.kernel }
  var main: SimulatedMain { proxy.main }
  var worker: Worker { proxy.worker }
  var logRing: LogRing { proxy.logRing }

  /// Nil in worlds without TLS.
  private(set) var tlsParties: TLSParties?

  private let record: ViolationRecord
  let plant: Plant?

  func report(_ text: String) { record.add(text) }
  var foundViolations: [Violation] { record.violations }
  var hasTooManyViolations: Bool { record.isFull }

  func clientDone() {
    doneClients += 1
    kernel.wantsReturn = true
  }

  func answered(_ plan: ExchangePlan) { answerCount += 1 }

  // MARK: What may go wrong

  var mayFail: Bool { !isCalm }
  var mayFailTCP: Bool { !isCalm }
  var mayRefuse: Bool { !isCalm }
  /// HTTP/1 passes trailers on only when it is told to, HTTP/2 always.
  func passesTrailers(of plan: ExchangePlan, originIsHTTP2: Bool) -> Bool {
    settings.passesTrailers || (plan.clientIsHTTP2 && originIsHTTP2)
  }
  /// A cluster that changes to HTTP/2 alone says no more that HTTP/1 passes trailers, and its old connections heed that.
  var mayDropTrailers: Bool { settings.hasChangedProtocol }

  func checkLocalReply(_ plan: ExchangePlan, _ status: Int, client: Int) {
    let usual = [400, 403, 404, 408, 413, 431, 500, 501, 502, 503, 504]
    let isAllowed =
      switch plan.target {
      case .proxy(let planned):
        status == planned || ((plan.isFragile || mayFail) && usual.contains(status))
      case .malformed(_, let statuses): statuses.contains(status) || (mayFail && usual.contains(status))
      case .origin: (plan.mayFail || mayFail) && usual.contains(status)
      }
    if !isAllowed { report("client \(client): the proxy answered \(status) to request \(plan.id)") }
  }
}

/// Collects violations; apart from the world, so that parts made before it can report too.
final class ViolationRecord {
  private(set) var violations: [Violation] = []
  private static let violationsMax = 20
  private let events: EventQueue
  private let trace: Trace
  private let startTime: UInt64

  init(events: EventQueue, trace: Trace, startTime: UInt64) {
    self.events = events
    self.trace = trace
    self.startTime = startTime
  }

  func add(_ text: String) {
    trace.record("\(events.now) VIOLATION \(text)")
    guard !isFull else { return }
    violations.append(Violation(time: events.now - startTime, text: text))
  }

  /// There is no use in going on.
  var isFull: Bool { violations.count >= Self.violationsMax }

  var texts: String { violations.map(\.text).joined(separator: "; ") }
}

/// The simulation itself cannot start.
struct SimulationFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
