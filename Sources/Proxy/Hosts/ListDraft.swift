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
    /// Where its bits begin in `words`, and how many words they are.
    var bits: Int?
    var wordCount = 0
    /// Where its shares begin in `doubles`.
    var shares: Int?
  }

  private let settings: BalanceSettings
  private let hosts: [Frozen<HostConfig>]
  /// Hosts that are new have less than their weight.
  private let hasStarts: Bool
  private let known: KnownTables
  /// By host, at least 1.
  private let weights: [UInt32]
  private(set) var members: [UInt32] = []
  private(set) var words: [UInt64] = []
  private(set) var doubles: [Double] = []
  /// Weights of hosts are asked for.
  private(set) var hasSchedules = false
  /// By list; nil where nobody can choose.
  private(set) var tables: [HashedList?] = []
  private var entries: [Entry] = []
  private let wordCount: Int

  /// - Parameters:
  ///   - weights: By host, at least 1.
  ///   - tables: Those of the set before.
  init(
    _ settings: BalanceSettings, _ hosts: [Frozen<HostConfig>], weights: [UInt32], hasStarts: Bool, tables: KnownTables
  ) {
    self.settings = settings
    self.hosts = hosts
    self.hasStarts = hasStarts
    known = tables
    self.weights = weights
    wordCount = (hosts.count + 63) / 64
  }

  /// Adds the lists of a level; returns their numbers.
  ///
  /// - Parameter localityWeights: Hosts of a ring or table have parts of their locality's weight.
  mutating func add(
    _ level: LevelDraft, number: UInt8, _ share: LevelShare, localityWeights: [UInt32]?
  ) -> (all: UInt32, healthy: UInt32, degraded: UInt32) {
    func parts(_ list: KeyPath<HostsDraft, [UInt32]>) -> [Part]? {
      localityWeights.map { zip($0, level.localities).map { (weight: $0, hosts: $1[keyPath: list]) } }
    }
    let hosts = level.hosts
    let all = add(hosts.all, number, .all, isAsked: share.isPanic, parts(\.all))
    // Mostly everybody is up, and one copy serves both.
    let healthy =
      hosts.healthy.count == hosts.all.count
      ? add(sharing: all, hosts.healthy, .healthy, isAsked: !share.isPanic, parts(\.healthy))
      : add(hosts.healthy, number, .healthy, isAsked: !share.isPanic, parts(\.healthy))
    let degraded = add(hosts.degraded, number, .degraded, isAsked: share.degradedLoad > 0, nil)
    return (all, healthy, degraded)
  }

  /// Adds the lists of a level's localities that have hosts, and with weights the list of their turns.
  mutating func add(
    _ localities: [HostsDraft], number: UInt8, weights: [UInt32]?, factor: UInt32
  ) -> (entries: [LocalityEntry], healthyTurns: Int32, degradedTurns: Int32) {
    var entries: [LocalityEntry] = []
    for (name, hosts) in localities.enumerated() where hosts.counts.total > 0 {
      entries.append(
        LocalityEntry(
          name: UInt32(name), healthy: add(hosts.healthy, number, .healthy, isAsked: false, nil),
          degraded: add(hosts.degraded, number, .degraded, isAsked: false, nil), hosts: hosts.counts,
          weight: weights?[name] ?? 0))
    }
    guard weights != nil else { return (entries, -1, -1) }
    let healthy = addTurns(entries.map(\.healthy), number, .healthy, entries.map { $0.effective($0.hosts.healthy, factor) })
    let degraded = addTurns(
      entries.map(\.degraded), number, .degraded, entries.map { $0.effective($0.hosts.degraded, factor) })
    return (entries, healthy, degraded)
  }

  /// Adds the list of lists that take turns.
  ///
  /// - Returns: Its number; -1 when none of them has a weight.
  private mutating func addTurns(
    _ list: [UInt32], _ level: UInt8, _ availability: PickList.Availability, _ weights: [Double]
  ) -> Int32 {
    let positions = weights.indices.filter { weights[$0] > 0 }.map { UInt32($0) }
    guard !positions.isEmpty else { return -1 }
    let bits = MemberBits.words(of: positions, indexCount: list.count)
    entries.append(
      Entry(
        first: members.count, count: list.count, kind: .localities, settled: .localities, level: level,
        availability: availability, bits: words.count, wordCount: bits.count, shares: doubles.count))
    words += bits
    doubles += weights
    members += list
    tables.append(nil)
    return Int32(entries.count - 1)
  }

  /// Hosts of a locality, and its weight.
  private typealias Part = (weight: UInt32, hosts: [UInt32])

  /// - Parameter isAsked: Whether anybody chooses from it: else a ring of it is not worth its price.
  private mutating func add(
    _ list: [UInt32], _ level: UInt8, _ availability: PickList.Availability, isAsked: Bool, _ parts: [Part]?
  ) -> UInt32 {
    let settled = kind(of: list)
    // One host has no share to grow into.
    let isStarting = hasStarts && list.count > 1 && settled != .schedule
    var entry = Entry(
      first: members.count, count: list.count, kind: isStarting ? .starting : settled, settled: settled,
      level: level, availability: availability)
    if settled == .schedule || isStarting {
      hasSchedules = true
      entry.bits = words.count
      entry.wordCount = wordCount
      words += MemberBits.words(of: list, indexCount: hosts.count)
    }
    members += list
    entries.append(entry)
    tables.append(settled == .hashed && isAsked ? table(list, parts) : nil)
    return UInt32(entries.count - 1)
  }

  private mutating func add(
    sharing number: UInt32, _ list: [UInt32], _ availability: PickList.Availability, isAsked: Bool, _ parts: [Part]?
  ) -> UInt32 {
    var entry = entries[Int(number)]
    entry.availability = availability
    entries.append(entry)
    tables.append(entry.settled == .hashed && isAsked ? table(list, parts) : nil)
    return UInt32(entries.count - 1)
  }

  private func table(_ list: [UInt32], _ parts: [Part]?) -> HashedList? {
    let members = list.map { hosts[Int($0)] }
    let weights = parts.map { parts in
      // Of each host by its index: lists are in the hosts' order, whatever their localities are.
      let normalized = NormalizedWeights.localities(
        parts.map { part in (weight: part.weight, hosts: part.hosts.map { self.weights[Int($0)] }) })
      var byHost = [UInt32: Double](minimumCapacity: list.count)
      for (part, values) in zip(parts, normalized) {
        for (host, value) in zip(part.hosts, values) { byHost[host] = value }
      }
      return list.map { byHost[$0] ?? 0 }
    } ?? NormalizedWeights.hosts(list.map { self.weights[Int($0)] })
    return known.table(of: members, weights) ?? HashedList(settings, hosts: members, weights: weights)
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

  /// - Parameters:
  ///   - words: Where they are going to stay.
  ///   - doubles: The same.
  func lists(_ words: FrozenList<UInt64>, _ doubles: FrozenList<Double>) -> [PickList] {
    zip(entries, tables).map { entry, table in
      PickList(
        first: UInt32(entry.first), count: UInt32(entry.count), kind: entry.kind, settled: entry.settled,
        level: entry.level, availability: entry.availability,
        bits: entry.bits.flatMap { offset in
          words.buffer.baseAddress.map { MemberBits(UnsafePointer($0 + offset), wordCount: entry.wordCount) }
        },
        table: table?.storage.table,
        // A table is of one host at least, and so are its shares.
        shares: entry.shares.flatMap { offset in doubles.buffer.baseAddress.map { UnsafePointer($0 + offset) } }
          ?? table.flatMap { $0.shares.map { UnsafePointer($0.buffer.baseAddress.unsafelyUnwrapped) } })
    }
  }
}

extension LocalityEntry {
  fileprivate func effective(_ available: UInt32, _ factor: UInt32) -> Double {
    LocalityWeights.effective(
      weight: weight, available: available, total: hosts.total, excluded: hosts.excluded, factor: factor)
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

  /// Hosts that are the same objects have the same keys.
  ///
  /// - Parameter weights: By position, normalised.
  func table(of hosts: [Frozen<HostConfig>], _ weights: [Double]) -> HashedList? {
    entries.first { $0.table.weights == weights && $0.hosts.elementsEqual(hosts, by: ===) }?.table
  }
}
