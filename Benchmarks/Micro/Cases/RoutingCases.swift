import Format
import HTTPCore
import Primitives
import Routing

let routingCases: [MicroCase] = [
  MicroCase("route-prefix-of-10") { try matching(count: 10) { .prefix("/service-\($0)/") } },
  MicroCase("route-prefix-of-10000") { try matching(count: 10_000) { .prefix("/service-\($0)/") } },
  MicroCase("route-exact-of-10000") { try matching(count: 10_000) { .exact("/service-\($0)/call") } },
  MicroCase("route-host-of-10000") { try matchingHosts(count: 10_000, domain: { "s\($0).example.com" }) },
  MicroCase("route-wildcard-host-of-10000") {
    try matchingHosts(count: 10_000, domain: { "*.s\($0).example.com" })
  },
  MicroCase("path-normalise") { normalising() },
]

/// A request as the route table sees it.
private struct Request {
  var host: ByteView
  var path: ByteView
  var headers: UnsafeMutablePointer<HeaderMap>

  init(host: String, path: String) {
    self.host = lasting(host)
    self.path = lasting(path)
    headers = lastingMap([(":method", "GET"), (":authority", host), (":path", path)])
  }
}

private func route(_ path: RouteMatchSpec.Path) -> RouteSpec {
  RouteSpec(match: RouteMatchSpec(path: path), action: .route(ForwardSpec(target: .cluster(0))))
}

/// One virtual host with `count` routes.
private func matching(
  count: Int, path: @escaping (Int) -> RouteMatchSpec.Path
) throws -> (Int) -> UInt64 {
  var host = VirtualHostSpec(name: "all", domains: ["*"])
  host.routes = (0..<count).map { route(path($0)) }
  return try looking([host], (0..<64).map {
    Request(host: "shop.example.com", path: "/service-\($0 * 7919 % count)/call")
  })
}

/// `count` virtual hosts with one route each.
private func matchingHosts(
  count: Int, domain: (Int) -> String
) throws -> (Int) -> UInt64 {
  let hosts = (0..<count).map { number in
    var host = VirtualHostSpec(name: "v\(number)", domains: [domain(number)])
    host.routes = [route(.prefix("/"))]
    return host
  }
  return try looking(hosts, (0..<64).map {
    let name = domain($0 * 7919 % count).replacing("*", with: "www")
    return Request(host: name, path: "/call")
  })
}

/// Looks the requests up in turn.
private func looking(_ hosts: [VirtualHostSpec], _ requests: [Request]) throws -> (Int) -> UInt64 {
  var spec = RouteTableSpec()
  spec.virtualHosts = hosts
  let table = try RouteTable(compiling: spec)
  let lookup = Unmanaged.passRetained(table).takeUnretainedValue().lookup
  let frozen = UnsafeMutableBufferPointer<Request>.allocate(capacity: requests.count)
  _ = frozen.initialize(from: requests)
  let arena = lastingArena()
  return { count in
    var digest = Digest()
    var at = 0
    for _ in 0..<count {
      let request = frozen[at]
      let match = lookup.match(
        host: request.host, path: request.path, headers: UnsafePointer(request.headers), random: 0,
        arena: &arena.pointee)
      precondition(match.outcome == .route, "every request has a route")
      digest.add(Int(match.route))
      at = at + 1 == frozen.count ? 0 : at + 1
    }
    return digest.value
  }
}

private func normalising() -> (Int) -> UInt64 {
  let path = lasting("/catalogue/./items//4711/../4712?colour=blue")
  let normalization = PathNormalization(
    normalizesPath: true, mergesSlashes: true, escapedSlashes: .keepUnchanged)
  let arena = lastingArena()
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      switch normalization.apply(path, arena: &arena.pointee) {
      case .path(let clean): digest.add(clean.count)
      default: preconditionFailure("the path is good")
      }
      arena.pointee.reset()
    }
    return digest.value
  }
}
