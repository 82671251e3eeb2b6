import HostHealth
import Stats
import Synchronization

/// What all workers know together of one host, and what they tell main about it.
///
/// One object a host, kept over configuration changes with the host's statistics. Every request to the host reads
/// the row of failures, and only something that goes wrong, or right again, writes it: so it has a cache line of its own.
/// Connections are counted on another one.
public final class HostShared: Sendable {
  private let before: InlineArray<7, UInt64> = .init(repeating: 0)
  private let streak = Atomic<UInt64>(0)
  private let raised = Atomic<UInt32>(0)
  private let behind: InlineArray<7, UInt64> = .init(repeating: 0)
  /// Open connections of all workers, where their number is limited (`per_host_thresholds`).
  public let connections = ClusterShared.Limit()
  // Written by main, read by whoever finds no host.
  private let lastCheck = Atomic<UInt32>(0)
  private let lastEjection = Atomic<UInt64>(0)

  public init() {}

  /// Failures in a row, over all workers.
  @inline(__always)
  public var failures: ConsecutiveFailures { ConsecutiveFailures(word: streak.load(ordering: .relaxed)) }

  /// Counts what became of a request or connection; exact however many workers do so at once.
  ///
  /// - Returns: The rows that are now too long.
  func count(_ count: OutlierCount, _ thresholds: StreakThresholds) -> Streaks {
    var old = failures
    while true {
      let new = count.next(after: old)
      // All is well, as nearly always: nothing is written.
      if new.word == old.word { return [] }
      let (exchanged, original) = streak.compareExchange(
        expected: old.word, desired: new.word, ordering: .relaxed)
      if exchanged { return new.reached(thresholds, from: old) }
      old = ConsecutiveFailures(word: original)
    }
  }

  /// Main has handled rows of failures.
  public func reset(_ streaks: Streaks) {
    var old = failures
    while true {
      let new = old.resetting(streaks)
      if new.word == old.word { return }
      let (exchanged, original) = streak.compareExchange(
        expected: old.word, desired: new.word, ordering: .relaxed)
      if exchanged { return }
      old = ConsecutiveFailures(word: original)
    }
  }

  /// What was wrong at the last check that failed.
  public var checkNote: HostCheckNote { HostCheckNote(word: lastCheck.load(ordering: .relaxed)) }

  public func note(_ check: HostCheckNote) { lastCheck.store(check.word, ordering: .relaxed) }

  public var ejectionNote: HostEjectionNote { HostEjectionNote(word: lastEjection.load(ordering: .relaxed)) }

  public func note(_ ejection: HostEjectionNote) { lastEjection.store(ejection.word, ordering: .relaxed) }

  /// Leaves events for main.
  ///
  /// - Returns: Whether main must be told: it has taken all earlier ones.
  func raise(_ events: HostEvents) -> Bool {
    raised.bitwiseOr(events.rawValue, ordering: .acquiringAndReleasing).oldValue == 0
  }

  /// Takes the events that nobody has handled. Main's.
  public func takeEvents() -> HostEvents {
    if raised.load(ordering: .relaxed) == 0 { return [] }
    return HostEvents(rawValue: raised.exchange(0, ordering: .acquiringAndReleasing))
  }
}

/// What a worker tells main of a host.
public struct HostEvents: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Rows of failures that have become too long: the bits of `Streaks`.
  public static let streaks = HostEvents(rawValue: UInt32(Streaks.all.rawValue))
  /// A response had `x-envoy-immediate-health-check-fail`.
  public static let immediateFailure = HostEvents(rawValue: 1 << 8)

  public init(_ streaks: Streaks) { self.init(rawValue: UInt32(streaks.rawValue)) }

  public var streaks: Streaks { Streaks(rawValue: UInt8(truncatingIfNeeded: rawValue & Self.streaks.rawValue)) }
}

/// Cells of one host under outlier detection; each worker counts in its own slab, main sums over all of them.
public struct OutlierCells: Sendable {
  public let results, failures: Counter
  /// Connections, when they are told apart from responses (`split_external_local_origin_errors`).
  public let localResults, localFailures: Counter

  /// - Returns: Nil when there is no room for them: nobody is to be judged by what others count.
  public init?(_ scope: StatsScope) {
    results = scope.counter("outlier_results")
    failures = scope.counter("outlier_failures")
    localResults = scope.counter("outlier_local_results")
    localFailures = scope.counter("outlier_local_failures")
    if results.isDiscarded || failures.isDiscarded || localResults.isDiscarded || localFailures.isDiscarded { return nil }
  }
}

/// What a worker needs to know of a cluster's outlier detection.
public struct OutlierCounting: Sendable, Hashable {
  public var isSplit: Bool
  /// Hosts that are slower than the others are looked for.
  public var countsLatency: Bool
  public var thresholds: StreakThresholds

  public init(_ settings: OutlierSettings) {
    isSplit = settings.splitsLocalOrigin
    countsLatency = settings.latency != nil
    thresholds = settings.streakThresholds
  }
}
