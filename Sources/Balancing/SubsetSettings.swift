/// A key and a value of a host's or a route's metadata (`envoy.lb`), as bytes.
public struct MetadataPair: Sendable, Equatable {
  /// Without NUL.
  public let key: [UInt8]
  /// In a form in which equal values are equal bytes, whatever their type; without NUL.
  public let value: [UInt8]
  /// Of a list the values in it, in the same form; nil of anything else.
  public let elements: [[UInt8]]?

  public init(key: [UInt8], value: [UInt8], elements: [[UInt8]]? = nil) {
    self.key = key
    self.value = value
    self.elements = elements
  }
}

public enum SubsetError: Error, Equatable {
  /// KEYS_SUBSET names no keys.
  case fallbackKeysMissing
  /// KEYS_SUBSET names a key that the selector does not have.
  case fallbackKeyUnknown
  /// KEYS_SUBSET names all keys of the selector: that would never end.
  case fallbackKeysEqual
  /// More than ``SubsetSettings/subsetsMax``.
  case tooManySubsets
  /// More than ``SubsetSettings/membersMax`` hosts in all subsets together.
  case tooManyMembers
  /// Two subsets have the same digest.
  case digestsCollide
}

/// `subset_selectors[]`: hosts that have all its keys are grouped by their values.
public struct SubsetSelector: Sendable, Equatable {
  public enum Fallback: Sendable, Equatable {
    /// What the cluster says.
    case undefined
    case nobody
    case anyEndpoint
    case defaultSubset
    /// Once more with these keys only.
    case keysSubset([[UInt8]])
  }

  /// Sorted, each once.
  public let keys: [[UInt8]]
  public let fallback: Fallback
  /// `single_host_per_subset`: the first host stands for all.
  public let hasSingleHost: Bool

  public init(
    keys: [[UInt8]], fallback: Fallback = .undefined, hasSingleHost: Bool = false
  ) throws(SubsetError) {
    self.keys = Self.sorted(keys)
    self.hasSingleHost = hasSingleHost
    guard case .keysSubset(let fewer) = fallback else {
      self.fallback = fallback
      return
    }
    let sorted = Self.sorted(fewer)
    self.fallback = .keysSubset(sorted)
    guard !sorted.isEmpty else { throw .fallbackKeysMissing }
    for key in sorted where !self.keys.contains(key) { throw .fallbackKeyUnknown }
    guard sorted.count < self.keys.count else { throw .fallbackKeysEqual }
  }

  private static func sorted(_ keys: [[UInt8]]) -> [[UInt8]] {
    Set(keys).sorted { $0.lexicographicallyPrecedes($1) }
  }
}

/// `lb_subset_config`.
///
/// Source: Envoy `subset_lb.cc`, `subset_lb_config.cc`. Differs: every selector's fallback counts;
/// Envoy forgets that of a selector whose keys begin an earlier one.
public struct SubsetSettings: Sendable, Equatable {
  public enum Fallback: Sendable, Equatable {
    /// `NO_FALLBACK`
    case nobody
    case anyEndpoint
    case defaultSubset
  }

  /// Subsets of a cluster.
  public static let subsetsMax = 10_000
  /// Hosts in all subsets of a cluster together: what 10,000,000 four-byte indices take.
  public static let membersMax = 10_000_000

  public var fallback: Fallback
  /// Hosts of the default subset have all of these.
  public var defaultSubset: [MetadataPair]
  public var selectors: [SubsetSelector]
  /// `list_as_any`: a host with a list of values is in the subset of each.
  public var isListAny: Bool
  /// `panic_mode_any`: a fallback of the cluster that has nobody tries everybody.
  public var isPanicAny: Bool
  /// `allow_redundant_keys`: keys of a match that its selector does not have are left out.
  public var allowsRedundantKeys: Bool
  /// `metadata_fallback_policy: FALLBACK_LIST`: entries of a match's `fallback_list` are tried in turn.
  public var usesFallbackLists: Bool
  /// `locality_weight_aware`: weights of localities count within subsets.
  public var usesLocalityWeights: Bool
  /// `scale_locality_weight`: in proportion to the hosts that the subset has of the locality.
  public var scalesLocalityWeights: Bool

  public init(
    fallback: Fallback = .nobody, defaultSubset: [MetadataPair] = [],
    selectors: [SubsetSelector] = [], isListAny: Bool = false, isPanicAny: Bool = false,
    allowsRedundantKeys: Bool = false, usesFallbackLists: Bool = false, usesLocalityWeights: Bool = false,
    scalesLocalityWeights: Bool = false
  ) {
    self.usesFallbackLists = usesFallbackLists
    self.usesLocalityWeights = usesLocalityWeights
    self.scalesLocalityWeights = scalesLocalityWeights
    self.fallback = fallback
    self.defaultSubset = defaultSubset
    self.selectors = selectors
    self.isListAny = isListAny
    self.isPanicAny = isPanicAny
    self.allowsRedundantKeys = allowsRedundantKeys
  }

  /// Whether a match may end in the default subset.
  public var asksForDefaultSubset: Bool {
    fallback == .defaultSubset || selectors.contains { $0.fallback == .defaultSubset }
  }

  /// The selector with exactly these keys, the first when there are several.
  func selector(keys: [[UInt8]]) -> SubsetSelector? { selectors.first { $0.keys == keys } }
}
