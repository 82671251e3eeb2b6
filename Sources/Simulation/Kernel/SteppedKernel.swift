/// The kernel of a thread that does not own the clock: `enter` never waits, and whoever runs the thread is told when it is
/// to be run again. So two threads share one virtual time, and the turns of this one are events in the other's.
final class SteppedKernel: SimulatedKernel {
  /// Runs the thread.
  var step: () -> Void = {}
  /// When the next step is due.
  private var plannedAt: UInt64?
  /// The turn after this one says when it wants to be run again.
  var isFirstOfStep = false
  /// The thread is at its end: it waits as others do.
  var isEnding = false

  override func enter(timeoutNanoseconds: UInt64?) {
    if isEnding { return super.enter(timeoutNanoseconds: timeoutNanoseconds) }
    for group in buffers { group?.observe() }
    let isIdle = submit() == 0 && memory.readyCompletions == 0
    flushOverflow()
    if isFirstOfStep { return }
    if isIdle {
      if let timeoutNanoseconds { plan(after: timeoutNanoseconds) }
    } else {
      planSoon()
    }
  }

  @discardableResult
  override func post(_ userData: UInt64, _ result: Int32, flags: UInt32 = 0, what: String) -> Bool {
    let isPosted = super.post(userData, result, flags: flags, what: what)
    if !isEnding { planSoon() }
    return isPosted
  }

  private func planSoon() { plan(after: UInt64(dice.within(200...20_000))) }

  /// The step that is due first takes the place of a later one.
  private func plan(after nanoseconds: UInt64) {
    let time = events.now &+ min(nanoseconds, 1 << 50)
    if let plannedAt, plannedAt <= time { return }
    plannedAt = time
    events.at(time) { [self] in
      guard plannedAt == time, !isEnding else { return }
      plannedAt = nil
      step()
    }
  }
}
