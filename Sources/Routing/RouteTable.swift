/// Route tables: which virtual host and route take a request, and what they change about it.
/// Knows no sockets, no clusters beyond their numbers and no configuration messages.
import Format
import HTTPCore
import Primitives
import RegularExpressions

/// A compiled route configuration. Immutable; shared by all workers, which use ``lookup``.
public final class RouteTable: @unchecked Sendable {
  // Sendable: everything is written in the initialiser and only read afterwards.
  private let owners: RouteTableCompiler.Owners
  /// All functions of the request path. Valid as long as the table.
  public let lookup: RouteLookup
  public let name: String
  public let virtualHostNames: [String]
  private let filterNumbers: [String: UInt32]

  /// - Throws: Everything that is wrong, each with its place.
  public init(
    compiling spec: RouteTableSpec, environment: FormatEnvironment = .process
  ) throws(RoutingErrors) {
    var compiler = RouteTableCompiler(spec, environment: environment)
    lookup = try compiler.compile()
    owners = compiler.owners
    filterNumbers = compiler.filterNumbers
    name = spec.name
    virtualHostNames = spec.virtualHosts.map(\.name)
  }

  /// The table's number of a filter with configuration anywhere in it; for
  /// ``RouteLookup/filterConfig(route:weightedCluster:filter:)``.
  public func filterNumber(_ filterName: String) -> UInt32? { filterNumbers[filterName] }
}

/// Where a request goes.
public struct RouteMatch: BitwiseCopyable, Sendable {
  public enum Outcome: UInt8, Sendable, BitwiseCopyable {
    case route
    /// Answer 301 to the same URL with https.
    case tlsRedirect
    case noVirtualHost
    case noRoute
  }

  public var outcome: Outcome
  /// Index, or -1.
  public var virtualHost: Int32
  /// Index, or -1.
  public var route: Int32
}

/// The request path's view of a ``RouteTable``: trivial, counts no references, allocates only in
/// the arena that it is given.
public struct RouteLookup: BitwiseCopyable, @unchecked Sendable {
  // Sendable: points to memory that is read-only after configuration.
  let domains: DomainTable
  let ignoresPortInHost: Bool
  let virtualHosts: UnsafePointer<VirtualHostEntry>
  public let virtualHostCount: Int
  let routes: UnsafePointer<RouteEntry>
  public let routeCount: Int
  let conditions: UnsafePointer<RouteCondition>
  let weightedClusters: UnsafePointer<WeightedCluster>
  let virtualClusters: UnsafePointer<VirtualClusterEntry>
  let mutations: UnsafePointer<HeaderMutationProgram>
  let filterConfigs: UnsafePointer<FilterConfigEntry>

  /// - Parameter index: A virtual host of a ``RouteMatch``, or any below `virtualHostCount`.
  public func virtualHost(_ index: Int32) -> UnsafePointer<VirtualHostEntry> {
    precondition(index >= 0 && index < virtualHostCount)
    return virtualHosts + Int(index)
  }

  /// - Parameter index: A route of a ``RouteMatch``, or any below `routeCount`.
  public func route(_ index: Int32) -> UnsafePointer<RouteEntry> {
    precondition(index >= 0 && index < routeCount)
    return routes + Int(index)
  }

  /// - Parameters:
  ///   - host: `:authority`; nil when the request has none.
  ///   - path: `:path` with query; nil when the request has none (CONNECT).
  ///   - random: A value that stays the same for the stream.
  ///   - certificate: What the client has shown.
  ///   - isInternal: Whether the request comes from inside, for `require_tls: EXTERNAL_ONLY`.
  public func match(
    host: ByteView?, path: ByteView?, headers: UnsafePointer<HeaderMap>, random: UInt64,
    isInternal: Bool = false, certificate: ClientCertificate = [], arena: inout Arena
  ) -> RouteMatch {
    var name = host ?? .empty
    if ignoresPortInHost, let port = name.portStart { name = name.prefix(port) }
    let found = domains.find(name, arena: &arena)
    guard found >= 0 else {
      return RouteMatch(outcome: .noVirtualHost, virtualHost: -1, route: -1)
    }
    let virtualHost = virtualHosts + Int(found)
    if virtualHost.pointee.requireTLS != .none {
      guard let scheme = headers.pointee.value(.xForwardedProto) else {
        return RouteMatch(outcome: .noRoute, virtualHost: found, route: -1)
      }
      if !scheme.equalsIgnoringCase("https"),
        virtualHost.pointee.requireTLS == .all || !isInternal
      {
        return RouteMatch(outcome: .tlsRedirect, virtualHost: found, route: -1)
      }
    }
    let isConnect = headers.pointee.value(.method).map { $0 == "CONNECT" } ?? false
    var bare = path
    var query: ByteView?
    if let path {
      let parts = path.splitTarget
      bare = parts.path
      query = parts.query
    }
    let route = virtualHost.pointee.index.firstMatch(
      conditions, path: bare, query: query, isConnect: isConnect, headers: headers,
      random: random, certificate: certificate)
    return RouteMatch(
      outcome: route >= 0 ? .route : .noRoute, virtualHost: found, route: route)
  }

  /// The chosen cluster of a weighted route, as an index for ``weightedCluster(_:)``.
  ///
  /// - Parameters:
  ///   - random: The stream's random value, or a hash that replaces it.
  ///   - headers: The request's, for a route that is selected by a header's number.
  /// - Returns: -1 when the route is not weighted.
  public func chooseWeightedCluster(
    route: Int32, random: UInt64, headers: UnsafePointer<HeaderMap>
  ) -> Int32 {
    let entry = self.route(route)
    guard case .weighted(let first, let count, let total) = entry.pointee.target, total > 0 else {
      return -1
    }
    var value = random
    if !entry.pointee.selectionHeader.isEmpty,
      let number = headers.pointee.value(
        name: entry.pointee.selectionHeader, known: entry.pointee.selectionHeaderKnown)?
        .decimal(limit: .max)
    {
      value = number
    }
    value %= total
    for i in first..<(first + count) where value < weightedClusters[Int(i)].weightEnd {
      return Int32(i)
    }
    return -1
  }

  /// - Parameter index: From ``chooseWeightedCluster(route:random:headers:)``.
  public func weightedCluster(_ index: Int32) -> UnsafePointer<WeightedCluster> {
    precondition(index >= 0)
    return weightedClusters + Int(index)
  }

  /// The first virtual cluster whose matchers all hold: its index within the table, or -1 for the
  /// catch-all `other` (also when the virtual host has none at all).
  public func virtualCluster(
    virtualHost: Int32, headers: UnsafePointer<HeaderMap>
  ) -> Int32 {
    let host = self.virtualHost(virtualHost)
    let first = Int(host.pointee.firstVirtualCluster)
    next: for i in first..<(first + Int(host.pointee.virtualClusterCount)) {
      let entry = virtualClusters[i]
      for j in 0..<entry.headerCount where !entry.headers[j].matches(headers) { continue next }
      return Int32(i)
    }
    return -1
  }

  /// - Parameter index: From ``virtualCluster(virtualHost:headers:)``, not -1.
  public func virtualClusterName(_ index: Int32) -> ByteView {
    precondition(index >= 0)
    return virtualClusters[Int(index)].name
  }

  /// The most specific configuration of a filter: weighted cluster, route, virtual host, table.
  ///
  /// - Parameters:
  ///   - weightedCluster: Or -1.
  ///   - filter: ``RouteTable/filterNumber(_:)``.
  /// - Returns: The slot given in the specification.
  public func filterConfig(route: Int32, weightedCluster: Int32 = -1, filter: UInt32) -> UInt32? {
    let range =
      weightedCluster >= 0
      ? weightedClusters[Int(weightedCluster)].filterConfigs
      : self.route(route).pointee.filterConfigs
    for i in Int(range.first)..<Int(range.first + range.count)
    where filterConfigs[i].filter == filter {
      return filterConfigs[i].slot
    }
    return nil
  }

  /// Applies `request_headers_to_add` and `..._to_remove` of all levels in their order.
  public func mutateRequest(
    route: Int32, weightedCluster: Int32 = -1, headers: UnsafeMutablePointer<HeaderMap>,
    arena: UnsafeMutablePointer<Arena>, context: borrowing FormatContext
  ) {
    let range =
      weightedCluster >= 0
      ? weightedClusters[Int(weightedCluster)].requestMutations
      : self.route(route).pointee.requestMutations
    mutate(range, headers, arena, context)
  }

  /// The same for responses.
  public func mutateResponse(
    route: Int32, weightedCluster: Int32 = -1, headers: UnsafeMutablePointer<HeaderMap>,
    arena: UnsafeMutablePointer<Arena>, context: borrowing FormatContext
  ) {
    let range =
      weightedCluster >= 0
      ? weightedClusters[Int(weightedCluster)].responseMutations
      : self.route(route).pointee.responseMutations
    mutate(range, headers, arena, context)
  }

  private func mutate(
    _ range: RouteEntry.LevelRange, _ headers: UnsafeMutablePointer<HeaderMap>,
    _ arena: UnsafeMutablePointer<Arena>, _ context: borrowing FormatContext
  ) {
    for i in Int(range.first)..<Int(range.first + range.count) {
      mutations[i].apply(to: headers, arena: arena, context: context)
    }
  }
}

extension ByteView {
  /// Path and query of a request target; a fragment belongs to neither.
  public var splitTarget: (path: ByteView, query: ByteView?) {
    var i = 0
    while i < count {
      let byte = base[i]
      if byte == UInt8(ascii: "?") { return (prefix(i), dropFirst(i &+ 1)) }
      if byte == UInt8(ascii: "#") { return (prefix(i), nil) }
      i &+= 1
    }
    return (self, nil)
  }
}
