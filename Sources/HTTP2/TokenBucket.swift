/// How often something may happen: at once, and over time.
struct TokenBucket {
  private var tokens: UInt64
  private let burst: UInt64
  private let perSecond: UInt64
  /// Nanoseconds up to which tokens were given.
  private var at: UInt64 = 0

  private static let second: UInt64 = 1_000_000_000

  init(burst: UInt32, perSecond: UInt32) {
    self.burst = UInt64(burst)
    // Above this it is no limit, and the product below stays in range.
    self.perSecond = UInt64(min(perSecond, 1_000_000))
    tokens = self.burst
  }

  /// - Parameter now: Nanoseconds of a clock that only goes forward.
  /// - Returns: False when there are not so many left.
  mutating func take(_ count: UInt64, now: UInt64) -> Bool {
    if tokens < count { refill(now) }
    if tokens < count { return false }
    tokens &-= count
    return true
  }

  private mutating func refill(_ now: UInt64) {
    guard now > at, perSecond > 0 else { return }
    let elapsed = min(now &- at, 1 << 40)  // 18 minutes
    let gained = elapsed &* perSecond / Self.second
    if gained == 0 { return }  // the fraction is kept by not moving `at`
    if tokens &+ gained >= burst {
      tokens = burst
      at = now
    } else {
      tokens &+= gained
      at = max(at, now &- elapsed) &+ gained &* Self.second / perSecond
    }
  }
}
