/// One thing to try for a match.
@frozen
public struct SubsetStep: Sendable, Equatable {
  @frozen
  public enum Kind: UInt8, Sendable {
    /// The subset with this digest, if there is one (`lb_subsets_selected`).
    case subset
    /// Everybody, because the selector says so.
    case anyEndpoint
    /// The default subset, because the selector says so.
    case defaultSubset
    /// Everybody, because the cluster says so (`lb_subsets_fallback` when there is a host).
    case fallbackAny
    /// The default subset, because the cluster says so (the same).
    case fallbackDefault
    /// Everybody, because the cluster's fallback has nobody (`lb_subsets_fallback_panic` when there
    /// is a host).
    case panicAny
  }

  /// Of `subset`.
  public let digest: UInt64
  public let kind: Kind
  /// Which entry of the fallback list this is of; 0 without one.
  public let alternative: UInt16

  @inlinable
  init(_ kind: Kind, digest: UInt64 = 0, alternative: UInt16) {
    self.digest = digest
    self.kind = kind
    self.alternative = alternative
  }
}

/// What is tried in turn for one match: computed when a route is loaded, because it depends on
/// settings only. Empty: nobody.
///
/// Source: Envoy `subset_lb.cc` (`chooseHost`, `chooseHostIteration`, `tryFindSelectorFallbackParams`).
public struct SubsetPlan: Sendable, Equatable {
  /// Entries of a fallback list that are tried; more are left out.
  public static let alternativesMax = 1024

  public private(set) var steps: [SubsetStep] = []

  /// - Parameters:
  ///   - match: `metadata_match` of weighted cluster over route, `envoy.lb` only; with
  ///     `FALLBACK_LIST` without its `fallback_list`. Later pairs win over earlier ones.
  ///   - fallbackList: With `metadata_fallback_policy: FALLBACK_LIST` the pairs of each entry, which
  ///     win over the match.
  public init(
    _ settings: SubsetSettings, match: [MetadataPair], fallbackList: [[MetadataPair]] = []
  ) {
    if fallbackList.isEmpty {
      add(settings, SubsetDigest.unique(match), 0)
    }
    for (alternative, pairs) in fallbackList.prefix(Self.alternativesMax).enumerated() {
      add(settings, SubsetDigest.unique(match + pairs), UInt16(alternative))
    }
  }

  /// - Parameter match: Sorted, keys different.
  private mutating func add(
    _ settings: SubsetSettings, _ match: [MetadataPair], _ alternative: UInt16
  ) {
    var match = match
    // Ends: a selector's fallback keys are fewer than its keys.
    while true {
      if settings.allowsRedundantKeys, let selector = Self.selector(within: match, settings) {
        match.removeAll { !selector.keys.contains($0.key) }
      }
      // Only selectors make subsets.
      guard !match.isEmpty, let selector = settings.selector(keys: match.map(\.key)) else { break }
      let digest = SubsetDigest.digest(match.map { ($0.key, $0.value) })
      steps.append(SubsetStep(.subset, digest: digest, alternative: alternative))
      switch selector.fallback {
      case .undefined:
        break
      case .nobody:
        return
      case .anyEndpoint:
        steps.append(SubsetStep(.anyEndpoint, alternative: alternative))
        return
      case .defaultSubset:
        steps.append(SubsetStep(.defaultSubset, alternative: alternative))
        return
      case .keysSubset(let keys):
        match.removeAll { !keys.contains($0.key) }
        continue
      }
      break
    }
    switch settings.fallback {
    case .nobody:
      return
    case .anyEndpoint:
      steps.append(SubsetStep(.fallbackAny, alternative: alternative))
    case .defaultSubset:
      steps.append(SubsetStep(.fallbackDefault, alternative: alternative))
    }
    if settings.isPanicAny {
      steps.append(SubsetStep(.panicAny, alternative: alternative))
    }
  }

  /// The first selector all of whose keys the match has.
  private static func selector(
    within match: [MetadataPair], _ settings: SubsetSettings
  ) -> SubsetSelector? {
    settings.selectors.first { selector in
      !selector.keys.isEmpty
        && selector.keys.allSatisfy { key in match.contains { $0.key == key } }
    }
  }
}

/// One request's way through a ``SubsetPlan``: the next list to pick from, again after each that had
/// nobody.
@frozen
public struct SubsetWalk: Sendable {
  @frozen
  public struct Target: Sendable, Equatable {
    public let kind: SubsetStep.Kind
    /// Of kind `subset` its position in ``SubsetIndex/subsets``.
    public let subset: UInt32

    @inlinable
    init(kind: SubsetStep.Kind, subset: UInt32 = 0) {
      self.kind = kind
      self.subset = subset
    }
  }

  /// The step to look at next.
  @usableFromInline var index = 0

  @inlinable
  public init() {}

  /// What to pick from, or nil: nobody is left. Call again when it gave no host.
  ///
  /// - Complexity: O(steps) for the whole walk; no allocation.
  @inlinable
  public mutating func next(
    _ steps: UnsafeBufferPointer<SubsetStep>, _ table: SubsetTable
  ) -> Target? {
    while index < steps.count {
      let step = steps[index]
      switch step.kind {
      case .subset:
        if let number = table.find(step.digest) {
          skip(steps, step.alternative)
          return Target(kind: .subset, subset: number)
        }
        index &+= 1
      case .anyEndpoint, .defaultSubset:
        skip(steps, step.alternative)
        return Target(kind: step.kind)
      case .fallbackAny, .fallbackDefault, .panicAny:
        index &+= 1
        return Target(kind: step.kind)
      }
    }
    return nil
  }

  /// A list that exists is the answer of its alternative, also when it has nobody.
  @inlinable
  mutating func skip(_ steps: UnsafeBufferPointer<SubsetStep>, _ alternative: UInt16) {
    while index < steps.count, steps[index].alternative == alternative { index &+= 1 }
  }
}
