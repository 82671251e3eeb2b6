import Balancing
import HostHealth

/// The hosts of a cluster, what is known of them, and everything that a choice among them needs,
/// ready to index. Immutable: a change of health is another set, which shares what stayed.
///
/// ``HostSetBuilder`` makes it, a ``HostTable`` owns it.
public struct HostSet {
  /// The same storage as long as hosts, weights and priorities are the same.
  public let hosts: FrozenList<Frozen<HostConfig>>
  /// By host: why it is where it is.
  public let flags: FrozenList<HostFlags>
  /// By host, at least 1; empty when no list asks for them.
  public let weights: FrozenList<UInt32>
  /// Indices of hosts: all lists, one behind the other. Lists may share members.
  public let members: FrozenList<UInt32>
  public let lists: FrozenList<PickList>
  /// By priority, at least one.
  public let levels: FrozenList<PriorityLevel>
  /// The levels that have load, cumulative to 100.
  public let steps: FrozenList<LoadStep>
  public let counts: HostCounts
  /// By host: when it became ready, in nanoseconds of the workers' clock; 0 = long ago. Empty when no host starts slowly.
  public let readySince: FrozenList<UInt64>
  /// When the last host that starts slowly has its whole weight; 0 = nobody does.
  public let startingUntil: UInt64
  /// Whether a choice asks for the worker's own traffic or for the time.
  package let readsLoads: Bool
  /// Whether the way to a host is other than a look at this set alone.
  let isSpecial: Bool
  /// By list: rings and tables.
  let hashed: FrozenList<HashedList?>
  public let settings: BalanceSettings
  /// Where the hosts are; nil where nobody asks.
  public let localityNames: HostLocalities?
  /// By level and locality.
  public let localities: FrozenList<LocalityEntry>
  /// Zone-aware routing; nil where there is none.
  public let zone: ZoneShares?
  let zoneView: ZoneShares.View?
  /// Parts of the hosts with sets of their own; nil where there are none.
  public let subsets: Subsets?
  /// The same for workers, which touch no reference count.
  let subsetView: SubsetView?
  /// What zones were computed from.
  let own: OwnZone?
  /// `load_balancing_weight` of localities.
  let localityWeights: [LevelLocality: UInt32]
  /// The list that every choice ends at, which has hosts, or -1: then the steps decide.
  let only: Int32
  /// What `bits` of lists point to.
  let words: FrozenList<UInt64>
  /// What `shares` of lists of localities point to.
  let doubles: FrozenList<Double>

  /// Nobody: for a cluster that is gone.
  static let nobody = HostSetBuilder(BalanceSettings()).build([], flags: [])

  /// Of the last level that has a ring or table, as Envoy's gauges; nil without one.
  public var hashCounts: HashCounts? {
    for list in lists.buffer.indices.reversed() where lists.buffer[list].availability != .degraded {
      if let table = hashed.buffer[list] { return table.counts }
    }
    return nil
  }
}

typealias HostSetRef = UnsafeMutablePointer<HostSet>
