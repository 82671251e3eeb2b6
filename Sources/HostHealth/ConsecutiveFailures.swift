/// How often a host failed in a row, in one word: 20 bits 5xx, 20 gateway failures, 20 failures of
/// local origin. Zero is a host with which all is well.
///
/// The word is shared by all workers. A worker makes the next one from what it loaded and swaps it in,
/// so nothing here may allocate or lock.
@frozen
public struct ConsecutiveFailures: BitwiseCopyable, Hashable, Sendable {
  public var word: UInt64

  @inlinable @inline(__always)
  public init(word: UInt64 = 0) { self.word = word }

  /// Largest count; it stays there.
  @inlinable static var countMax: UInt64 { 0xF_FFFF }
  @inlinable static var gatewayShift: UInt64 { 20 }
  @inlinable static var localOriginShift: UInt64 { 40 }

  @inlinable public var serverErrors: UInt32 { UInt32(truncatingIfNeeded: word & Self.countMax) }
  @inlinable public var gatewayFailures: UInt32 {
    UInt32(truncatingIfNeeded: word >> Self.gatewayShift & Self.countMax)
  }
  @inlinable public var localOriginFailures: UInt32 {
    UInt32(truncatingIfNeeded: word >> Self.localOriginShift & Self.countMax)
  }

  /// After a response, or what counts as one. A 5xx that is no gateway failure ends a row of them.
  @inlinable
  public func counting(status: UInt16) -> ConsecutiveFailures {
    guard status >= 500, status < 600 else { return resetting([.consecutive5xx, .gatewayFailure]) }
    let next = incremented(shift: 0)
    guard status >= 502, status <= 504 else { return next.resetting(.gatewayFailure) }
    return next.incremented(shift: Self.gatewayShift)
  }

  /// After the host could not be reached, or broke off; only when origins are told apart.
  @inlinable
  public func countingLocalOriginFailure() -> ConsecutiveFailures {
    incremented(shift: Self.localOriginShift)
  }

  /// After the host was reached.
  @inlinable
  public func countingLocalOriginSuccess() -> ConsecutiveFailures { resetting(.localOriginFailure) }

  /// With some of the counts at zero: main has handled them.
  @inlinable
  public func resetting(_ streaks: Streaks) -> ConsecutiveFailures {
    var word = word
    if streaks.contains(.consecutive5xx) { word &= ~Self.countMax }
    if streaks.contains(.gatewayFailure) { word &= ~(Self.countMax << Self.gatewayShift) }
    if streaks.contains(.localOriginFailure) { word &= ~(Self.countMax << Self.localOriginShift) }
    return ConsecutiveFailures(word: word)
  }

  /// Which thresholds the step from `old` to this one reached. Equality, as in Envoy: a row that goes
  /// on is not told again before it was handled.
  @inlinable
  public func reached(_ thresholds: StreakThresholds, from old: ConsecutiveFailures) -> Streaks {
    var streaks: Streaks = []
    if serverErrors == thresholds.consecutive5xx, serverErrors > old.serverErrors {
      streaks.insert(.consecutive5xx)
    }
    if gatewayFailures == thresholds.gatewayFailure, gatewayFailures > old.gatewayFailures {
      streaks.insert(.gatewayFailure)
    }
    if localOriginFailures == thresholds.localOriginFailure,
      localOriginFailures > old.localOriginFailures
    {
      streaks.insert(.localOriginFailure)
    }
    return streaks
  }

  @inlinable
  func incremented(shift: UInt64) -> ConsecutiveFailures {
    let isFull = word >> shift & Self.countMax == Self.countMax
    return ConsecutiveFailures(word: isFull ? word : word &+ 1 << shift)
  }
}

/// Rows of failures, as bits for main.
@frozen
public struct Streaks: OptionSet, BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var consecutive5xx: Streaks { Streaks(rawValue: 1 << 0) }
  @inlinable public static var gatewayFailure: Streaks { Streaks(rawValue: 1 << 1) }
  @inlinable public static var localOriginFailure: Streaks { Streaks(rawValue: 1 << 2) }
  @inlinable public static var all: Streaks { [.consecutive5xx, .gatewayFailure, .localOriginFailure] }
}

/// How many failures in a row are too many; 0 is never.
@frozen
public struct StreakThresholds: BitwiseCopyable, Hashable, Sendable {
  public let consecutive5xx: UInt32
  public let gatewayFailure: UInt32
  public let localOriginFailure: UInt32

  /// A count has 20 bits: a larger threshold is the largest count.
  @inlinable
  public init(consecutive5xx: UInt32, gatewayFailure: UInt32, localOriginFailure: UInt32) {
    let most = UInt32(truncatingIfNeeded: ConsecutiveFailures.countMax)
    self.consecutive5xx = min(consecutive5xx, most)
    self.gatewayFailure = min(gatewayFailure, most)
    self.localOriginFailure = min(localOriginFailure, most)
  }
}
