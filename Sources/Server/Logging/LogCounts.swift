import Stats
import Synchronization

/// What the log writer did, counted on its own thread. It has no statistics slab: main reads these numbers
/// and counts them (``LogMetrics``).
final class LogCounts: Sendable {
  let linesBuffered = Atomic<UInt64>(0)
  let writesCompleted = Atomic<UInt64>(0)
  let writesFailed = Atomic<UInt64>(0)
  let flushesByTimer = Atomic<UInt64>(0)
  let reopensFailed = Atomic<UInt64>(0)
  /// Lines for which a destination had no room.
  let linesDropped = Atomic<UInt64>(0)
  let bytesBuffered = Atomic<UInt64>(0)
}

/// `filesystem.*`, counted by main from what the log writer tells. Call ``update(from:slab:)`` on the thread
/// that owns the slab, about once a second.
public struct LogMetrics {
  private let completed, failed, buffered, byTimer, reopenFailed, dropped: Counter
  private let totalBuffered: Gauge
  private var last = LogWriter.Totals()

  public init(registry: StatsRegistry) {
    completed = registry.counter("filesystem.write_completed")
    failed = registry.counter("filesystem.write_failed")
    buffered = registry.counter("filesystem.write_buffered")
    byTimer = registry.counter("filesystem.flushed_by_timer")
    reopenFailed = registry.counter("filesystem.reopen_failed")
    dropped = registry.counter("filesystem.write_dropped")
    totalBuffered = registry.gauge("filesystem.write_total_buffered")
  }

  public mutating func update(from writer: LogWriter, slab: StatsSlab) {
    let now = writer.totals
    slab.add(completed, now.writesCompleted &- last.writesCompleted)
    slab.add(failed, now.writesFailed &- last.writesFailed)
    slab.add(buffered, now.linesBuffered &- last.linesBuffered)
    slab.add(byTimer, now.flushesByTimer &- last.flushesByTimer)
    slab.add(reopenFailed, now.reopensFailed &- last.reopensFailed)
    slab.add(dropped, now.linesDropped &- last.linesDropped)
    slab.set(totalBuffered, to: now.bytesBuffered)
    last = now
  }
}
