import Glibc
import Primitives
import Proxy
import Synchronization

/// Moves log lines from the rings to their destinations. No thread and no clock of its own: ``LogWriter`` runs
/// it, tests step through it.
final class LogPump: @unchecked Sendable {
  // Sendable: `inbox` is for any thread; the rest belongs to the one that runs the pump.

  /// What another thread asks for.
  enum Order {
    case add(UInt16, LogTarget)
    case remove(UInt16)
    /// Descriptors that were opened anew, by target.
    case replace([UInt16: Int32])
  }

  struct Inbox {
    var orders: [Order] = []
    /// Targets that are gone, whose numbers are free again.
    var freed: [UInt16] = []
  }

  let inbox = Mutex(Inbox())
  let counts = LogCounts()
  private let rings: [LogRing]
  private let intervalMilliseconds: Int64
  /// By number.
  private var targets: [LogTarget?] = []
  private var leaving: [UInt16] = []

  init(rings: [LogRing], intervalMilliseconds: Int64) {
    self.rings = rings
    self.intervalMilliseconds = intervalMilliseconds
  }

  deinit {
    for target in targets { target?.close() }
  }

  /// Takes lines out of the rings and writes the buffers that are full or old.
  ///
  /// - Parameters:
  ///   - now: Milliseconds of a clock that never goes back.
  ///   - flushesAll: Write every buffer, whatever its age.
  /// - Returns: Bytes taken out of the fullest ring.
  @discardableResult
  func step(now: Int64, flushesAll: Bool = false) -> Int {
    takeOrders(now: now)
    let taken = drain(now: now)
    for id in targets.indices { flushIfDue(id, now: now, force: flushesAll) }
    release(now: now)
    let buffered = targets.reduce(0) { $0 + ($1?.bufferedBytes ?? 0) }
    counts.bytesBuffered.store(UInt64(buffered), ordering: .relaxed)
    return taken
  }

  private func drain(now: Int64) -> Int {
    var most = 0
    for ring in rings {
      let taken = ring.drain { target, first, second in
        deliver(Int(target), first, second, now: now)
      }
      most = max(most, taken)
    }
    return most
  }

  private func deliver(_ id: Int, _ first: ByteView, _ second: ByteView, now: Int64) {
    // A line may overtake the order that adds its target, which was given before the line was written.
    if !isThere(id) { takeOrders(now: now) }
    guard isThere(id) else { return drop() }
    if targets[id]?.append(first, second, now: now) == true {
      counts.linesBuffered.wrappingAdd(1, ordering: .relaxed)
    } else {
      drop()
    }
    if let count = targets[id]?.bufferedBytes, count >= LogTarget.flushBytes {
      flush(id, now: now, force: false)
    }
  }

  private func isThere(_ id: Int) -> Bool { id < targets.count && targets[id] != nil }

  private func drop() { counts.linesDropped.wrappingAdd(1, ordering: .relaxed) }

  private func flushIfDue(_ id: Int, now: Int64, force: Bool) {
    guard let target = targets[id], target.bufferedBytes > 0 else { return }
    let isOld = now - target.bufferedSince >= intervalMilliseconds
    guard force || isOld || target.bufferedBytes >= LogTarget.flushBytes else { return }
    let outcome = flush(id, now: now, force: force)
    if isOld, outcome == .completed { counts.flushesByTimer.wrappingAdd(1, ordering: .relaxed) }
  }

  @discardableResult
  private func flush(_ id: Int, now: Int64, force: Bool) -> LogTarget.Outcome {
    guard let outcome = targets[id]?.flush(now: now, force: force) else { return .nothing }
    switch outcome {
    case .completed: counts.writesCompleted.wrappingAdd(1, ordering: .relaxed)
    case .failed: counts.writesFailed.wrappingAdd(1, ordering: .relaxed)
    case .stalled, .nothing: break
    }
    return outcome
  }

  // MARK: Orders

  private func takeOrders(now: Int64) {
    let orders = inbox.withLock { inbox in
      defer { inbox.orders = [] }
      return inbox.orders
    }
    for order in orders {
      switch order {
      case .add(let id, let target):
        while targets.count <= Int(id) { targets.append(nil) }
        targets[Int(id)] = target
      case .remove(let id): leaving.append(id)
      case .replace(let descriptors): replace(descriptors, now: now)
      }
    }
  }

  /// Lines from before go to the old file, as far as it takes them.
  private func replace(_ descriptors: [UInt16: Int32], now: Int64) {
    for (number, descriptor) in descriptors {
      let id = Int(number)
      guard isThere(id) else {
        close(descriptor)
        continue
      }
      flush(id, now: now, force: true)
      targets[id]?.replace(descriptor: descriptor)
    }
  }

  /// Lets go of removed targets, once the lines that were in the rings are written.
  private func release(now: Int64) {
    guard !leaving.isEmpty else { return }
    for id in leaving.map(Int.init) where isThere(id) {
      flush(id, now: now, force: true)
      targets[id]?.close()
      targets[id] = nil
    }
    let freed = leaving
    leaving = []
    inbox.withLock { $0.freed += freed }
  }
}
