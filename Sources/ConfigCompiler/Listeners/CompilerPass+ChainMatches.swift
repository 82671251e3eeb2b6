import ConfigSchema
import Primitives
import Proxy
import SwiftProtobuf

extension CompilerPass {
  typealias Criteria = FilterChainMatcher.Criteria

  /// The criteria of a listener's chains. Two chains that would take the same connection with the
  /// same precedence are an error.
  func chainCriteria(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String
  ) -> [Criteria] {
    var list: [Criteria] = []
    var groups: [Criteria: [Int]] = [:]
    for (index, chain) in proto.filterChains.enumerated() {
      let place = "\(path).filter_chains[\(index)].filter_chain_match"
      let criteria = criteria(chain.filterChainMatch, place)
      // Only chains that agree in these can overlap.
      var key = Criteria()
      key.destinationPort = criteria.destinationPort
      key.sourceType = criteria.sourceType
      if let other = groups[key]?.first(where: { criteria.overlaps(list[$0]) }) {
        error(place, "filter_chains[\(other)] matches the same connections")
      }
      groups[key, default: []].append(index)
      list.append(criteria)
    }
    return list
  }

  private func criteria(
    _ match: Envoy_Config_Listener_V3_FilterChainMatch, _ path: String
  ) -> Criteria {
    let onlyTLS = "is not supported by apus yet (it needs TLS)"
    if !match.serverNames.isEmpty { error("\(path).server_names", onlyTLS) }
    if !match.transportProtocol.isEmpty { error("\(path).transport_protocol", onlyTLS) }
    if !match.applicationProtocols.isEmpty { error("\(path).application_protocols", onlyTLS) }
    refuse("\(path).address_suffix", if: !match.addressSuffix.isEmpty)
    refuse("\(path).suffix_len", if: match.hasSuffixLen)
    var criteria = Criteria()
    if match.hasDestinationPort {
      criteria.destinationPort = UInt16(truncatingIfNeeded: match.destinationPort.value)
    }
    criteria.destinationRanges = ranges(match.prefixRanges, "\(path).prefix_ranges")
    criteria.directSourceRanges = ranges(
      match.directSourcePrefixRanges, "\(path).direct_source_prefix_ranges")
    switch match.sourceType {
    case .any, .UNRECOGNIZED: criteria.sourceType = .any
    case .sameIpOrLoopback: criteria.sourceType = .sameHostOrLoopback
    case .external: criteria.sourceType = .external
    }
    criteria.sourceRanges = ranges(match.sourcePrefixRanges, "\(path).source_prefix_ranges")
    criteria.sourcePorts = match.sourcePorts.map { UInt16(truncatingIfNeeded: $0) }
    return criteria
  }
}

extension FilterChainMatcher.Criteria {
  /// Whether some connection is taken by both with the same precedence at every step.
  fileprivate func overlaps(_ other: Self) -> Bool {
    func share<Value: Hashable>(_ a: [Value], _ b: [Value]) -> Bool {
      if a.isEmpty || b.isEmpty { return a.isEmpty && b.isEmpty }
      if a.count == 1 { return b.contains(a[0]) }
      return b.count == 1 ? a.contains(b[0]) : !Set(a).isDisjoint(with: b)
    }
    return destinationPort == other.destinationPort && sourceType == other.sourceType
      && share(destinationRanges, other.destinationRanges)
      && share(directSourceRanges, other.directSourceRanges)
      && share(sourceRanges, other.sourceRanges) && share(sourcePorts, other.sourcePorts)
  }
}
