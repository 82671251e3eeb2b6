import Glibc
import Primitives

/// Clients that come at a rate: each takes a connection that nobody uses, or makes one, asks once, and waits.
final class ScenarioClients {
  private final class Line {
    let socket: PeerSocket
    let reader = HTTPMessageReader()
    var asked: UInt64?
    /// Tells requests on it apart.
    var number = 0
    var status = 0
    var isBroken = false

    init(_ socket: PeerSocket) { self.socket = socket }
  }

  private let load: [Scenario.Load]
  private let patience: UInt64
  private let endsAt: UInt64
  private let dice: Dice
  private unowned let world: ScenarioWorld
  private var idle: [Line] = []
  private var nextID = 0
  /// Clients that wait for an answer.
  private(set) var waiting = 0
  private(set) var hasEnded = false

  init(_ scenario: Scenario, world: ScenarioWorld, dice: Dice) {
    load = scenario.load
    patience = UInt64(scenario.patienceSeconds * 1e9)
    endsAt = world.startTime + UInt64(scenario.seconds * 1e9)
    self.world = world
    self.dice = dice
  }

  private var events: EventQueue { world.events }

  func start() { plan() }

  /// The time between two clients has an exponential distribution; while nobody comes, the rate is looked at now and then.
  private func plan() {
    let now = Double(events.now - world.startTime) / 1e9
    let rate = load.last { $0.from <= now }?.rate ?? 0
    let chance = max(Double(dice.next() >> 11) / 9_007_199_254_740_992, 1e-12)
    let wait = rate > 0 ? min(-log(chance) / rate, 1) : 0.01
    events.after(UInt64(wait * 1e9)) { [self] in
      guard events.now < endsAt else {
        hasEnded = true
        return
      }
      if rate > 0 { arrive() }
      plan()
    }
  }

  private func arrive() {
    world.slice { $0.arrived += 1 }
    nextID += 1
    while let line = idle.popLast() {
      if !line.isBroken { return ask(line) }
    }
    guard let socket = world.network.connect(to: World.proxyAddress(ScenarioConfiguration.port), from: address) else {
      return world.report("nobody listens")
    }
    let line = Line(socket)
    listen(line)
    ask(line)
  }

  private var address: SocketAddress {
    .ip(IPAddress(v4: 0x0A09_0000 + UInt32(nextID & 0xFFFF)), port: 20_000)
  }

  private func listen(_ line: Line) {
    line.reader.onHead = { head in
      line.status = head.status
      return head["content-length"].flatMap { Int($0) }.map { .length($0) } ?? .none
    }
    line.reader.onMessageEnd = { [unowned self] _ in answered(line) }
    line.reader.onError = { [unowned self] in world.report("a client: \($0)") }
    line.socket.onBytes = { if !line.isBroken { line.reader.feed($0) } }
    let over = { [unowned self] in
      if line.asked != nil, !line.isBroken {
        world.report("a connection ended before the answer")
        left(line)
      }
      line.isBroken = true
      line.socket.close()
    }
    line.socket.onEnd = over
    line.socket.onReset = over
  }

  private func ask(_ line: Line) {
    waiting += 1
    line.asked = events.now
    line.number += 1
    let number = line.number
    line.socket.send("GET / HTTP/1.1\r\nhost: scenario\r\nx-id: \(nextID)\r\n\r\n")
    events.after(patience) { [self] in
      guard line.number == number, line.asked != nil, !line.isBroken else { return }
      line.isBroken = true
      left(line)
      line.socket.abort()
    }
  }

  private func left(_ line: Line) {
    line.asked = nil
    waiting -= 1
    world.slice { $0.abandoned += 1 }
    world.proxy.kernel.wantsReturn = true
  }

  private func answered(_ line: Line) {
    guard let asked = line.asked else { return world.report("an answer that nobody asked for: \(line.status)") }
    line.asked = nil
    waiting -= 1
    let status = line.status
    world.slice {
      if status == 200 {
        $0.succeeded += 1
        $0.waited += events.now - asked
      } else {
        $0.failed[status, default: 0] += 1
      }
    }
    if !world.scenario.allowedStatuses.contains(status) { world.report("a client was answered \(status)") }
    idle.append(line)
    world.proxy.kernel.wantsReturn = true
  }

  /// The scenario is over: who waits for nothing leaves.
  func leave() {
    for line in idle where !line.isBroken { line.socket.close() }
    idle = []
  }
}
