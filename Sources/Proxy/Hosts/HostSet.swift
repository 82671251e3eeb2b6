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
  public let settings: BalanceSettings
  /// The list that every choice ends at, which has hosts, or -1: then the steps decide.
  let only: Int32
  /// What `bits` of lists point to.
  let words: FrozenList<UInt64>

  /// Nobody: for a cluster that is gone.
  static let nobody = HostSetBuilder(BalanceSettings()).build([], flags: [])
}

typealias HostSetRef = UnsafeMutablePointer<HostSet>
