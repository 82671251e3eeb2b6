/// Hands out places in a snapshot's tables. A place that was given up is used again only when no
/// snapshot that had something there is alive, so a worker never takes one thing for another.
struct Slots {
  private var end: UInt32 = 0
  private var free: [UInt32] = []
  /// Given up, and the last generation that used them.
  private var resting: [(slot: UInt32, generation: UInt64)] = []

  /// How many places there are, free ones included.
  var count: Int { Int(end) }

  mutating func take() -> UInt32 {
    if let slot = free.popLast() { return slot }
    defer { end += 1 }
    return end
  }

  mutating func giveUp(_ slot: UInt32, lastGeneration: UInt64) {
    resting.append((slot, lastGeneration))
  }

  /// - Parameter oldest: The oldest generation that is alive.
  mutating func wake(oldest: UInt64) {
    free += resting.filter { $0.generation < oldest }.map(\.slot)
    resting.removeAll { $0.generation < oldest }
  }
}
