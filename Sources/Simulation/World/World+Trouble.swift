import Proxy

/// What an operator does to a running proxy, and what a clock does.
extension World {
  func planTrouble() {
    planRotations()
    if settings.health.checksHosts {
      events.after(20 * Time.second) { [unowned self] in
        settings.health.rests = true
        if !hasDrained { main.publish(settings.text) }
      }
    }
    let faults = network.faults
    for _ in 0..<faults.snapshotSwaps {
      events.after(randomTime()) { [unowned self] in swapSnapshot() }
    }
    for _ in 0..<faults.clockJumps {
      events.after(randomTime()) { [unowned self] in
        let jump = UInt64(worldDice.within(1...1000)) * (faults.clockJumpMax / 1000)
        trace.record("\(events.now) the clock jumps by \(jump / Time.millisecond) ms")
        network.coverage.note(.clockJump)
        for client in httpClients { client.clockJumps(by: jump) }
        events.advance(to: events.now + jump)
      }
    }
    if faults.drains { events.after(randomTime() + Time.second) { [unowned self] in drain() } }
  }

  func randomTime() -> UInt64 {
    UInt64(worldDice.skewed(0...3_000_000)) * Time.microsecond
  }

  private func swapSnapshot() {
    guard !hasDrained else { return }
    for _ in 0...worldDice.within(0...1) { settings.change(worldDice) }
    trace.record("\(events.now) a new configuration is published")
    network.coverage.note(.snapshotSwap)
    if hasRequestUnderWay { network.coverage.note(.snapshotSwapMidRequest) }
    main.publish(settings.text)
  }

  var hasRequestUnderWay: Bool { httpClients.contains { !$0.isIdle && $0.hasBegun } }

  func drain() {
    guard !hasDrained else { return }
    hasDrained = true
    if hasRequestUnderWay { network.coverage.note(.drainMidRequest) }
    trace.record("\(events.now) main asks the worker to drain")
    main.tell(WorkerMessage.drain)
  }
}
