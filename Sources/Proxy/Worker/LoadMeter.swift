import Synchronization

/// Measures how busy a worker's thread is. Its own CPU clock tells: most of a proxy's time is spent
/// inside the kernel, in the very call that also waits.
struct LoadMeter {
  static let intervalNanoseconds: UInt64 = 50_000_000

  private var measuredAt: UInt64
  private var cpu: UInt64
  private var permille: UInt64 = 0
  /// What had been given at the last measurement.
  private var given: UInt64 = 0

  init(now: UInt64, cpu: UInt64) {
    measuredAt = now
    self.cpu = cpu
  }

  func isDue(_ now: UInt64) -> Bool { now &- measuredAt >= Self.intervalNanoseconds }

  /// - Parameter cpu: CPU time of the thread, in nanoseconds.
  mutating func measure(now: UInt64, cpu: UInt64, into row: UnsafeMutablePointer<WorkerLoads.Row>) {
    let elapsed = max(1, now &- measuredAt)
    let used = min(1000, (cpu &- min(cpu, self.cpu)) / max(1, elapsed / 1000))
    // After a long sleep the past tells nothing.
    permille = elapsed > WorkerLoads.trustNanoseconds ? used : (permille &+ used) / 2
    measuredAt = now
    self.cpu = cpu
    row.pointee.busyPermille.store(permille, ordering: .relaxed)
    row.pointee.measuredAt.store(now, ordering: .relaxed)
    // Given before the last measurement: a whole interval of theirs is in this one.
    row.pointee.measured.store(given, ordering: .relaxed)
    given = row.pointee.given.load(ordering: .relaxed)
  }
}
