import Primitives

@testable import Proxy

/// The rules for choosing a filter chain, read step by step: at each step the chains with the most
/// specific criterion that matches stay, the others go for good.
enum LiteralChainChoice {
  typealias Criteria = FilterChainMatcher.Criteria

  struct Client: CustomStringConvertible {
    var destination: IPAddress?
    var port: UInt16
    var name: String
    var isTLS: Bool
    var protocols: [String]
    var direct: IPAddress?
    var source: IPAddress?
    var sourcePort: UInt16

    var connection: FilterChainMatcher.Connection {
      var connection = FilterChainMatcher.Connection(
        destination: destination, destinationPort: port, source: source, sourcePort: sourcePort,
        directSource: direct)
      connection.serverName = FrozenText.forever(name).view
      connection.isTLS = isTLS
      let wire = protocols.map { "\(Character(UnicodeScalar(UInt8($0.utf8.count))))\($0)" }.joined()
      connection.protocols = FrozenText.forever(wire).view
      return connection
    }

    var description: String {
      "\(String(describing: destination)):\(port) \"\(name)\" tls \(isTLS) \(protocols) via "
        + "\(String(describing: direct)) from \(String(describing: source)):\(sourcePort)"
    }
  }

  static func choose(_ chains: [Criteria], _ client: Client) -> Int? {
    let steps: [(Criteria) -> Int?] = [
      { one($0.destinationPort.map { [$0] } ?? []) { $0 == client.port ? 1 : nil } },
      { one($0.destinationRanges) { prefix($0, client.destination) } },
      { one($0.serverNames) { name($0, client.name) } },
      {
        one($0.transport == .any ? [] : [$0.transport]) { ($0 == .tls) == client.isTLS ? 1 : nil }
      },
      { one($0.protocols) { client.protocols.firstIndex(of: $0).map { 1000 - $0 } } },
      { one($0.directSourceRanges) { prefix($0, client.direct) } },
      { one($0.sourceType == .any ? [] : [$0.sourceType]) { isLocal(client) == ($0 == .sameHostOrLoopback) ? 1 : nil } },
      { one($0.sourceRanges) { prefix($0, client.source) } },
      { one($0.sourcePorts) { $0 == client.sourcePort ? 1 : nil } },
    ]
    var left = Array(chains.indices)
    for step in steps {
      let ranks = left.map { step(chains[$0]) }
      guard let best = ranks.compactMap({ $0 }).max() else { return nil }
      left = zip(left, ranks).filter { $0.1 == best }.map(\.0)
    }
    return left.first
  }

  /// The best of a list's values; 0 when the list is empty, which is the least that matches.
  private static func one<Value>(_ values: [Value], _ rank: (Value) -> Int?) -> Int? {
    values.isEmpty ? 0 : values.compactMap(rank).max()
  }

  private static func prefix(_ range: AddressRange, _ address: IPAddress?) -> Int? {
    guard let address, range.contains(address) else { return nil }
    return range.prefixLength + 1
  }

  private static func name(_ wanted: String, _ given: String) -> Int? {
    if wanted == given { return 1000 }
    guard wanted.hasPrefix("*."), given.hasSuffix(wanted.dropFirst()) else { return nil }
    return given.count >= wanted.count ? wanted.count : nil
  }

  private static func isLocal(_ client: Client) -> Bool {
    guard let source = client.source else { return true }
    return source == client.destination || ["127.0.0.1", "::1"].contains { IPAddress($0) == source }
  }
}

// MARK: Random input

extension LiteralChainChoice {
  private static let addresses = ["10.0.0.1", "10.1.0.1", "10.1.1.1", "127.0.0.1", "fd00::1", "::1"]
  private static let ranges: [(String, Int)] = [
    ("0.0.0.0", 0), ("10.0.0.0", 8), ("10.1.0.0", 16), ("10.1.1.1", 32), ("::", 0), ("fd00::", 8),
    ("fd00::1", 128),
  ]
  private static let names = ["a", "b.a", "c.b.a", "b.b.a", "d.c.b.a", "b", "a.b"]
  private static let suffixes = ["*.a", "*.b.a", "*.c.b.a", "*.b"]
  private static let protocols = ["h2", "http/1.1", "x"]

  static func randomCriteria(_ random: inout FastRandom) -> Criteria {
    var criteria = Criteria()
    // Few criteria at once, or nothing would match.
    let bits = random.next() & random.next()
    func has(_ bit: UInt64) -> Bool { bits >> bit & 1 == 1 }
    if has(0) { criteria.destinationPort = Bool.random(using: &random) ? 80 : 81 }
    if has(1) { criteria.destinationRanges = someRanges(&random) }
    if has(2) { criteria.serverNames = some(of: names + suffixes, upTo: 3, &random) }
    if has(3) { criteria.transport = Bool.random(using: &random) ? .tls : .plain }
    if has(4) { criteria.protocols = some(of: protocols, upTo: 2, &random) }
    if has(5) { criteria.directSourceRanges = someRanges(&random) }
    if has(6) { criteria.sourceType = Bool.random(using: &random) ? .external : .sameHostOrLoopback }
    if has(7) { criteria.sourceRanges = someRanges(&random) }
    if has(8) { criteria.sourcePorts = some(of: [1, 2, 3], upTo: 2, &random) }
    return criteria
  }

  static func randomClient(_ random: inout FastRandom) -> Client {
    Client(
      destination: address(&random), port: Bool.random(using: &random) ? 80 : 81,
      name: (names + [""]).randomElement(using: &random) ?? "", isTLS: .random(using: &random),
      protocols: Array(protocols.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random))),
      direct: address(&random), source: address(&random),
      sourcePort: UInt16.random(in: 1...3, using: &random))
  }

  private static func address(_ random: inout FastRandom) -> IPAddress? {
    if Int.random(in: 0..<10, using: &random) == 0 { return nil }
    return addresses.randomElement(using: &random).flatMap { IPAddress($0) }
  }

  private static func someRanges(_ random: inout FastRandom) -> [AddressRange] {
    some(of: ranges, upTo: 3, &random).compactMap { text, length in
      IPAddress(text).flatMap { AddressRange($0, prefixLength: length) }
    }
  }

  private static func some<Element>(
    of list: [Element], upTo most: Int, _ random: inout FastRandom
  ) -> [Element] {
    Array(list.shuffled(using: &random).prefix(Int.random(in: 1...most, using: &random)))
  }
}

extension FrozenText {
  /// Text that outlives the test.
  static func forever(_ text: String) -> FrozenText {
    let frozen = FrozenText(text)
    _ = Unmanaged.passRetained(Keeper(frozen))
    return frozen
  }

  private final class Keeper {
    let text: FrozenText
    init(_ text: FrozenText) { self.text = text }
  }
}
