import Primitives

/// A ``FilterChainMatcher``'s tables as a worker reads them: no references, so that looking a chain
/// up counts and allocates nothing.
struct FilterChainLookup: @unchecked Sendable {
  // Sendable: the memory is written before another thread can see it.
  typealias Tables = FilterChainTables
  typealias Connection = FilterChainMatcher.Connection

  private let ports: UnsafeMutableBufferPointer<Tables.Port>
  private let destinations: UnsafeMutableBufferPointer<Tables.Destination>
  private let rules: UnsafeMutableBufferPointer<Tables.Rules>
  private let ranges: UnsafeMutableBufferPointer<AddressRange>
  private let sourcePorts: UnsafeMutableBufferPointer<UInt16>
  private let protocols: UnsafeMutableBufferPointer<FrozenText>
  private let defaultChain: Int?
  /// Set when the only chain takes everything.
  private let matchesAll: Bool

  /// - Parameter tables: Must outlive the look-up.
  init(_ tables: FilterChainTables, defaultChain: Int?, matchesAll: Bool) {
    ports = tables.ports.buffer
    destinations = tables.destinations.buffer
    rules = tables.rules.buffer
    ranges = tables.ranges.buffer
    sourcePorts = tables.sourcePorts.buffer
    protocols = tables.protocols.buffer
    self.defaultChain = defaultChain
    self.matchesAll = matchesAll
  }

  /// The index of the chain, or nil: close the connection.
  func match(_ connection: Connection) -> Int? {
    if matchesAll { return 0 }
    guard let destination = destination(of: connection) else { return defaultChain }
    let names = destinations[destination].names
    // Chains that are left after the server name differ in small things: each gets a rank, and the
    // highest is what one step after the other would have kept.
    var best = FilterChainRank.none
    var chosen: Int?
    for chain in names.find(connection.serverName).of(names.chains) {
      let rank = rank(of: rules[Int(chain)], for: connection)
      if rank.order > best.order {
        best = rank
        chosen = rank.isMatch ? Int(chain) : nil
      }
    }
    return chosen ?? defaultChain
  }

  // MARK: Destination

  private func destination(of connection: Connection) -> Int? {
    guard let port = port(connection.destinationPort) ?? port(0) else { return nil }
    let run = ports[port].destinations
    for index in Int(run.first)..<Int(run.first) + Int(run.count) {
      guard let range = destinations[index].range else { return index }
      if let address = connection.destination, range.contains(address) { return index }
    }
    return nil
  }

  private func port(_ wanted: UInt16) -> Int? {
    var (low, high) = (0, ports.count)
    while low < high {
      let middle = (low + high) / 2
      if ports[middle].port < wanted { low = middle + 1 } else { high = middle }
    }
    return low < ports.count && ports[low].port == wanted ? low : nil
  }

  // MARK: The steps behind the server name

  private func rank(of rules: Tables.Rules, for connection: Connection) -> FilterChainRank {
    var rank = FilterChainRank()
    rank.add(Self.transport(rules.transport, connection))
    rank.add(protocols(rules.protocols, connection.protocols))
    rank.add(specificity(rules.directSourceRanges, connection.directSource))
    rank.add(Self.sourceType(rules.sourceType, connection))
    rank.add(specificity(rules.sourceRanges, connection.source))
    rank.add(sourcePort(rules.sourcePorts, connection.sourcePort))
    return rank
  }

  private static func transport(
    _ wanted: FilterChainMatcher.Criteria.Transport, _ connection: Connection
  ) -> FilterChainRank.Step {
    switch wanted {
    case .any: .any
    case .plain: connection.isTLS ? .mismatch : .match()
    case .tls: connection.isTLS ? .match() : .mismatch
    }
  }

  /// The client's first protocol that a chain wants counts most. A thousand are more than any client
  /// offers; the rest of a longer list is not looked at.
  private func protocols(_ wanted: Tables.Run, _ offered: ByteView) -> FilterChainRank.Step {
    if wanted.count == 0 { return .any }
    var rest = offered
    var position = 0
    while position <= FilterChainRank.specificityMax, !rest.isEmpty, rest.count > Int(rest[0]) {
      let end = 1 + Int(rest[0])
      let name = rest.slice(from: 1, to: end)
      for each in Int(wanted.first)..<Int(wanted.first) + Int(wanted.count)
      where protocols[each].view == name {
        return .match(specificity: FilterChainRank.specificityMax - position)
      }
      rest = rest.dropFirst(end)
      position += 1
    }
    return .mismatch
  }

  /// Of the longest prefix that holds the address.
  private func specificity(_ wanted: Tables.Run, _ address: IPAddress?) -> FilterChainRank.Step {
    if wanted.count == 0 { return .any }
    guard let address else { return .mismatch }
    var longest = -1
    for range in wanted.of(ranges) where range.prefixLength > longest && range.contains(address) {
      longest = range.prefixLength
    }
    return longest < 0 ? .mismatch : .match(specificity: longest)
  }

  private static func sourceType(
    _ wanted: FilterChainMatcher.Criteria.SourceType, _ connection: Connection
  ) -> FilterChainRank.Step {
    switch wanted {
    case .any: .any
    case .sameHostOrLoopback: isLocal(connection) ? .match() : .mismatch
    case .external: isLocal(connection) ? .mismatch : .match()
    }
  }

  private static func isLocal(_ connection: Connection) -> Bool {
    guard let source = connection.source else { return true }
    return source.isLoopback || source == connection.destination
  }

  private func sourcePort(_ wanted: Tables.Run, _ port: UInt16) -> FilterChainRank.Step {
    if wanted.count == 0 { return .any }
    for each in wanted.of(sourcePorts) where each == port { return .match() }
    return .mismatch
  }
}
