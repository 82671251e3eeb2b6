import Balancing
import ConfigSchema
import Proxy
import SwiftProtobuf

private typealias Config = Envoy_Config_Cluster_V3_Cluster.LbSubsetConfig
private typealias Policy = Envoy_Extensions_LoadBalancingPolicies_Subset_V3_Subset

/// Subsets of hosts, in both forms.
extension CompilerPass {
  /// `lb_subset_config`
  func setSubsets(_ settings: inout BalanceSettings, _ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) {
    guard proto.hasLbSubsetConfig else { return }
    let config = proto.lbSubsetConfig
    // Without selectors there are no subsets: then all of it means nothing (Envoy's `LbSubsetConfig::isEnabled`).
    guard !config.subsetSelectors.isEmpty else {
      ignore("\(path).lb_subset_config", "has no effect without subset_selectors")
      return
    }
    settings.subsets = subsets(
      selectors: config.subsetSelectors.map { Selector($0) }, fallback: Fallback(rawValue: config.fallbackPolicy.rawValue),
      byDefault: config.defaultSubset, isListAny: config.listAsAny, isPanicAny: config.panicModeAny,
      usesFallbackLists: config.metadataFallbackPolicy == .fallbackList, allowsRedundantKeys: false,
      usesLocalityWeights: config.localityWeightAware, scalesLocalityWeights: config.scaleLocalityWeight,
      "\(path).lb_subset_config")
  }

  /// `envoy.load_balancing_policies.subset`: the policy that it holds chooses within each of them.
  func setSubsets(
    _ settings: inout BalanceSettings, _ proto: Envoy_Extensions_LoadBalancingPolicies_Subset_V3_Subset, _ path: String
  ) {
    let inner = proto.subsetLbPolicy.policies.first?.typedExtensionConfig.typedConfig
    if inner?.isA(Policy.self) ?? false {
      error("\(path).subset_lb_policy", "a subset cannot hold subsets")
      return
    }
    setPolicy(&settings, proto.subsetLbPolicy, "\(path).subset_lb_policy")
    guard !proto.subsetSelectors.isEmpty else {
      ignore("\(path).subset_selectors", "without selectors there are no subsets: all hosts are in one")
      return
    }
    settings.subsets = subsets(
      selectors: proto.subsetSelectors.map { Selector($0) }, fallback: Fallback(rawValue: proto.fallbackPolicy.rawValue),
      byDefault: proto.defaultSubset, isListAny: proto.listAsAny, isPanicAny: proto.panicModeAny,
      usesFallbackLists: proto.metadataFallbackPolicy == .fallbackList, allowsRedundantKeys: proto.allowRedundantKeys,
      usesLocalityWeights: proto.localityWeightAware, scalesLocalityWeights: proto.scaleLocalityWeight, path)
  }

  /// As both messages number it.
  private enum Fallback: Int {
    case nobody, anyEndpoint, defaultSubset
  }

  /// A selector of either message.
  private struct Selector {
    let keys: [String]
    let fallback: Int
    let fallbackKeys: [String]
    let hasSingleHost: Bool

    init(_ proto: Config.LbSubsetSelector) {
      keys = proto.keys
      fallback = proto.fallbackPolicy.rawValue
      fallbackKeys = proto.fallbackKeysSubset
      hasSingleHost = proto.singleHostPerSubset
    }

    init(_ proto: Policy.LbSubsetSelector) {
      keys = proto.keys
      fallback = proto.fallbackPolicy.rawValue
      fallbackKeys = proto.fallbackKeysSubset
      hasSingleHost = proto.singleHostPerSubset
    }
  }

  private func subsets(
    selectors: [Selector], fallback: Fallback?, byDefault: Google_Protobuf_Struct, isListAny: Bool, isPanicAny: Bool,
    usesFallbackLists: Bool, allowsRedundantKeys: Bool, usesLocalityWeights: Bool, scalesLocalityWeights: Bool,
    _ path: String
  ) -> SubsetSettings {
    var made = selectors.enumerated().compactMap { selector($1, "\(path).subset_selectors[\($0)]") }
    if allowsRedundantKeys {
      // As much of a match as possible is kept.
      made = made.enumerated().sorted { ($1.element.keys.count, $0.offset) < ($0.element.keys.count, $1.offset) }.map(\.element)
    }
    ignore(
      "\(path).scale_locality_weight", if: scalesLocalityWeights && !usesLocalityWeights,
      "has no effect without locality_weight_aware")
    ignore(
      "\(path).default_subset", if: !byDefault.fields.isEmpty && fallback != .defaultSubset && !selectors.contains { $0.fallback == 3 },
      "has no effect: no fallback policy is DEFAULT_SUBSET")
    return SubsetSettings(
      fallback: fallback == .anyEndpoint ? .anyEndpoint : fallback == .defaultSubset ? .defaultSubset : .nobody,
      defaultSubset: BalancingMetadata.pairs(byDefault), selectors: made, isListAny: isListAny, isPanicAny: isPanicAny,
      allowsRedundantKeys: allowsRedundantKeys, usesFallbackLists: usesFallbackLists,
      usesLocalityWeights: usesLocalityWeights, scalesLocalityWeights: scalesLocalityWeights)
  }

  private func selector(_ proto: Selector, _ path: String) -> SubsetSelector? {
    let fallback: SubsetSelector.Fallback =
      switch proto.fallback {
      case 1: .nobody
      case 2: .anyEndpoint
      case 3: .defaultSubset
      case 4: .keysSubset(proto.fallbackKeys.map(BalancingMetadata.bytes))
      default: .undefined
      }
    if proto.keys.isEmpty { ignore("\(path).keys", "has no effect: a selector without keys makes no subsets") }
    if proto.hasSingleHost, proto.keys.count != 1 {
      error("\(path).single_host_per_subset", "needs exactly one key, there are \(proto.keys.count)")
    }
    ignore(
      "\(path).fallback_keys_subset", if: !proto.fallbackKeys.isEmpty && proto.fallback != 4,
      "has no effect without fallback_policy KEYS_SUBSET")
    do {
      return try SubsetSelector(
        keys: proto.keys.map(BalancingMetadata.bytes), fallback: fallback, hasSingleHost: proto.hasSingleHost)
    } catch {
      self.error("\(path).fallback_keys_subset", Self.sentence(error))
      return nil
    }
  }

  /// Whether the hosts' metadata make as many subsets as can be kept.
  func checkSubsets(_ plan: ClusterPlan, _ path: String) {
    guard let settings = plan.balancing.subsets else { return }
    do {
      let index = try SubsetIndex(settings, hosts: plan.hosts.map(\.subsetMetadata))
      guard plan.balancing.policy.hashes else { return }
      let places = plan.balancing.policy == .maglev ? UInt64(plan.balancing.hashing.tableSize) : plan.balancing.hashing.ringMinimum
      let sum = places * UInt64(index.subsets.count + 1)
      if sum > Self.tablePlacesMax {
        error(
          path,
          "\(index.subsets.count) subsets with tables of \(places) places each are too many: at most \(Self.tablePlacesMax) places are made; choose smaller tables")
      }
    } catch {
      self.error(path, Self.sentence(error))
    }
  }

  /// Places of rings and tables of all subsets of a cluster: 4 or 12 bytes each.
  private static let tablePlacesMax: UInt64 = 1 << 26

  private static func sentence(_ error: SubsetError) -> String {
    switch error {
    case .fallbackKeysMissing: "KEYS_SUBSET needs at least one key"
    case .fallbackKeyUnknown: "must be among the selector's keys"
    case .fallbackKeysEqual: "must be fewer than the selector's keys"
    case .tooManySubsets: "the hosts' metadata make more than \(SubsetSettings.subsetsMax) subsets"
    case .tooManyMembers: "the hosts' metadata put hosts into more than \(SubsetSettings.membersMax) places in subsets"
    case .digestsCollide: "two subsets of the hosts' metadata have the same digest: change a value"
    }
  }

  // MARK: Matches

  /// What `metadata_match` wants, over what is wanted already; nil for nothing.
  func subsetMatch(_ proto: Envoy_Config_Core_V3_Metadata?, over outer: SubsetMatchDraft? = nil, _ path: String) -> SubsetMatchDraft? {
    guard let proto else { return outer }
    for name in proto.filterMetadata.keys.sorted() where name != BalancingMetadata.namespace {
      ignore("\(path).filter_metadata[\"\(shown(name))\"]", "has no effect: only envoy.lb is about hosts")
    }
    guard let fields = proto.filterMetadata[BalancingMetadata.namespace], !fields.fields.isEmpty else { return outer }
    var draft = outer ?? SubsetMatchDraft()
    draft.fields.merge(fields.fields) { $1 }
    return draft
  }
}

/// A match while it is put together.
struct SubsetMatchDraft {
  var fields: [String: Google_Protobuf_Value] = [:]

  var match: SubsetMatch {
    var fallbackList: [[MetadataPair]] = []
    if case .listValue(let list)? = fields["fallback_list"]?.kind {
      for case .structValue(let entry)? in list.values.map(\.kind) { fallbackList.append(BalancingMetadata.pairs(entry)) }
    }
    return SubsetMatch(BalancingMetadata.pairs(Google_Protobuf_Struct(fields: fields)), fallbackList: fallbackList)
  }
}
