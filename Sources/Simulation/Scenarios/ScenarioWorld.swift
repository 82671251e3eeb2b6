import HostHealth
import Primitives
import Proxy

/// A scenario while it is played.
final class ScenarioWorld {
  let scenario: Scenario
  let events: EventQueue
  let network: VirtualNetwork
  let trace: Trace
  let proxy: SimulatedProxy
  let startTime: UInt64 = 1_000_000_000_000
  private let record: ViolationRecord
  private let plant: Plant?
  private var isPlanted = false
  private var result = ScenarioResult()
  private var hosts: [ScenarioHost] = []
  private var clients: ScenarioClients?
  private static let pipeCapacity = 65_536
  private static let afterwards = 40 * Time.second

  init(_ scenario: Scenario, seed: UInt64, plant: Plant?, print: ((String) -> Void)?) throws {
    self.scenario = scenario
    self.plant = plant
    events = EventQueue(now: startTime)
    trace = Trace(print: print)
    network = VirtualNetwork(
      events: events, dice: Dice(seed: seed, stream: 3), trace: trace, faults: .none,
      pipeCapacity: Self.pipeCapacity...Self.pipeCapacity)
    record = ViolationRecord(events: events, trace: trace, startTime: startTime)
    proxy = try SimulatedProxy(
      SimulatedProxy.Settings(seed: seed), network: network, record: record,
      configuration: scenario.configurations.first?.configuration.text ?? "")
    proxy.kernel.plant = plant?.kernelPlant
    proxy.afterTurn = { [unowned self] in
      if !isPlanted { isPlanted = self.plant?.afterTurn(proxy.worker) ?? true }
      proxy.logRing.drain { _, first, second in trace.record(first.string + second.string) }
    }
    let dice = Dice(seed: seed, stream: 15)
    for host in scenario.hosts { add(host, dice) }
    clients = ScenarioClients(scenario, world: self, dice: Dice(seed: seed, stream: 2))
  }

  private func add(_ host: Scenario.Host, _ dice: Dice) {
    let script = ScriptedHost("\(host.number)", host.script, network: network, startTime: startTime, dice: dice)
    let made = ScenarioHost(host, script, world: self)
    hosts.append(made)
    network.add(
      VirtualNetwork.Origin(
        accept: { made.accept($0, isCheck: false) }, acceptCheck: { made.accept($0, isCheck: true) },
        door: { script.door }), at: .ip(IPAddress(v4: 0x0A01_0100 + UInt32(host.number)), port: 80))
  }

  func report(_ text: String) { record.add(text) }

  /// Notes something of the time now.
  func slice(_ body: (inout ScenarioResult.Slice) -> Void) {
    let index = Int((events.now - startTime) / ScenarioResult.sliceNanoseconds)
    while result.slices.count <= index { result.slices.append(ScenarioResult.Slice()) }
    body(&result.slices[index])
  }

  /// A host has seen a request.
  func attempted(_ number: Int, _ head: MessageHead) {
    if head["x-id"] == nil { report("host \(number): a request that is nobody's") }
    slice { $0.attempts[number, default: 0] += 1 }
  }

  // MARK: Life

  func run() -> ScenarioResult {
    for change in scenario.configurations.dropFirst() {
      events.after(UInt64(change.at * 1e9)) { [unowned self] in proxy.main.publish(change.configuration.text) }
    }
    clients?.start()
    watch()
    proxy.turns { clients.map { $0.hasEnded && $0.waiting == 0 } ?? true }
    for host in hosts { host.script.recover() }
    proxy.pause(Self.afterwards)
    clients?.leave()
    proxy.pause(Time.second)
    proxy.checkMembership()
    proxy.end()
    result.values = proxy.checkNumbers()
    events.advance(to: events.now + Time.second)
    while events.runDue() {}
    proxy.checkSnapshots()
    result.violations = record.violations
    result.hash = trace.hash
    return result
  }

  /// Looks at the hosts now and then.
  private func watch() {
    events.after(20 * Time.millisecond) { [unowned self] in
      var out = 0
      for (_, set) in proxy.main.hostSets {
        out += set.pointer.pointee.flags.buffer.count { $0.state == .unhealthy }
      }
      slice { $0.out = max($0.out, out) }
      if clients?.hasEnded == false { watch() }
    }
  }

  /// Lets go of everything that holds each other.
  func dispose() {
    proxy.afterTurn = {}
    for host in hosts { host.script.dispose() }
    network.dispose()
    clients = nil
    hosts = []
  }
}
