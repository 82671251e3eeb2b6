import Format
import HTTPCore
import Primitives
import Routing

/// A request in memory that lives as long as the closure.
struct TestRequest {
  var host: String? = "example.com"
  var path: String? = "/"
  var headers: [(String, String)] = []
  var random: UInt64 = 0
  var isInternal = false
  var certificate: ClientCertificate = []
}

let environment = FormatEnvironment(hostname: "here") { _ in nil }

func bytes(_ text: String, _ arena: inout Arena) -> ByteView {
  let source = Array(text.utf8)
  guard !source.isEmpty else { return .empty }
  let target = arena.allocate(source.count)
  for (i, byte) in source.enumerated() { target[i] = byte }
  return ByteView(target, source.count)
}

func withRequest<R>(
  _ request: TestRequest,
  _ body: (
    _ host: ByteView?, _ path: ByteView?, _ headers: UnsafeMutablePointer<HeaderMap>,
    _ arena: UnsafeMutablePointer<Arena>
  ) throws -> R
) rethrows -> R {
  let pool = ArenaPool()
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  arena.initialize(to: Arena(pool: pool))
  defer {
    arena.pointee.reset()
    arena.deallocate()
  }
  let headers = UnsafeMutablePointer<HeaderMap>.allocate(capacity: 1)
  headers.initialize(to: HeaderMap(arena: arena))
  defer { headers.deallocate() }
  let host = request.host.map { bytes($0, &arena.pointee) }
  let path = request.path.map { bytes($0, &arena.pointee) }
  if let host { headers.pointee.append(.authority, host) }
  if let path { headers.pointee.append(.path, path) }
  for (name, value) in request.headers {
    let view = bytes(name, &arena.pointee)
    headers.pointee.append(
      name: view, value: bytes(value, &arena.pointee), known: KnownHeaderTable.shared.find(view))
  }
  return try body(host, path, headers, arena)
}

func findMatch(_ table: RouteTable, _ request: TestRequest) -> RouteMatch {
  withRequest(request) { host, path, headers, arena in
    table.lookup.match(
      host: host, path: path, headers: UnsafePointer(headers), random: request.random,
      isInternal: request.isInternal, certificate: request.certificate, arena: &arena.pointee)
  }
}

/// The matched route's name, or the outcome.
func routeName(_ table: RouteTable, _ request: TestRequest) -> String {
  let found = findMatch(table, request)
  switch found.outcome {
  case .route: return table.lookup.route(found.route).pointee.name.string
  case .tlsRedirect: return "tls"
  case .noRoute: return "no route"
  case .noVirtualHost: return "no host"
  }
}

func respond(_ name: String, _ match: RouteMatchSpec) -> RouteSpec {
  var route = RouteSpec(match: match, action: .directResponse(status: 200, body: []))
  route.name = name
  return route
}

func table(_ hosts: [VirtualHostSpec], _ change: (inout RouteTableSpec) -> Void = { _ in }) throws
  -> RouteTable
{
  var spec = RouteTableSpec()
  spec.virtualHosts = hosts
  change(&spec)
  return try RouteTable(compiling: spec, environment: environment)
}

/// One virtual host for all domains.
func table(routes: [RouteSpec]) throws -> RouteTable {
  var host = VirtualHostSpec(name: "all", domains: ["*"])
  host.routes = routes
  return try table([host])
}
