/// When changes of hosts are told to workers. Milliseconds of one steady clock.
///
/// A host that fails must leave at once; one that comes back can wait a little, so that many which come back one after
/// the other are one publication (`common_lb_config.update_merge_window`). And whatever hosts do, publications take at
/// most a twentieth of main's time.
struct PublicationSchedule {
  /// Between two publications, at least.
  static let pauseMilliseconds: UInt64 = 5
  /// So many times its own cost lie between one publication and the next.
  static let shareOfTime: UInt64 = 20

  private(set) var due: UInt64?
  private var last: UInt64?
  private var pause = PublicationSchedule.pauseMilliseconds
  /// Changes that wait for the end of a merge window.
  private(set) var merges = false

  /// Something is to be published.
  ///
  /// - Parameter mergeWindow: How long after the last publication it may wait; nil when it must not.
  mutating func changed(now: UInt64, mergeWindow: UInt64?) {
    let wait = max(pause, mergeWindow ?? 0)
    let time = max(now, last.map { $0 &+ min(wait, 1 << 40) } ?? now)
    if let mergeWindow, mergeWindow > 0, time > now { merges = true }
    due = min(due ?? .max, time)
  }

  /// Everything that was known has been published.
  mutating func published(now: UInt64, costMicroseconds: UInt64) {
    due = nil
    merges = false
    last = now
    pause = max(Self.pauseMilliseconds, min(costMicroseconds / 1000, 1_000_000) * Self.shareOfTime)
  }
}
