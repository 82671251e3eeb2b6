import Glibc
import LoadBase
import LoadReport
import Reactor
import Synchronization

extension ClientWorker {
  /// Runs until the plan is done or aborted.
  func run() {
    while !isOver { turn() }
    finishedAt = now
    if isMeasuring { cpuUsed = Self.threadCPU() &- cpuAtStart }
    countUnsent()
    // No connection is made any more.
    unconnected.removeAll()
    nextRetry = .max
    for at in 0..<connectionCount {
      http2Close(connections + at)
      if let socket = connections[at].socket { close(socket) }
    }
    while socketCount > 0 { turn() }
  }

  /// What was due before the end and found no free connection.
  private func countUnsent() {
    guard isOpenLoop, isMeasuring, budget > 0 else { return }
    let end = min(stopAt, now) &- startAt
    while arrivals.next < end {
      if startAt &+ arrivals.next >= measureFrom { record.tally.requestsUnsent &+= 1 }
      arrivals.advance()
    }
  }

  private var isOver: Bool {
    if control.isAborted.load(ordering: .relaxed) { return true }
    return !mayStart(now) && pendingTotal == 0 && startAt != .max
  }

  /// Whether requests may still be begun.
  private func mayStart(_ time: UInt64) -> Bool {
    budget > 0 && time < stopAt && (!isOpenLoop || arrivals.next != .max)
  }

  func turnEnded() -> UInt64 {
    if control.isAborted.load(ordering: .relaxed) { return 0 }
    if startAt == .max { waitForStart() }
    let time = kernel.monotonicNow()
    if time >= intervalEnd { finishInterval(time) }
    if nextRetry <= time { connectWaiting(time) }
    guard time >= startAt else {
      return min(startAt == .max ? 1_000_000 : startAt - time, retryWait(time))
    }
    let isIssuing = mayStart(time)
    if isIssuing {
      issue(time)
    } else if isOpenLoop, !hasStopped {
      // What was due before the end goes even when the end has passed meanwhile.
      issue(time)
      hasStopped = true
    }
    if !mayStart(time) {
      if pendingTotal == 0 { return 0 }
      noteWaiting()
      return 50_000_000
    }
    var wait = min(50_000_000, retryWait(time), stopAt - time)
    if intervalEnd > time { wait = min(wait, intervalEnd - time) }
    if isOpenLoop, firstListed != nil {
      let due = startAt &+ arrivals.next
      wait = due > time ? min(wait, due - time) : 0
    }
    return wait
  }

  /// For the progress line: only answers are awaited now.
  private func noteWaiting() {
    guard waitingNoted != pendingTotal else { return }
    control.waitingFor.add(pendingTotal - waitingNoted, ordering: .relaxed)
    waitingNoted = pendingTotal
  }

  private func retryWait(_ time: UInt64) -> UInt64 {
    if unconnected.isEmpty || connectingCount >= Self.connectingMax { return .max }
    return nextRetry > time ? nextRetry - time : 0
  }

  /// Says when this thread's connections are there, and takes over the start that main sets.
  private func waitForStart() {
    if !isReady, openCount == connectionCount || plan.newConnectionPerRequest {
      isReady = true
      control.readyThreads.add(1, ordering: .relaxed)
    }
    let start = control.start.load(ordering: .acquiring)
    guard start > 0 else { return }
    startAt = start
    measureFrom = start &+ plan.warmUp
    if let duration = plan.duration { stopAt = measureFrom &+ duration }
    intervalEnd = measureFrom
  }

  /// A slice is over: hands its record to main, or goes on with it while main is behind.
  private func finishInterval(_ time: UInt64) {
    if !isMeasuring {
      isMeasuring = true
      cpuAtStart = Self.threadCPU()
    } else if let free = exchange.free(after: recordIndex) {
      record.isHandedOver.store(true, ordering: .releasing)
      recordIndex = free
      record = exchange.records[free]
    }
    let length = plan.intervalLength
    let number = (time - measureFrom) / length
    record.interval = Int(number)
    // What comes after the end belongs to the last slice's record, which main takes apart by time.
    intervalEnd = measureFrom &+ (number &+ 1) &* length
  }

  private static func threadCPU() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
