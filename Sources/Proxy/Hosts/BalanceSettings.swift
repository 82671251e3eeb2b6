import Balancing

/// How hosts of a cluster are chosen: what its host sets are built by.
public struct BalanceSettings: Sendable, Equatable {
  public enum Policy: UInt8, Sendable {
    case roundRobin, random, leastRequest, ringHash, maglev

    /// Whether a request's hash names the host.
    public var hashes: Bool { self == .ringHash || self == .maglev }

    /// As in `lb_policy`.
    public var name: StaticString {
      switch self {
      case .roundRobin: "ROUND_ROBIN"
      case .random: "RANDOM"
      case .leastRequest: "LEAST_REQUEST"
      case .ringHash: "RING_HASH"
      case .maglev: "MAGLEV"
      }
    }
  }

  public var policy = Policy.roundRobin
  public var levels = LevelSettings()
  /// Of `LEAST_REQUEST`.
  public var leastRequest = LeastRequest()
  /// Of `LEAST_REQUEST`: all hosts are looked at (`FULL_SCAN`).
  public var scansAll = false
  /// Of `ROUND_ROBIN` and `LEAST_REQUEST`; nil: new hosts have their whole share at once.
  public var slowStart: SlowStart?
  /// Of `RING_HASH` and `MAGLEV`.
  public var hashing = HashSettings()
  /// `zone_aware_lb_config`; hashes do not look at zones.
  public var zones = ZoneSettings()
  /// `locality_weighted_lb_config`: localities have weights, and zones do not count.
  public var usesLocalityWeights = false
  /// `lb_subset_config`
  public var subsets: SubsetSettings?

  public init() {}

  var readsLoads: Bool { policy == .leastRequest || policy.hashes && hashing.boundedLoad != nil }
}

/// How rings and Maglev tables are made, and how much one host of them may have.
public struct HashSettings: Sendable, Equatable {
  public var ringMinimum: UInt64 = 1024
  public var ringMaximum = HashRing.sizeMax
  public var function = RingHashFunction.xxHash
  public var tableSize = MaglevTable.sizeDefault
  /// A host without `hash_key` is known by its hostname, if it has one, instead of its address.
  public var usesHostnames = false
  /// Nil: as much as its keys bring.
  public var boundedLoad: BoundedLoad?

  public init() {}
}
