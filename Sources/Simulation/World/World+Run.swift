import Proxy

/// A world's life: traffic, quiet, the end.
extension World {
  /// Longest quiet time in which an idle worker must hardly turn.
  private static let quietNanoseconds = 20 * Time.second
  private static let quietTurnsMax = 400
  private static let settlingSecondsMax = 7200
  private static let entersMax = 3_000_000

  func run() {
    addOrigins()
    addClients()
    planTrouble()
    // The last client may be one that stays and waits for nothing.
    turns { doneClients + idleClients >= clientCount }
    network.faults.switchOff()
    settle()
    quiet()
    for client in httpClients { client.leave() }
    dropMirrors()
    pause(30 * Time.second)
    if !hasDrained, worldDice.chance(0.5) {
      drain()
      pause(30 * Time.second)
      if worker.downstreamConnectionCount > 0 {
        report("\(worker.downstreamConnectionCount) connections are left after a drain")
      }
    }
    if worker.currentGenerationStreams != 0 {
      report("\(worker.currentGenerationStreams) streams pin the current generation")
    }
    main.tell(WorkerMessage.stop)
    turns { worker.isStopped }
    worker.shutDown()
    checkEnd()
    events.advance(to: events.now + Time.second)
    while events.runDue() {}
    checkSnapshots()
  }

  /// Lets go of everything that holds each other.
  func dispose() {
    tlsParties?.dispose()
    network.dispose()
  }

  private var idleClients: Int { httpClients.count { !$0.isDone && $0.isIdle } }

  private func turns(until isOver: () -> Bool) {
    while !isOver(), !hasTooManyViolations {
      kernel.wantsReturn = false
      worker.turn()
      if !isPlanted { isPlanted = plant?.afterTurn(worker) ?? true }
      checkTurn()
      if kernel.enterCount > Self.entersMax {
        report("the run does not end: \(kernel.enterCount) turns")
        return
      }
      if kernel.idleEnterCount >= SimulatedKernel.idleEntersMax { return }
    }
  }

  /// Lets time pass.
  private func pause(_ nanoseconds: UInt64) {
    var isOver = false
    events.after(nanoseconds) { [unowned self] in
      isOver = true
      kernel.wantsReturn = true
    }
    turns { isOver }
  }

  /// Slow peers take what is on its way to them: a client may be done long before its origin is.
  private func settle() {
    var settled = 0
    var seconds = 0
    while settled < 2, seconds < Self.settlingSecondsMax, !hasTooManyViolations {
      pause(Time.second)
      seconds += 1
      settled = network.hasUndelivered ? 0 : settled + 1
    }
  }

  /// With nothing to do a worker sleeps.
  private func quiet() {
    pause(Self.quietNanoseconds)
    let before = kernel.enterCount
    pause(Self.quietNanoseconds)
    let spent = kernel.enterCount - before
    if spent > Self.quietTurnsMax { report("\(spent) turns in 20 quiet seconds") }
  }
}
