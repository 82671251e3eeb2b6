import Balancing

/// Hosts that one choice is among: those of a priority level that are up, or degraded, or all of them.
public struct PickList {
  /// How it is picked from.
  public enum Kind: UInt8, Sendable {
    /// One after the other: all weigh the same.
    case turns
    /// By earliest deadline, with ``bits``.
    case schedule
    case random
    /// The least busy of a few.
    case fewest
    /// The least busy of all.
    case fewestOfAll
    /// By the request's hash, with ``table``.
    case hashed
    /// Members are lists, one of each locality: which of them is next, by earliest deadline, with ``bits`` of their
    /// positions and ``shares``.
    case localities
    /// As `schedule` until the set's `startingUntil`, then as ``settled``.
    case starting
  }

  public enum Availability: UInt8, Sendable { case all, healthy, degraded }

  /// Where it begins in the set's `members`, and how many there are.
  public let first: UInt32
  public let count: UInt32
  public let kind: Kind
  /// What follows `starting`; else the same as ``kind``.
  public let settled: Kind
  public let level: UInt8
  public let availability: Availability
  /// Its members as a bit a host; nil where nobody asks for them.
  public let bits: MemberBits?
  /// Of a ring or table the positions in the list; nil of a list that nobody can choose from.
  public let table: UnsafePointer<HashTable>?
  /// Weights by position: normalised of a bounded load, as they are of localities; nil of all others.
  public let shares: UnsafePointer<Double>?

  /// Whether a worker's state of `other` goes on with this list, which may have other members.
  func continues(_ other: PickList) -> Bool {
    kind == other.kind && settled == other.settled && level == other.level && availability == other.availability
  }
}

/// One priority of a cluster: its lists, by their number in the set, and what it gets.
public struct PriorityLevel {
  public let all: UInt32
  public let healthy: UInt32
  public let degraded: UInt32
  /// The list whose members are those of the localities, for healthy and for degraded hosts; -1: localities have no
  /// weights here.
  public var healthyTurns: Int32 = -1
  public var degradedTurns: Int32 = -1
  /// In the set's `localities`.
  public var firstLocality: UInt32 = 0
  /// 0 where nobody asks for localities.
  public var localityCount: UInt32 = 0
  public let hosts: LevelHosts
  public let share: LevelShare

  init(all: UInt32, healthy: UInt32, degraded: UInt32, hosts: LevelHosts, share: LevelShare) {
    self.all = all
    self.healthy = healthy
    self.degraded = degraded
    self.hosts = hosts
    self.share = share
  }
}

/// One locality of a priority level.
public struct LocalityEntry {
  /// Its place in ``HostLocalities/names``.
  public let name: UInt32
  public let healthy: UInt32
  public let degraded: UInt32
  public let hosts: LevelHosts
  /// As configured, 0 when absent; without `locality_weighted_lb_config` nobody asks for it.
  public let weight: UInt32
}
