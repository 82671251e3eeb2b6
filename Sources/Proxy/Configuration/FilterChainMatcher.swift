import Primitives

/// Chooses a listener's filter chain for a connection, most specific first, one criterion after
/// the other and without backtracking (Envoy's `FilterChainMatch`).
public struct FilterChainMatcher: Sendable {
  /// What one chain wants of a connection, in the order in which it is looked at.
  public struct Criteria: Sendable, Equatable, Hashable {
    public enum Transport: Sendable { case any, plain, tls }
    public enum SourceType: Sendable { case any, sameHostOrLoopback, external }

    public var destinationPort: UInt16?
    public var destinationRanges: [AddressRange] = []
    /// In lower case: a name, or `*.` and a suffix that stands behind one or more labels.
    public var serverNames: [String] = []
    public var transport = Transport.any
    /// Of ALPN.
    public var protocols: [String] = []
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
    /// Asked for in a ClientHello, in lower case; empty without one.
    public var serverName = ByteView.empty
    public var isTLS = false
    /// Offered in a ClientHello, as it writes them: each behind a byte with its length.
    public var protocols = ByteView.empty

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

  /// By chain, for people who ask why.
  public let criteria: [Criteria]
  /// Whether a look-up needs the connection's destination address.
  public let needsDestination: Bool
  /// Plain memory: a worker reads it through a pointer and counts no reference.
  let lookup: FilterChainLookup
  private let tables: FilterChainTables

  /// - Parameter defaultChain: Index into the listener's chains, or nil to close what matches none.
  public init(criteria: [Criteria], defaultChain: Int?) {
    self.criteria = criteria
    tables = FilterChainTables(criteria)
    needsDestination = criteria.contains {
      $0.destinationPort != nil || !$0.destinationRanges.isEmpty
        || $0.sourceType != .any
    }
    lookup = FilterChainLookup(
      tables, defaultChain: defaultChain,
      matchesAll: criteria.count == 1 && criteria[0] == Criteria())
  }

  /// The index of the chain, or nil: close the connection.
  public func match(_ connection: Connection) -> Int? { lookup.match(connection) }
}
