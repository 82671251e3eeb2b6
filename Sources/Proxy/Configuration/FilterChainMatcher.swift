import Primitives

/// Chooses a listener's filter chain for a connection, most specific first, one criterion after
/// the other and without backtracking (Envoy's `FilterChainMatch`).
public struct FilterChainMatcher: Sendable {
  public struct Criteria: Sendable, Equatable, Hashable {
    public enum SourceType: Sendable { case any, sameHostOrLoopback, external }

    public var destinationPort: UInt16?
    public var destinationRanges: [AddressRange] = []
    public var directSourceRanges: [AddressRange] = []
    public var sourceType = SourceType.any
    public var sourceRanges: [AddressRange] = []
    public var sourcePorts: [UInt16] = []
    public init() {}
  }

  /// What is known of a connection when its chain is chosen.
  public struct Connection: Sendable {
    public var destination: IPAddress?
    public var destinationPort: UInt16
    /// The client's address (PROXY protocol respected) and the peer's own.
    public var source: IPAddress?
    public var sourcePort: UInt16
    public var directSource: IPAddress?

    public init(
      destination: IPAddress?, destinationPort: UInt16, source: IPAddress?, sourcePort: UInt16,
      directSource: IPAddress?
    ) {
      self.destination = destination
      self.destinationPort = destinationPort
      self.source = source
      self.sourcePort = sourcePort
      self.directSource = directSource
    }
  }

  /// By chain.
  private let criteria: [Criteria]
  private let defaultChain: Int?
  /// Set when the first chain takes everything.
  private let matchesAll: Bool

  /// - Parameter defaultChain: Index into the listener's chains, or nil to close what matches none.
  public init(criteria: [Criteria], defaultChain: Int?) {
    self.criteria = criteria
    self.defaultChain = defaultChain
    self.matchesAll = criteria.count == 1 && criteria[0] == Criteria()
  }

  /// Whether a look-up needs the connection's destination address.
  public var needsDestination: Bool {
    criteria.contains {
      $0.destinationPort != nil || !$0.destinationRanges.isEmpty
        || $0.sourceType != .any
    }
  }

  /// The index of the chain, or nil: close the connection.
  public func match(_ connection: Connection) -> Int? {
    if matchesAll { return 0 }
    var left = Array(criteria.indices)
    narrow(&left) { criteria in
      guard let port = criteria.destinationPort else { return 0 }
      return port == connection.destinationPort ? 1 : nil
    }
    narrow(&left) { Self.specificity($0.destinationRanges, connection.destination) }
    narrow(&left) { Self.specificity($0.directSourceRanges, connection.directSource) }
    narrow(&left) { criteria in
      switch criteria.sourceType {
      case .any: 0
      case .sameHostOrLoopback: Self.isLocal(connection) ? 1 : nil
      case .external: Self.isLocal(connection) ? nil : 1
      }
    }
    narrow(&left) { Self.specificity($0.sourceRanges, connection.source) }
    narrow(&left) { criteria in
      if criteria.sourcePorts.isEmpty { return 0 }
      return criteria.sourcePorts.contains(connection.sourcePort) ? 1 : nil
    }
    return left.first ?? defaultChain
  }

  /// Keeps the candidates with the highest rank; nil = does not match.
  private func narrow(_ left: inout [Int], _ rank: (Criteria) -> Int?) {
    var best = -1
    var kept: [Int] = []
    for index in left {
      guard let value = rank(criteria[index]) else { continue }
      if value > best {
        best = value
        kept = [index]
      } else if value == best {
        kept.append(index)
      }
    }
    left = kept
  }

  /// 0 for no ranges, else 1 + the longest prefix that holds the address; nil when none does.
  private static func specificity(_ ranges: [AddressRange], _ address: IPAddress?) -> Int? {
    if ranges.isEmpty { return 0 }
    guard let address else { return nil }
    return ranges.lazy.filter { $0.contains(address) }.map { $0.prefixLength + 1 }.max()
  }

  private static func isLocal(_ connection: Connection) -> Bool {
    guard let source = connection.source else { return true }
    return source.isLoopback || source == connection.destination
  }
}
