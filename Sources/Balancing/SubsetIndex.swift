/// Which hosts are in which subset, built on main from hosts' metadata.
public struct SubsetIndex: Sendable {
  public struct Subset: Sendable, Equatable {
    /// ``SubsetDigest`` of its keys and values.
    public let digest: UInt64
    /// Ascending positions in the list of hosts; never empty.
    public fileprivate(set) var hosts: [UInt32]
    fileprivate let values: [[UInt8]]
    fileprivate let keys: [[UInt8]]
  }

  /// In the order in which hosts made them.
  public private(set) var subsets: [Subset] = []
  /// Hosts that have all pairs of `default_subset`.
  public private(set) var defaultHosts: [UInt32] = []
  /// `lb_subsets_single_host_per_subset_duplicate`: hosts that found their place taken.
  public private(set) var singleHostDuplicates = 0

  private var numbers: [UInt64: Int] = [:]
  private var memberCount = 0

  /// Without hosts.
  public init() {}

  /// - Parameter hosts: Of each host its pairs of `envoy.lb`, in the order of the host set. Keys are
  ///   different.
  /// - Throws: ``SubsetError/tooManySubsets``, ``SubsetError/tooManyMembers``,
  ///   ``SubsetError/digestsCollide``.
  public init(_ settings: SubsetSettings, hosts: [[MetadataPair]]) throws(SubsetError) {
    // A selector that says the same keys again would add every host twice.
    var selectors: [SubsetSelector] = []
    for selector in settings.selectors
    where !selector.keys.isEmpty && !selectors.contains(where: { $0.keys == selector.keys }) {
      selectors.append(selector)
    }
    for (index, pairs) in hosts.enumerated() {
      let host = UInt32(truncatingIfNeeded: index)
      for selector in selectors {
        try add(host, pairs, selector, isListAny: settings.isListAny)
      }
      let isDefault = settings.defaultSubset.allSatisfy { wanted in
        pairs.contains { $0.key == wanted.key && Self.matches($0, wanted, settings.isListAny) }
      }
      if isDefault { defaultHosts.append(host) }
    }
  }

  private static func matches(
    _ pair: MetadataPair, _ wanted: MetadataPair, _ isListAny: Bool
  ) -> Bool {
    if isListAny, let elements = pair.elements { return elements.contains(wanted.value) }
    return pair.value == wanted.value
  }

  /// Adds the host to the selector's subsets that its values name: one, or with lists one for each
  /// combination of their elements.
  private mutating func add(
    _ host: UInt32, _ pairs: [MetadataPair], _ selector: SubsetSelector, isListAny: Bool
  ) throws(SubsetError) {
    var choices: [[[UInt8]]] = []
    for key in selector.keys {
      guard let pair = pairs.first(where: { $0.key == key }) else { return }
      if isListAny, let elements = pair.elements {
        guard !elements.isEmpty else { return }
        choices.append(Set(elements).sorted { $0.lexicographicallyPrecedes($1) })
      } else {
        choices.append([pair.value])
      }
    }
    // Combinations are counted up one by one and stop at the limit: their number is a product.
    var picked = [Int](repeating: 0, count: choices.count)
    while true {
      let values = choices.indices.map { choices[$0][picked[$0]] }
      try add(host, values, selector)
      var place = choices.count - 1
      while place >= 0, picked[place] == choices[place].count - 1 {
        picked[place] = 0
        place -= 1
      }
      guard place >= 0 else { return }
      picked[place] += 1
    }
  }

  private mutating func add(
    _ host: UInt32, _ values: [[UInt8]], _ selector: SubsetSelector
  ) throws(SubsetError) {
    let digest = SubsetDigest.digest(zip(selector.keys, values).map { ($0, $1) })
    if let number = numbers[digest] {
      guard subsets[number].values == values, subsets[number].keys == selector.keys else {
        throw .digestsCollide
      }
      guard !selector.hasSingleHost else {
        singleHostDuplicates += 1
        return
      }
      subsets[number].hosts.append(host)
    } else {
      guard subsets.count < SubsetSettings.subsetsMax else { throw .tooManySubsets }
      numbers[digest] = subsets.count
      subsets.append(
        Subset(digest: digest, hosts: [host], values: values, keys: selector.keys))
    }
    memberCount += 1
    guard memberCount <= SubsetSettings.membersMax else { throw .tooManyMembers }
  }
}
