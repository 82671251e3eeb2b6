/// How many requests began in the last `budget_interval`: readings of a counter, ten to an interval.
struct RecentRequests {
  private static let slots: UInt64 = 10
  /// A long interval is looked at more often: what has just come counts.
  private static let pauseMax: UInt64 = 500

  /// Milliseconds.
  let interval: UInt64
  private var readings: [UInt64] = []
  private var nextAt: UInt64 = 0

  init(interval: UInt64) { self.interval = interval }

  private var slotMilliseconds: UInt64 { max(1, interval / Self.slots) }

  /// How long to wait before the next look.
  var pauseMilliseconds: UInt64 { min(slotMilliseconds, Self.pauseMax) }

  /// - Parameter total: Where the counter stands.
  /// - Returns: The requests of the interval that ends now.
  mutating func count(_ total: UInt64, at now: UInt64) -> UInt64 {
    // The counter may have been reset in between (`/reset_counters`).
    if let first = readings.first, total < first {
      readings = []
      nextAt = 0
    }
    if now >= nextAt {
      nextAt = now + slotMilliseconds
      readings.append(total)
      if readings.count > Int(Self.slots) + 1 { readings.removeFirst() }
    }
    return total &- readings[0]
  }
}
