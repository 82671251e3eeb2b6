import Format
import HTTPCore
import Primitives

/// Finds the first matching route of one virtual host without trying them one by one.
///
/// Routes with a literal path are found by that path: the longest literal that the request's path
/// begins with leads to a chain of shorter ones. Each literal has the list of its routes in
/// order; the lists of a chain and the list of routes without a literal are merged in order,
/// up to the first route that is sure to match. The result equals trying all in order.
struct RouteIndex: BitwiseCopyable {
  private struct Node: BitwiseCopyable {
    var routes: UnsafePointer<Int32>
    var count: Int32
    /// The longest other literal that this one begins with and that longer paths may match, or -1.
    var parent: Int32
    /// The first route of the chain that its literal alone decides.
    var firstSure: Int32
    /// Nodes on the chain, this one included.
    var depth: Int32
  }

  private struct Cursor: BitwiseCopyable {
    var next: UnsafePointer<Int32>
    var remaining: Int32
  }

  /// Longer chains are rare; they are tried in order.
  private static let cursorsMax = 24

  private let exactCase: AffixTable
  private let anyCase: AffixTable
  private let nodes: UnsafePointer<Node>
  /// Routes without a literal path.
  private let others: UnsafePointer<Int32>
  private let otherCount: Int32
  private let first: Int32
  private let end: Int32

  /// The virtual host's routes.
  var range: Range<Int32> { first..<end }

  /// - Parameters:
  ///   - conditions: Of all routes of the table.
  ///   - range: Those of the virtual host.
  init(_ conditions: [RouteCondition], _ range: Range<Int>, memory: ConfigurationMemory) {
    first = Int32(range.lowerBound)
    end = Int32(range.upperBound)
    var lists: [Bool: [[UInt8]: [Int32]]] = [true: [:], false: [:]]
    var others: [Int32] = []
    for i in range {
      let condition = conditions[i]
      switch condition.pathKind {
      case .regex, .connect: others.append(Int32(i))
      case .prefix, .exact, .separatedPrefix:
        var key = condition.path.array
        if !condition.isCaseSensitive { key = key.map(ASCII.lowercase) }
        lists[condition.isCaseSensitive, default: [:]][key, default: []].append(Int32(i))
      }
    }
    var nodes: [Node] = []
    func table(_ isCaseSensitive: Bool) -> AffixTable {
      let byKey = lists[isCaseSensitive] ?? [:]
      var keys: [(key: [UInt8], value: Int32)] = []
      // In byte order, what a key begins with comes before it: a stack holds the open chain.
      var chain: [(key: [UInt8], node: Int32)] = []
      for key in byKey.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        while let last = chain.last, !key.starts(with: last.key) { chain.removeLast() }
        let routes = byKey[key] ?? []
        let parent = chain.last?.node ?? -1
        let sure = routes.first {
          let condition = conditions[Int($0)]
          return condition.pathKind == .prefix && condition.isPathOnly
        }
        let node = Int32(nodes.count)
        nodes.append(
          Node(
            routes: memory.store(routes), count: Int32(routes.count), parent: parent,
            firstSure: min(sure ?? .max, parent >= 0 ? nodes[Int(parent)].firstSure : .max),
            depth: parent >= 0 ? nodes[Int(parent)].depth + 1 : 1))
        keys.append((key, node))
        // A literal of whole paths only has nothing for longer paths.
        if routes.contains(where: { conditions[Int($0)].pathKind != .exact }) {
          chain.append((key, node))
        }
      }
      return AffixTable(keys, isSuffix: false, foldsCase: !isCaseSensitive, memory: memory)
    }
    exactCase = table(true)
    anyCase = table(false)
    self.nodes = memory.store(nodes)
    self.others = memory.store(others)
    otherCount = Int32(others.count)
  }

  /// - Parameter path: Without query and fragment; nil when the request has none.
  /// - Returns: The first matching route's number in the table, or -1.
  func firstMatch(
    _ conditions: UnsafePointer<RouteCondition>, path: ByteView?, query: ByteView?,
    isConnect: Bool, headers: UnsafePointer<HeaderMap>, random: UInt64, certificate: ClientCertificate
  ) -> Int32 {
    var deepest: Int32 = -1
    var deepestAnyCase: Int32 = -1
    var limit = Int32.max
    if let path {
      if !exactCase.isEmpty { deepest = exactCase.longest(in: path, lengthLimit: .max) }
      if !anyCase.isEmpty { deepestAnyCase = anyCase.longest(in: path, lengthLimit: .max) }
    }
    var needed = otherCount > 0 ? 1 : 0
    if deepest >= 0 {
      limit = nodes[Int(deepest)].firstSure
      needed += Int(nodes[Int(deepest)].depth)
    }
    if deepestAnyCase >= 0 {
      limit = min(limit, nodes[Int(deepestAnyCase)].firstSure)
      needed += Int(nodes[Int(deepestAnyCase)].depth)
    }
    func matches(_ route: Int32) -> Bool {
      let condition = conditions + Int(route)
      return condition.pointee.matchesPath(path, isConnect: isConnect)
        && condition.pointee.matchesRest(headers, query: query, random: random, certificate: certificate)
    }
    if needed > Self.cursorsMax {
      var route = first
      while route < end {
        if matches(route) { return route }
        route &+= 1
      }
      return -1
    }
    return withUnsafeTemporaryAllocation(of: Cursor.self, capacity: Self.cursorsMax) { room in
      guard let cursors = room.baseAddress else { return -1 }
      var count = 0
      func add(_ routes: UnsafePointer<Int32>, _ remaining: Int32) {
        guard remaining > 0, routes[0] < limit else { return }
        (cursors + count).initialize(to: Cursor(next: routes, remaining: remaining))
        count &+= 1
      }
      var node = deepest
      while node >= 0 {
        add(nodes[Int(node)].routes, nodes[Int(node)].count)
        node = nodes[Int(node)].parent
      }
      node = deepestAnyCase
      while node >= 0 {
        add(nodes[Int(node)].routes, nodes[Int(node)].count)
        node = nodes[Int(node)].parent
      }
      let literalCount = count
      add(others, otherCount)
      while true {
        var best = limit
        var from = -1
        for i in 0..<count where cursors[i].remaining > 0 && cursors[i].next[0] < best {
          best = cursors[i].next[0]
          from = i
        }
        if from < 0 { return limit == .max ? -1 : limit }
        cursors[from].next += 1
        cursors[from].remaining &-= 1
        if from < literalCount, let path {
          let condition = conditions + Int(best)
          if condition.pointee.matchesRestOfPath(path),
            condition.pointee.matchesRest(headers, query: query, random: random, certificate: certificate)
          {
            return best
          }
        } else if matches(best) {
          return best
        }
      }
    }
  }
}
