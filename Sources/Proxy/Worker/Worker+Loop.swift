import Primitives
import Reactor
import Stats

extension Worker {
  /// Runs turns until ``stop()``.
  public func run() {
    turnEnded = kernel.monotonicNow()
    while !isStopped { turn() }
  }

  /// One turn: submit and wait, handle every completion that is there, fire timers, flush.
  public func turn() {
    kernel.enter(timeoutNanoseconds: isStopped ? 0 : waitNanoseconds())
    turnWithoutWaiting()
  }

  /// Handles what is there now.
  func turnWithoutWaiting() {
    message.reset()
    let began = kernel.monotonicNow()
    now = began
    wallNow = kernel.wallNow()
    var left = ring.readyCount
    while left > 0, let completion = ring.nextCompletion() {
      handle(completion)
      left &-= 1
    }
    fireTimers()
    runHandshakes()
    handleReady()
    handleResumed()
    armStarved()
    flushDirty()
    freeEndedStreams()
    freeClosed()
    if let loads, loadMeter.isDue(now) {
      loadMeter.measure(now: now, cpu: kernel.threadTime(), into: loads.rows + index)
    }
    let stats = environment.stats
    slab.increment(stats.turns)
    turnEnded = kernel.monotonicNow()
    let spent = (turnEnded &- began) / 1000
    slab.add(stats.busyMicroseconds, spent)
    slab.record(stats.turnTime, spent)
  }

  private func waitNanoseconds() -> UInt64? {
    if ready != nil || dirty != nil || firstTLS != nil || !http.resumed.isEmpty { return 0 }
    // Buffers of connections that were freed at the end of the turn.
    if starved != nil, segments.hasReturnedBuffers { return 0 }
    guard let wake = timers.nextWake else { return nil }
    // The wait follows the turn at once: its end is the time now.
    let due = wake &* 1_000_000
    return due > turnEnded ? due - turnEnded : 0
  }

  private func fireTimers() {
    while let node = timers.popDue(nowMilliseconds: now / 1_000_000) {
      switch TimerKind(rawValue: node.pointee.kind) {
      case .connection:
        connectionTimerFired(
          node.pointee.owner.assumingMemoryBound(to: Connection.self))
      case .acceptBackoff: armListeners()
      case .filter: filterTimerFired(node)
      case .task: runTask(node)
      case nil: break
      }
    }
  }

  /// Makes sure that the connection is looked at no later than `deadline` (nanoseconds).
  ///
  /// A timer that is due earlier stays: it fires, sees that nothing is due and moves. So a request
  /// costs one comparison, not a removal and an insertion.
  @inline(__always)
  func ensureTimer(_ connection: ConnectionRef, by deadline: UInt64) {
    let tick = deadline / 1_000_000 &+ 1
    let node = UnsafeMutableRawPointer(connection)
      .advanced(by: Self.timerOffset).assumingMemoryBound(to: TimerNode.self)
    if node.pointee.isScheduled, node.pointee.deadline <= tick { return }
    timers.schedule(node, at: tick)
  }

  func cancelTimer(_ connection: ConnectionRef) {
    let node = UnsafeMutableRawPointer(connection)
      .advanced(by: Self.timerOffset).assumingMemoryBound(to: TimerNode.self)
    timers.cancel(node)
  }

  @inline(__always)
  private static var timerOffset: Int { MemoryLayout<Connection>.offset(of: \Connection.timer) ?? 0 }

  // MARK: Completions

  @inline(__always)
  private func handle(_ completion: Completion) {
    switch completion.token.operation {
    case .receive:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      onReceive(connection, completion)
    case .send:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      onSent(connection, completion.result)
    case .accept: onAccept(completion)
    case .connect:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      onConnected(connection, completion.result)
    case .shutdown:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      finishOperation(connection)
    case .readable:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      onReadable(connection)
    case .writable:
      guard let connection = connections.find(completion.token) else { return stale(completion) }
      onWritable(connection)
    case .handover: onHandover(completion)
    case .handoverFailed: onHandoverFailed(completion)
    case .message: onMessage(completion)
    case .poll:
      let slot = Int(completion.token.slot)
      guard slot < pollHandlers.count else { return }
      pollHandlers[slot].handle()
      if !completion.hasMore { ring.poll(pollHandlers[slot].fd, token: completion.token) }
    case .close, .cancel, .ignore, nil: break
    }
  }

  private func stale(_ completion: Completion) {
    slab.increment(environment.stats.staleCompletions)
    if completion.token.operation == .receive, let buffer = completion.bufferID {
      // A connection is freed only when nothing is in flight, so this cannot be; the buffer would
      // be lost otherwise.
      assertionFailure("a receive outlived its connection")
      segments.returnUnused(.small, buffer: buffer)
    }
  }

  // MARK: Work of the thread itself (main's)

  /// Calls `handle` on this thread whenever `fd` is readable.
  public func watch(_ fd: Int32, _ handle: @escaping () -> Void) {
    pollHandlers.append((fd, handle))
    ring.poll(fd, token: Token(.poll, slot: UInt32(pollHandlers.count - 1), generation: 0))
  }

  /// Calls `handle` on this thread with each message from another thread, and what it is about.
  public func onMessages(_ handle: @escaping (_ message: UInt32, _ value: UInt32) -> Void) { messageHandler = handle }
}

/// What one thread tells another through its ring.
public enum WorkerMessage {
  /// The mailbox has a snapshot.
  public static let snapshot: UInt32 = 1
  /// Stop accepting, finish, then tell main.
  public static let drain: UInt32 = 2
  /// End now.
  public static let stop: UInt32 = 3
  /// From a worker to main: a generation was left, or the worker is empty.
  public static let progress: UInt32 = 4
  /// Close idle connections too and all others at their next response.
  public static let drainListeners: UInt32 = 5
  /// The mailbox has a host table.
  public static let hosts: UInt32 = 6
  /// From a worker to main: something happened to the host with this number (``HostEvents``).
  public static let hostEvent: UInt32 = 7
}

extension Worker {
  /// Wakes another thread's loop.
  public func send(_ message: UInt32, to ringDescriptor: Int32) {
    ring.message(
      to: ringDescriptor, token: Token(.message, slot: message, generation: 0), result: message)
  }

  private func onMessage(_ completion: Completion) {
    let message = completion.token.slot
    switch message {
    case WorkerMessage.snapshot:
      if let snapshot = mailbox.snapshots.take() { adopt(snapshot) }
    case WorkerMessage.hosts: takeHosts()
    case WorkerMessage.drain: beginDrain()
    case WorkerMessage.stop: stop()
    case WorkerMessage.drainListeners: drainConnections()
    default: break
    }
    messageHandler?(message, UInt32(bitPattern: completion.result))
  }
}
