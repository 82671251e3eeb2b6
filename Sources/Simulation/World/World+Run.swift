import Proxy

/// A world's life: traffic, quiet, the end.
extension World {
  /// Longest quiet time in which an idle worker must hardly turn.
  private static let quietNanoseconds = 20 * Time.second
  private static let quietTurnsMax = 400
  private static let settlingSecondsMax = 7200

  func run() {
    addOrigins()
    addClients()
    planTrouble()
    // The last client may be one that stays and waits for nothing.
    proxy.turns { doneClients + idleClients >= clientCount }
    network.faults.switchOff()
    for host in scriptedHosts { host.recover() }
    settle()
    quiet()
    checkAttempts()
    checkOutlierCounts()
    for client in httpClients { client.leave() }
    dropMirrors()
    proxy.pause(30 * Time.second)
    if !hasDrained, worldDice.chance(0.5) {
      drain()
      proxy.pause(30 * Time.second)
      if worker.downstreamConnectionCount > 0 {
        report("\(worker.downstreamConnectionCount) connections are left after a drain")
      }
    }
    if worker.currentGenerationStreams != 0 {
      report("\(worker.currentGenerationStreams) streams pin the current generation")
    }
    proxy.checkMembership()
    proxy.end()
    drainLog()
    checkNumbers()
    events.advance(to: events.now + Time.second)
    while events.runDue() {}
    proxy.checkSnapshots()
  }

  /// Lets go of everything that holds each other.
  func dispose() {
    tlsParties?.dispose()
    for host in scriptedHosts { host.dispose() }
    network.dispose()
  }

  private var idleClients: Int { httpClients.count { !$0.isDone && $0.isIdle } }

  /// Slow peers take what is on its way to them: a client may be done long before its origin is.
  private func settle() {
    var settled = 0
    var seconds = 0
    while settled < 2, seconds < Self.settlingSecondsMax, !hasTooManyViolations {
      proxy.pause(Time.second)
      seconds += 1
      settled = network.hasUndelivered ? 0 : settled + 1
    }
  }

  /// With nothing to do a worker sleeps.
  private func quiet() {
    proxy.pause(Self.quietNanoseconds)
    let before = kernel.enterCount
    proxy.pause(Self.quietNanoseconds)
    let spent = kernel.enterCount - before
    if spent > Self.quietTurnsMax { report("\(spent) turns in 20 quiet seconds") }
  }
}
