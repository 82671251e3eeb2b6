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
      var others: Set<Int> = []
      for key in criteria.groups {
        others.formUnion(groups[key, default: []])
        groups[key, default: []].append(index)
      }
      if let other = others.filter({ criteria.overlaps(list[$0]) }).min() {
        error(place, "filter_chains[\(other)] matches the same connections")
      }
      list.append(criteria)
    }
    return list
  }

  private func criteria(
    _ match: Envoy_Config_Listener_V3_FilterChainMatch, _ path: String
  ) -> Criteria {
    refuse("\(path).address_suffix", if: !match.addressSuffix.isEmpty)
    refuse("\(path).suffix_len", if: match.hasSuffixLen)
    var criteria = Criteria()
    if match.hasDestinationPort {
      criteria.destinationPort = UInt16(truncatingIfNeeded: match.destinationPort.value)
    }
    criteria.destinationRanges = ranges(match.prefixRanges, "\(path).prefix_ranges")
    criteria.serverNames = match.serverNames.enumerated().map {
      serverName($0.element, "\(path).server_names[\($0.offset)]")
    }
    criteria.transport = transport(match.transportProtocol, "\(path).transport_protocol")
    criteria.protocols = match.applicationProtocols
    for (index, name) in criteria.protocols.enumerated() where !(1...255).contains(name.utf8.count) {
      error("\(path).application_protocols[\(index)]", "a protocol's name has 1 to 255 bytes")
    }
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

  private func transport(_ name: String, _ path: String) -> Criteria.Transport {
    switch name {
    case "": return .any
    case "raw_buffer": return .plain
    case "tls": return .tls
    default:
      error(path, "\"\(shown(name))\" is not a transport; \"tls\" and \"raw_buffer\" are")
      return .any
    }
  }

  /// In lower case, as names are looked up.
  private func serverName(_ name: String, _ path: String) -> String {
    let labels = name.hasPrefix("*.") ? name.dropFirst(2) : name[...]
    if name == "*" {
      error(path, "\"*\": a chain that takes every name gives no server_names")
    } else if labels.contains("*") {
      error(
        path,
        "\"\(shown(name))\": a wildcard stands for whole labels at the front (\"*.example.com\")")
    } else if labels.isEmpty || labels.hasPrefix(".") || labels.contains("..") || !labels.utf8.allSatisfy(Self.isNameByte) {
      error(path, "\"\(shown(name))\" is not a host name")
    }
    return name.lowercased()
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    ASCII.isAlpha(byte) || ASCII.isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      || byte == UInt8(ascii: ".")
  }
}

extension FilterChainMatcher.Criteria {
  /// Criteria that overlap have one of these in common, and with it what it tells: ten thousand
  /// chains that differ in their names are not compared each with each.
  fileprivate var groups: [Self] {
    var key = Self()
    key.destinationPort = destinationPort
    key.transport = transport
    key.sourceType = sourceType
    if serverNames.isEmpty { return [key] }
    return Set(serverNames).map { name in
      var key = key
      key.serverNames = [name]
      return key
    }
  }

  /// Whether some connection is taken by both with the same precedence at every step, when they
  /// have a group in common.
  fileprivate func overlaps(_ other: Self) -> Bool {
    func share<Value: Hashable>(_ a: [Value], _ b: [Value]) -> Bool {
      if a.isEmpty || b.isEmpty { return a.isEmpty && b.isEmpty }
      if a.count == 1 { return b.contains(a[0]) }
      return b.count == 1 ? a.contains(b[0]) : !Set(a).isDisjoint(with: b)
    }
    return share(destinationRanges, other.destinationRanges)
      && share(protocols, other.protocols)
      && share(directSourceRanges, other.directSourceRanges)
      && share(sourceRanges, other.sourceRanges) && share(sourcePorts, other.sourcePorts)
  }
}
