import Glibc

/// A host that has just become ready gets its share bit by bit.
///
/// Its weight is multiplied by max(`min_weight_percent` / 100, (max(age, 1 ms) / window)^(1 / aggression)).
///
/// Source: Envoy `load_balancer_impl.cc` (`applySlowStartFactor`), which counts whole milliseconds.
@frozen
public struct SlowStart: Sendable, Equatable {
  /// Nanoseconds.
  public let window: UInt64
  /// 0...1
  public let minimum: Double
  public let aggression: Double

  /// - Parameters:
  ///   - window: Nanoseconds; 0: no slow start.
  ///   - minimumPercent: 0...100, what is outside counts as the nearest of both.
  /// - Returns: nil when `aggression` is not a number above 0: to be refused at load.
  @inlinable
  public init?(window: UInt64, minimumPercent: Double = 10, aggression: Double = 1) {
    guard aggression > 0, aggression.isFinite else { return nil }
    self.window = window
    minimum = minimumPercent > 0 ? min(minimumPercent, 100) / 100 : 0
    self.aggression = aggression
  }

  /// What a weight is multiplied by: 0...1.
  ///
  /// - Parameters:
  ///   - readySince: Nanoseconds of the same clock as `now`; 0: long ago.
  @inlinable
  public func factor(readySince: UInt64, now: UInt64) -> Double {
    guard readySince != 0 else { return 1 }
    // A worker's clock may be a moment behind main's.
    let age = now > readySince ? now &- readySince : 0
    guard age < window else { return 1 }
    let part = Double(max(age, 1_000_000)) / Double(window)
    let grown = aggression == 1 ? part : pow(part, 1 / aggression)
    return min(1, max(grown, minimum))
  }
}
