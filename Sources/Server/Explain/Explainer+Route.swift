import ConfigLoader
import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing
import SwiftProtobuf

/// Virtual host, route, and what the route says.
extension Explainer {
  /// The request as filters and routes see it. Owns its memory.
  private final class Fields {
    private let pool = ArenaPool()
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    let map = UnsafeMutablePointer<HeaderMap>.allocate(capacity: 1)

    init() {
      arena.initialize(to: Arena(pool: pool))
      map.initialize(to: HeaderMap(arena: arena))
    }

    func copy(_ text: String) -> ByteView {
      let text = FrozenText(text)
      return withExtendedLifetime(text) { arena.pointee.copy(text.view) }
    }

    deinit {
      map.deinitialize(count: 1)
      map.deallocate()
      arena.pointee.reset()
      arena.deinitialize(count: 1)
      arena.deallocate()
    }
  }

  func explainHTTP(
    _ request: ExplainedRequest, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>, _ chain: Int, _ chainPath: String,
    _ listener: Listener, _ explanation: inout Explanation
  ) {
    let slot = Int(manager.pointee.routeTable)
    guard slot < snapshot.routeTables.buffer.count, let frozen = snapshot.routeTables.buffer[slot],
      let (proto, path) = connectionManager(chain, chainPath, listener)
    else {
      explanation.outcome = .failed("the listener has no route table")
      return
    }
    let fields = Fields()
    explainHTTP(
      request, HTTPPlace(manager: manager, listener: listener, table: frozen.pointer, proto: proto, path: path), fields,
      &explanation)
    withExtendedLifetime(fields) {}
  }

  private struct HTTPPlace {
    let manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
    let listener: Listener
    let table: UnsafeMutablePointer<RouteTableConfig>
    let proto: RoutedRequest.Manager
    /// Of the connection manager's settings.
    let path: String
  }

  private func explainHTTP(
    _ request: ExplainedRequest, _ at: HTTPPlace, _ fields: Fields, _ explanation: inout Explanation
  ) {
    guard case .path(let path) = prepare(request, at.manager, at.listener, fields, &explanation) else { return }
    let lookup = at.table.pointee.table.lookup
    let match = lookup.match(
      host: fields.map.pointee.value(.authority), path: path, headers: fields.map, random: request.random,
      isInternal: isInternal(request, at.manager), arena: &fields.arena.pointee)
    var routed = RoutedRequest(
      request: request, manager: at.manager, proto: at.proto, path: at.path, table: at.table, headers: fields.map,
      arena: fields.arena)
    // Filters see requests that no route takes, too.
    routed.route = route(match, path, routed, fields, &explanation)
    if let weighted = chooseWeighted(routed) {
      routed.route?.weighted = weighted.number
      routed.route?.weightedIndex = weighted.index
    }
    guard let chain = explainUpgrade(routed, &explanation), explainFilters(routed, chain, &explanation),
      let route = routed.route
    else { return }
    // As the filters have left it.
    let target = fields.map.pointee.value(.path)
    switch route.proto.action {
    case .redirect:
      let location = lookup.redirectLocation(
        route: match.route, scheme: request.isTLS ? ByteView("https") : ByteView("http"),
        host: fields.map.pointee.value(.authority) ?? .empty, path: target ?? .empty, arena: &fields.arena.pointee)
      explanation.outcome = .answered("\(lookup.route(match.route).pointee.status), location: \(location.string)")
    case .directResponse(let direct): explanation.outcome = .answered("status \(direct.status) (direct_response)")
    case .route(let action): explainForward(action, route, routed, target, &explanation)
    case nil: explanation.outcome = .failed("the route has no action")
    }
  }

  /// Virtual host and route; nil: none, or the virtual host sends the client to TLS.
  private func route(
    _ match: RouteMatch, _ path: ByteView?, _ at: RoutedRequest, _ fields: Fields, _ explanation: inout Explanation
  ) -> RoutedRequest.Route? {
    let table = at.proto.routeConfig
    guard explainVirtualHost(match, table, "\(at.path).route_config", fields, &explanation) else { return nil }
    let host = table.virtualHosts[Int(match.virtualHost)]
    let hostPath = "\(at.path).route_config.virtual_hosts[\(match.virtualHost)]"
    guard let index = explainRoute(match, at.table.pointee.table.lookup, host, hostPath, path, at.request, fields, &explanation)
    else { return nil }
    return RoutedRequest.Route(
      number: match.route, proto: host.routes[index], path: "\(hostPath).routes[\(index)]", host: host, hostPath: hostPath)
  }

  private func connectionManager(_ chain: Int, _ chainPath: String, _ listener: Listener) -> (RoutedRequest.Manager, String)? {
    let proto = chain < listener.proto.filterChains.count ? listener.proto.filterChains[chain] : listener.proto.defaultFilterChain
    for (index, filter) in proto.filters.enumerated() {
      guard let manager = filter.typedConfig.unpacked(as: RoutedRequest.Manager.self) else { continue }
      return (manager, "\(chainPath).filters[\(index)].typed_config")
    }
    return nil
  }

  // MARK: The request

  private enum Prepared {
    /// Nil of CONNECT.
    case path(ByteView?)
    /// The manager answers by itself.
    case ended
  }

  /// Puts the request together as it is after the manager's own rules.
  private func prepare(
    _ request: ExplainedRequest, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>, _ listener: Listener,
    _ fields: Fields, _ explanation: inout Explanation
  ) -> Prepared {
    fields.map.pointee.append(.method, fields.copy(request.method))
    fields.map.pointee.append(.scheme, fields.copy(request.scheme))
    let port: UInt16 = if case .ip(_, let port) = listener.address { port } else { 0 }
    let authority = manager.pointee.hostRules.apply(fields.copy(request.authority), localPort: port, arena: &fields.arena.pointee)
    fields.map.pointee.append(.authority, authority)
    for header in request.headers {
      let name = fields.copy(header.name)
      fields.map.pointee.append(name: name, value: fields.copy(header.value), known: KnownHeaderTable.shared.find(name))
    }
    if isInternal(request, manager) {
      fields.map.pointee.set(.envoyInternal, ByteView("true"))
    } else {
      fields.map.pointee.remove(.envoyInternal)
      for known in ExternalHeaders.removed.buffer { fields.map.pointee.remove(known) }
      if manager.pointee.useRemoteAddress {
        for known in ExternalHeaders.removedAtEdge.buffer { fields.map.pointee.remove(known) }
      }
    }
    let isTrusted = !manager.pointee.useRemoteAddress && fields.map.pointee.value(.xForwardedProto) != nil
    if !isTrusted { fields.map.pointee.set(.xForwardedProto, fields.copy(request.scheme)) }
    if request.method == "CONNECT" { return .path(nil) }
    switch manager.pointee.pathRules.apply(fields.copy(request.target), arena: &fields.arena.pointee) {
    case .path(let path):
      fields.map.pointee.append(.path, path)
      if path.string != request.target {
        var step = Explanation.Step(name: "path")
        step.add("", "\(path.string) after normalization")
        explanation.steps.append(step)
      }
      return .path(path)
    case .redirect(let location):
      explanation.outcome = .answered("307, location: \(location.string) (path normalization)")
      return .ended
    case .reject:
      explanation.outcome = .failed("400: the path cannot be normalized")
      return .ended
    }
  }

  private func isInternal(
    _ request: ExplainedRequest, _ manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  ) -> Bool {
    let forwarded = request.headers.first { $0.name == "x-forwarded-for" }?.value
    let client: IPAddress?
    if manager.pointee.useRemoteAddress {
      client = forwarded == nil ? request.source : nil
    } else {
      client = forwarded.flatMap { $0.contains(",") ? nil : IPAddress($0) }
    }
    guard let client else { return false }
    return manager.pointee.internalRanges.buffer.contains { $0.contains(client) }
  }

  // MARK: Virtual host

  private func explainVirtualHost(
    _ match: RouteMatch, _ proto: Envoy_Config_Route_V3_RouteConfiguration, _ path: String, _ fields: Fields,
    _ explanation: inout Explanation
  ) -> Bool {
    var step = Explanation.Step(name: "host")
    for (index, host) in proto.virtualHosts.enumerated().prefix(Self.rejectionsMax) where index != Int(match.virtualHost) {
      step.rejected.append(
        Explanation.Rejection(
          what: "virtual host \"\(host.name)\"", why: "domains \(host.domains.joined(separator: ", "))",
          place: place("\(path).virtual_hosts[\(index)]")))
    }
    guard match.virtualHost >= 0, Int(match.virtualHost) < proto.virtualHosts.count else {
      explanation.steps.append(step)
      explanation.outcome = .failed("404: no virtual host has the domain \(fields.map.pointee.value(.authority)?.string ?? "")")
      return false
    }
    let host = proto.virtualHosts[Int(match.virtualHost)]
    step.taken = Explanation.Part(
      text: "virtual host \"\(host.name)\", domains \(host.domains.joined(separator: ", "))",
      place: place("\(path).virtual_hosts[\(match.virtualHost)]"))
    explanation.steps.append(step)
    if match.outcome == .tlsRedirect {
      explanation.outcome = .answered("301 to https (require_tls)")
      return false
    }
    return true
  }

  // MARK: Route

  /// The route's index in its virtual host.
  private func explainRoute(
    _ match: RouteMatch, _ lookup: RouteLookup, _ host: Envoy_Config_Route_V3_VirtualHost, _ path: String, _ target: ByteView?,
    _ request: ExplainedRequest, _ fields: Fields, _ explanation: inout Explanation
  ) -> Int? {
    var step = Explanation.Step(name: "route")
    let range = lookup.routes(ofVirtualHost: match.virtualHost)
    let end = match.route >= 0 ? match.route : range.upperBound
    for number in range.lowerBound..<end {
      let index = Int(number - range.lowerBound)
      guard index < host.routes.count else { break }
      if step.rejected.count == Self.rejectionsMax {
        step.rejected.append(
          Explanation.Rejection(what: "\(Int(end - number)) more", why: "they do not match either", place: nil))
        break
      }
      let mismatch = lookup.mismatch(route: number, path: target, headers: fields.map, random: request.random)
      step.rejected.append(
        Explanation.Rejection(
          what: Self.shown(host.routes[index], index),
          why: mismatch.map { Self.sentence($0, host.routes[index].match, target, fields.map) } ?? "require_tls comes first",
          place: place("\(path).routes[\(index)]")))
    }
    let index = Int(match.route - range.lowerBound)
    guard match.route >= 0, index < host.routes.count else {
      explanation.steps.append(step)
      explanation.outcome = .failed("404: no route of the virtual host matches")
      return nil
    }
    step.taken = Explanation.Part(
      text: "\(Self.shown(host.routes[index], index)) \(Self.wanted(host.routes[index].match))",
      place: place("\(path).routes[\(index)]"))
    explanation.steps.append(step)
    return index
  }

  private static func shown(_ route: Envoy_Config_Route_V3_Route, _ index: Int) -> String {
    "routes[\(index)]" + (route.name.isEmpty ? "" : " \"\(route.name)\"")
  }

  private static func wanted(_ match: Envoy_Config_Route_V3_RouteMatch) -> String {
    switch match.pathSpecifier {
    case .prefix(let text): "prefix \(text)"
    case .path(let text): "path \(text)"
    case .safeRegex(let regex): "regex \(regex.regex)"
    case .pathSeparatedPrefix(let text): "path_separated_prefix \(text)"
    case .connectMatcher: "CONNECT"
    case nil: "prefix /"
    }
  }

  private static func sentence(
    _ mismatch: RouteMismatch, _ match: Envoy_Config_Route_V3_RouteMatch, _ path: ByteView?, _ headers: UnsafeMutablePointer<HeaderMap>
  ) -> String {
    switch mismatch {
    case .path: return "\(wanted(match)) is not \(path.map(\.splitTarget.path.string) ?? "CONNECT")"
    case .certificate: return "tls_context: the client shows no certificate, or not the one that is wanted"
    case .fraction(let fraction):
      return "runtime_fraction \(fraction.numerator) of \(fraction.denominator): the random value is not in it (--random says another)"
    case .grpc: return "grpc: content-type is not application/grpc"
    case .header(let index):
      guard match.headers.indices.contains(index) else { return "a header" }
      let header = match.headers[index]
      return HeaderSentences.mismatch(header, headers)
    case .queryParameter(let index):
      guard match.queryParameters.indices.contains(index) else { return "a query parameter" }
      return "query parameter \(match.queryParameters[index].name) is not as wanted"
    }
  }
}
