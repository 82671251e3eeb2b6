import Balancing

/// The lists of a host set while it is made.
struct ListDraft {
  private struct Entry {
    var first: Int
    var count: Int
    var kind: PickList.Kind
    var settled: PickList.Kind
    var level: UInt8
    var availability: PickList.Availability
    /// Where its bits begin in `words`.
    var bits: Int?
  }

  private let settings: BalanceSettings
  private let hosts: [Frozen<HostConfig>]
  /// Hosts that are new have less than their weight.
  private let hasStarts: Bool
  private let known: KnownTables
  /// By host, at least 1.
  let weights: [UInt32]
  private(set) var members: [UInt32] = []
  private(set) var words: [UInt64] = []
  /// By list; nil where nobody can choose.
  private(set) var tables: [HashedList?] = []
  private var entries: [Entry] = []
  private let wordCount: Int

  /// - Parameter tables: Those of the set before.
  init(_ settings: BalanceSettings, _ hosts: [Frozen<HostConfig>], hasStarts: Bool, tables: KnownTables) {
    self.settings = settings
    self.hosts = hosts
    self.hasStarts = hasStarts
    known = tables
    weights = hosts.map { max(1, $0.pointer.pointee.weight) }
    wordCount = (hosts.count + 63) / 64
  }

  /// Adds the lists of a level; returns their numbers.
  mutating func add(
    _ level: LevelDraft, number: UInt8, _ share: LevelShare
  ) -> (all: UInt32, healthy: UInt32, degraded: UInt32) {
    let all = add(level.all, number, .all, isAsked: share.isPanic)
    // Mostly everybody is up, and one copy serves both.
    let healthy =
      level.healthy.count == level.all.count
      ? add(sharing: all, level.healthy, .healthy, isAsked: !share.isPanic)
      : add(level.healthy, number, .healthy, isAsked: !share.isPanic)
    let degraded = add(level.degraded, number, .degraded, isAsked: share.degradedLoad > 0)
    return (all, healthy, degraded)
  }

  /// - Parameter isAsked: Whether anybody chooses from it: else a ring of it is not worth its price.
  private mutating func add(
    _ list: [UInt32], _ level: UInt8, _ availability: PickList.Availability, isAsked: Bool
  ) -> UInt32 {
    let settled = kind(of: list)
    // One host has no share to grow into.
    let isStarting = hasStarts && list.count > 1 && settled != .schedule
    var entry = Entry(
      first: members.count, count: list.count, kind: isStarting ? .starting : settled, settled: settled,
      level: level, availability: availability)
    if settled == .schedule || isStarting {
      entry.bits = words.count
      words += MemberBits.words(of: list, indexCount: hosts.count)
    }
    members += list
    entries.append(entry)
    tables.append(settled == .hashed && isAsked ? table(list) : nil)
    return UInt32(entries.count - 1)
  }

  private mutating func add(
    sharing number: UInt32, _ list: [UInt32], _ availability: PickList.Availability, isAsked: Bool
  ) -> UInt32 {
    var entry = entries[Int(number)]
    entry.availability = availability
    entries.append(entry)
    tables.append(entry.settled == .hashed && isAsked ? table(list) : nil)
    return UInt32(entries.count - 1)
  }

  private func table(_ list: [UInt32]) -> HashedList? {
    let members = list.map { hosts[Int($0)] }
    return known.table(of: members) ?? HashedList(settings, hosts: members)
  }

  private func kind(of list: [UInt32]) -> PickList.Kind {
    switch settings.policy {
    case .random: .random
    case .ringHash, .maglev: .hashed
    case .roundRobin: isEven(list) ? .turns : .schedule
    case .leastRequest: isEven(list) ? (settings.scansAll ? .fewestOfAll : .fewest) : .schedule
    }
  }

  /// Whether all weigh the same.
  private func isEven(_ list: [UInt32]) -> Bool {
    guard let first = list.first else { return true }
    let weight = weights[Int(first)]
    return list.allSatisfy { weights[Int($0)] == weight }
  }

  /// - Parameter storage: `words`, where they are going to stay.
  func lists(_ storage: FrozenList<UInt64>) -> [PickList] {
    zip(entries, tables).map { entry, table in
      PickList(
        first: UInt32(entry.first), count: UInt32(entry.count), kind: entry.kind, settled: entry.settled,
        level: entry.level, availability: entry.availability,
        bits: entry.bits.flatMap { offset in
          storage.buffer.baseAddress.map { MemberBits(UnsafePointer($0 + offset), wordCount: wordCount) }
        },
        table: table?.storage.table, shares: table.flatMap { UnsafePointer($0.weights.buffer.baseAddress) })
    }
  }
}

/// Rings and tables of the set before, for lists that are still the same.
struct KnownTables {
  private let entries: [(hosts: [Frozen<HostConfig>], table: HashedList)]

  /// - Parameter settings: Of the set that is made: other settings make other tables.
  init(_ set: UnsafeMutablePointer<HostSet>?, _ settings: BalanceSettings) {
    guard let set, set.pointee.settings.policy == settings.policy, set.pointee.settings.hashing == settings.hashing else {
      entries = []
      return
    }
    entries = zip(set.pointee.lists.buffer, set.pointee.hashed.buffer).compactMap { list, table in
      guard let table else { return nil }
      let members = set.pointee.members.buffer[Int(list.first)..<Int(list.first + list.count)]
      return (members.map { set.pointee.hosts.buffer[Int($0)] }, table)
    }
  }

  /// Hosts that are the same objects have the same keys and weights.
  func table(of hosts: [Frozen<HostConfig>]) -> HashedList? {
    entries.first { $0.hosts.elementsEqual(hosts, by: ===) }?.table
  }
}
