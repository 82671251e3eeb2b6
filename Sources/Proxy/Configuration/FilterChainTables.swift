import Primitives

/// The memory of a ``FilterChainMatcher``: its criteria by destination, by server name, and flat.
final class FilterChainTables: Sendable {
  /// A part of one of the lists below.
  struct Run {
    var first: UInt32
    var count: UInt32

    static let empty = Run(first: 0, count: 0)

    @inline(__always)
    func of<Element>(_ list: UnsafeMutableBufferPointer<Element>) -> Slice<UnsafeMutableBufferPointer<Element>> {
      list[Int(first)..<Int(first) + Int(count)]
    }
  }

  /// Destinations with the same port (0 = any), the longest prefix first.
  struct Port {
    var port: UInt16
    var destinations: Run
  }

  /// The chains that want the same port and the same range of addresses.
  struct Destination {
    /// nil = any address.
    var range: AddressRange?
    var names: ServerNameTable
  }

  /// What is looked at behind the server name, by chain.
  struct Rules {
    var transport: FilterChainMatcher.Criteria.Transport
    var sourceType: FilterChainMatcher.Criteria.SourceType
    var protocols: Run
    var directSourceRanges: Run
    var sourceRanges: Run
    var sourcePorts: Run
  }

  /// In ascending order.
  let ports: FrozenList<Port>
  let destinations: FrozenList<Destination>
  let rules: FrozenList<Rules>
  let ranges: FrozenList<AddressRange>
  let sourcePorts: FrozenList<UInt16>
  let protocols: FrozenList<FrozenText>
  /// Owns what the destinations' tables point to.
  private let names: [ServerNameTable.Storage]

  init(_ criteria: [FilterChainMatcher.Criteria]) {
    var ranges: [AddressRange] = []
    var sourcePorts: [UInt16] = []
    var protocols: [FrozenText] = []
    rules = FrozenList(
      criteria.map {
        Rules(
          transport: $0.transport, sourceType: $0.sourceType,
          protocols: Self.append($0.protocols.map { FrozenText($0) }, to: &protocols),
          directSourceRanges: Self.append($0.directSourceRanges, to: &ranges),
          sourceRanges: Self.append($0.sourceRanges, to: &ranges),
          sourcePorts: Self.append($0.sourcePorts, to: &sourcePorts))
      })
    self.ranges = FrozenList(ranges)
    self.sourcePorts = FrozenList(sourcePorts)
    self.protocols = FrozenList(protocols)

    var chains: [UInt16: [AddressRange?: [Int]]] = [:]
    for (index, each) in criteria.enumerated() {
      let wanted = each.destinationRanges.isEmpty ? [nil] : Set(each.destinationRanges.map { Optional($0) })
      for range in wanted { chains[each.destinationPort ?? 0, default: [:]][range, default: []].append(index) }
    }
    var destinations: [Destination] = []
    var names: [ServerNameTable.Storage] = []
    ports = FrozenList(
      chains.sorted { $0.key < $1.key }.map { port, byRange in
        let first = destinations.count
        for (range, indexes) in byRange.sorted(by: { Self.length($0.key) > Self.length($1.key) }) {
          let storage = ServerNameTable.Storage(indexes.map { ($0, criteria[$0].serverNames) })
          names.append(storage)
          destinations.append(Destination(range: range, names: storage.table))
        }
        return Port(
          port: port,
          destinations: Run(first: UInt32(first), count: UInt32(destinations.count - first)))
      })
    self.destinations = FrozenList(destinations)
    self.names = names
  }

  private static func append<Element>(_ elements: [Element], to list: inout [Element]) -> Run {
    defer { list += elements }
    return Run(first: UInt32(list.count), count: UInt32(elements.count))
  }

  /// Any address is less specific than a range that holds all.
  private static func length(_ range: AddressRange?) -> Int { range?.prefixLength ?? -1 }
}
