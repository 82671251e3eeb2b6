import Balancing

/// What a route wants of its hosts (`metadata_match`, its `envoy.lb` part).
public final class SubsetMatch: Sendable {
  let pairs: [MetadataPair]
  /// Entries of `fallback_list`, for clusters that try them.
  let fallbackList: [[MetadataPair]]
  /// Of all of it: matches that say the same are the same.
  let digest: UInt64

  /// - Parameter pairs: Later ones win over earlier ones of the same key.
  public init(_ pairs: [MetadataPair], fallbackList: [[MetadataPair]] = []) {
    self.pairs = pairs
    self.fallbackList = fallbackList
    var digest = SubsetDigest.of(pairs)
    for entry in fallbackList { digest = (digest &* 0x9E37_79B9_7F4A_7C15) ^ SubsetDigest.of(entry) }
    self.digest = digest
  }

  /// The key whose value is a list of other matches.
  public static let fallbackListKey = Array("fallback_list".utf8)

  /// For people: `version 1, stage prod`.
  public var explained: String {
    pairs.map { pair in
      // Behind the letter of its kind.
      let value = pair.value.first == UInt8(ascii: "s") ? Array(pair.value.dropFirst()) : pair.value
      return "\(String(decoding: pair.key, as: UTF8.self)) \(String(decoding: value, as: UTF8.self))"
    }.joined(separator: ", ")
  }

  /// What is tried in a cluster, in order.
  func plan(_ settings: SubsetSettings) -> SubsetPlan {
    guard settings.usesFallbackLists, !fallbackList.isEmpty else { return SubsetPlan(settings, match: pairs) }
    return SubsetPlan(
      settings, match: pairs.filter { $0.key != Self.fallbackListKey }, fallbackList: fallbackList)
  }
}

/// The matches of a route, for workers: its own, or one of each of its weighted clusters.
public struct SubsetMatches: Sendable {
  private let owners: [SubsetMatch?]
  private let entries: FrozenList<Unmanaged<SubsetMatch>?>

  public init(_ matches: [SubsetMatch?]) {
    owners = matches
    entries = FrozenList(matches.map { $0.map { .passUnretained($0) } })
  }

  /// The same for people.
  public func explained(_ index: Int) -> SubsetMatch? { owners.indices.contains(index) ? owners[index] : nil }

  @inline(__always)
  var isEmpty: Bool { entries.buffer.isEmpty }

  /// - Parameter index: Of the weighted cluster; 0 for all other routes.
  func match(_ index: Int) -> Unmanaged<SubsetMatch>? {
    index < entries.buffer.count ? entries.buffer[index] : nil
  }
}
