/// Priority levels that attempts of a request have been to.
public struct LevelSet: Sendable {
  // Three words: a level is below ``Levels/countMax``.
  private var words: InlineArray<3, UInt64> = .init(repeating: 0)

  public init() {}

  public var isEmpty: Bool { words[0] | words[1] | words[2] == 0 }

  public func contains(_ level: Int) -> Bool {
    level >= 0 && level < Levels.countMax && words[level >> 6] >> UInt64(level & 63) & 1 == 1
  }

  public mutating func insert(_ level: Int) {
    if level >= 0, level < Levels.countMax { words[level >> 6] |= 1 << UInt64(level & 63) }
  }
}

/// Which level takes an attempt that repeats a request, when it is to be another than before: loads are shared anew among
/// the levels that have not been tried, by their health.
///
/// Source: Envoy `previous_priorities.cc` (`adjustForAttemptedPriorities`, `adjustedAvailability`) and
/// `load_balancer_impl.cc` (`choosePriority`).
public struct TriedLevels: Sendable {
  /// Levels of all attempts that were repeated, since the last time that none was left.
  private var attempted = LevelSet()
  private var excluded = LevelSet()
  private var count: UInt32 = 0

  public init() {}

  public mutating func insert(_ level: Int) {
    attempted.insert(level)
    count &+= 1
  }

  /// - Parameters:
  ///   - frequency: After so many attempts the levels that were tried are left out; at least 1.
  ///   - number: A hash or a random number.
  ///   - share: Of a level: health and degraded health are read.
  /// - Returns: Nil: the request goes where it would go anyway.
  public mutating func choose(
    _ number: UInt64, frequency: UInt32, levels: Int, share: (Int) -> LevelShare
  ) -> LoadStep? {
    guard count > 0, count >= frequency else { return nil }
    if count % max(1, frequency) == 0 { excluded = attempted }
    var available: UInt32 = 0
    for level in 0..<levels where !excluded.contains(level) {
      available += UInt32(share(level).health) + UInt32(share(level).degradedHealth)
    }
    guard available > 0 else {
      // All have been tried: from the start.
      self = TriedLevels()
      return nil
    }
    return step(number, levels, min(available, 100), share)
  }

  /// The level that a number of the hundred falls on: healthy hosts of all levels first, then degraded ones. What rounding
  /// leaves is shared in further rounds.
  private func step(
    _ number: UInt64, _ levels: Int, _ available: UInt32, _ share: (Int) -> LevelShare
  ) -> LoadStep? {
    var healthy = InlineArray<129, UInt32>(repeating: 0)
    var degraded = InlineArray<129, UInt32>(repeating: 0)
    let levels = min(levels, Levels.countMax)
    var left: UInt32 = 100
    // Each round gives at least one to the first level that has anybody.
    while left > 0 {
      for level in 0..<levels where !excluded.contains(level) {
        let part = min(left, UInt32(share(level).health) * 100 / available)
        healthy[level] += part
        left -= part
      }
      for level in 0..<levels where !excluded.contains(level) {
        let part = min(left, UInt32(share(level).degradedHealth) * 100 / available)
        degraded[level] += part
        left -= part
      }
    }
    let percent = UInt32(number % 100) + 1
    var end: UInt32 = 0
    for level in 0..<levels {
      end += healthy[level]
      if percent <= end { return LoadStep(end: UInt8(end), level: UInt8(level), isDegraded: false) }
    }
    for level in 0..<levels {
      end += degraded[level]
      if percent <= end { return LoadStep(end: UInt8(end), level: UInt8(level), isDegraded: true) }
    }
    return nil
  }
}
