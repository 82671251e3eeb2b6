import Balancing
import Proxy

/// How a cluster's load is shared now, as `/clusters` says it: facts with names, in order.
struct BalancingFacts {
  struct Fact {
    let name: String
    let value: JSONValue
  }

  /// A part of the whole: a priority, a locality of it.
  struct Part {
    /// As in text, between `::`.
    let name: String
    /// As in JSON: what the part is called there, in front of its facts.
    let title: Fact
    let facts: [Fact]
    var parts: [Part] = []
  }

  let policy: String
  let priorities: [Part]
  let zone: Part?
  /// Nil where there are none.
  let subsets: Int?

  init(_ set: HostSet) {
    policy = set.settings.policy.name.description
    priorities = set.levels.buffer.indices.map { Self.priority($0, set) }
    zone = set.zone.map { Self.zone($0, set) }
    subsets = set.subsets?.count
  }

  // MARK: Priorities

  private static func priority(_ number: Int, _ set: HostSet) -> Part {
    let level = set.levels.buffer[number]
    func fact(_ name: String, _ value: some BinaryInteger) -> Fact { Fact(name: name, value: .number(UInt64(value))) }
    var facts = [
      fact("load_percent", level.share.load), fact("degraded_load_percent", level.share.degradedLoad),
      fact("health_percent", level.share.health), Fact(name: "panic", value: .bool(level.share.isPanic)),
    ]
    facts += hosts(level.hosts)
    let first = Int(level.firstLocality)
    let entries = level.healthyTurns >= 0 || level.degradedTurns >= 0
      ? Array(set.localities.buffer[first..<first + Int(level.localityCount)]) : []
    let weights = entries.map { entry in
      LocalityWeights.effective(
        weight: entry.weight, available: entry.hosts.healthy, total: entry.hosts.total, excluded: entry.hosts.excluded,
        factor: set.settings.levels.overprovisioningFactor)
    }
    let sum = weights.reduce(0, +)
    let parts = zip(entries, weights).map { entry, weight in
      locality(
        entry, set,
        [fact("weight", entry.weight), Fact(name: "load_percent", value: percent(sum > 0 ? 100 * weight / sum : 0))])
    }
    return Part(name: "priority_\(number)", title: fact("priority", number), facts: facts, parts: parts)
  }

  private static func hosts(_ hosts: LevelHosts) -> [Fact] {
    [
      Fact(name: "hosts", value: .number(UInt64(hosts.total))),
      Fact(name: "healthy", value: .number(UInt64(hosts.healthy))),
      Fact(name: "degraded", value: .number(UInt64(hosts.degraded))),
      Fact(name: "excluded", value: .number(UInt64(hosts.excluded))),
    ]
  }

  private static func locality(_ entry: LocalityEntry, _ set: HostSet, _ facts: [Fact]) -> Part {
    let name = set.localityNames?.names[Int(entry.name)].description ?? ""
    return Part(name: "locality::\(name)", title: Fact(name: "locality", value: .string(name)), facts: facts + hosts(entry.hosts))
  }

  // MARK: Zones

  private static func zone(_ zone: ZoneShares, _ set: HostSet) -> Part {
    let ownPanic = "off: the own cluster is in panic"
    let mode =
      switch zone.plan.outcome {
      case .targetHasOneLocality: "off: the cluster is in one locality"
      case .ownHasOneLocality: "off: the own cluster is in one locality"
      case .ownLocalityIsEmpty: "off: the own cluster has no host in the own locality"
      case .targetIsSmall: "off: fewer healthy hosts than min_cluster_size (\(set.settings.zones.minimumSize))"
      case .direct: zone.isOwnPanic ? ownPanic : "direct"
      case .residual: zone.isOwnPanic ? ownPanic : "residual"
      }
    let own = set.localityNames?.own?.description ?? ""
    var facts = [Fact(name: "own", value: .string(own)), Fact(name: "mode", value: .string(mode))]
    guard zone.plan.outcome.isOn, !zone.isOwnPanic, let level = set.levels.buffer.first else {
      return Part(name: "zone", title: Fact(name: "own", value: .string(own)), facts: facts)
    }
    let stay = zone.plan.outcome == .direct ? 100 : Double(zone.plan.stay) / 100
    facts.append(Fact(name: "stay_percent", value: percent(stay)))
    let first = Int(level.firstLocality)
    var before: UInt32 = 0
    var parts: [Part] = []
    for (position, end) in zone.plan.rest.enumerated() where position < Int(level.localityCount) {
      let share = Double(end - before) / Double(max(1, zone.plan.rest.last ?? 1))
      before = end
      parts.append(
        locality(
          set.localities.buffer[first + position], set,
          [Fact(name: "cross_percent", value: percent((100 - stay) * share))]))
    }
    return Part(name: "zone", title: Fact(name: "own", value: .string(own)), facts: facts, parts: parts)
  }

  private static func percent(_ value: Double) -> JSONValue { .number(PercentText.text(value)) }

  // MARK: Text

  /// `lb::...` of `/clusters`.
  var lines: [String] {
    var lines = ["lb::policy::\(policy)"]
    func add(_ part: Part, _ prefix: String) {
      for fact in part.facts { lines.append("\(prefix)\(part.name)::\(fact.name)::\(fact.value.plain)") }
      for inner in part.parts { add(inner, "\(prefix)\(part.name)::") }
    }
    for priority in priorities { add(priority, "lb::") }
    if let zone { add(zone, "lb::") }
    if let subsets { lines.append("lb::subsets::\(subsets)") }
    return lines
  }

  // MARK: JSON

  var json: JSONValue {
    func object(_ part: Part) -> JSONValue {
      var fields: [JSONValue.Field] = [.init(part.title.name, part.title.value)]
      fields += part.facts.filter { $0.name != part.title.name }.map { .init($0.name, $0.value) }
      if !part.parts.isEmpty { fields.append(.init("localities", .array(part.parts.map(object)))) }
      return .object(fields)
    }
    var fields: [JSONValue.Field] = [
      .init("policy", .string(policy)), .init("priorities", .array(priorities.map(object))),
    ]
    if let zone { fields.append(.init("zone", object(zone))) }
    if let subsets { fields.append(.init("subsets", .number(UInt64(subsets)))) }
    return .object(fields)
  }
}

extension JSONValue {
  /// Of a number, text or truth, without quotes.
  var plain: String {
    switch self {
    case .number(let text), .string(let text): text
    case .bool(let value): "\(value)"
    case .null, .array, .object: ""
    }
  }
}
