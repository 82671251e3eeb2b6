import Balancing

/// The lists of a host set while it is made.
struct ListDraft {
  private struct Entry {
    var first: Int
    var count: Int
    var kind: PickList.Kind
    var level: UInt8
    var availability: PickList.Availability
    /// Where its bits begin in `words`.
    var bits: Int?
  }

  private let policy: BalanceSettings.Policy
  /// By host, at least 1.
  let weights: [UInt32]
  private(set) var members: [UInt32] = []
  private(set) var words: [UInt64] = []
  private var entries: [Entry] = []
  private let wordCount: Int

  init(_ policy: BalanceSettings.Policy, weights: [UInt32]) {
    self.policy = policy
    self.weights = weights
    wordCount = (weights.count + 63) / 64
  }

  /// Adds the lists of a level; returns their numbers.
  mutating func add(
    _ level: LevelDraft, number: UInt8
  ) -> (all: UInt32, healthy: UInt32, degraded: UInt32) {
    let all = add(level.all, number, .all)
    // Mostly everybody is up, and one copy serves both.
    let healthy =
      level.healthy.count == level.all.count
      ? add(sharing: all, .healthy) : add(level.healthy, number, .healthy)
    let degraded = add(level.degraded, number, .degraded)
    return (all, healthy, degraded)
  }

  private mutating func add(
    _ hosts: [UInt32], _ level: UInt8, _ availability: PickList.Availability
  ) -> UInt32 {
    let kind = kind(of: hosts)
    var entry = Entry(
      first: members.count, count: hosts.count, kind: kind, level: level, availability: availability)
    if kind == .schedule {
      entry.bits = words.count
      words += MemberBits.words(of: hosts, indexCount: weights.count)
    }
    members += hosts
    entries.append(entry)
    return UInt32(entries.count - 1)
  }

  private mutating func add(sharing list: UInt32, _ availability: PickList.Availability) -> UInt32 {
    var entry = entries[Int(list)]
    entry.availability = availability
    entries.append(entry)
    return UInt32(entries.count - 1)
  }

  private func kind(of hosts: [UInt32]) -> PickList.Kind {
    switch policy {
    case .random: return .random
    case .roundRobin:
      guard let first = hosts.first else { return .turns }
      let weight = weights[Int(first)]
      return hosts.allSatisfy { weights[Int($0)] == weight } ? .turns : .schedule
    }
  }

  /// - Parameter storage: `words`, where they are going to stay.
  func lists(_ storage: FrozenList<UInt64>) -> [PickList] {
    entries.map { entry in
      PickList(
        first: UInt32(entry.first), count: UInt32(entry.count), kind: entry.kind,
        level: entry.level, availability: entry.availability,
        bits: entry.bits.flatMap { offset in
          storage.buffer.baseAddress.map { MemberBits(UnsafePointer($0 + offset), wordCount: wordCount) }
        })
    }
  }
}
