import Format
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives
import Routing

extension FuzzTarget {
  /// Route tables from hostile literals, and what matches in them against a plain search.
  ///
  /// Lines: `h` a domain (a virtual host of its own), `p`, `e` and `s` a route with a prefix, a whole
  /// path, a separated prefix (upper case: without case), `g` and `f` conditions on the route before;
  /// everything else is a request: host, a space, a path.
  package static let routes = FuzzTarget(name: "routes", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    var plan = RoutePlan()
    var requests: [(host: [UInt8], path: [UInt8])] = []
    while let line = input.line() {
      if !plan.take(line) {
        let host = line.prefix { $0 != 32 }
        requests.append((Array(host), Array(line.dropFirst(host.count + 1))))
      }
    }
    let table: RouteTable
    do throws(RoutingErrors) {
      table = try RouteTable(compiling: plan.spec, environment: FormatFixture.environment)
    } catch {
      try require(!error.errors.isEmpty, "refused without an error")
      for problem in error.errors {
        try require(!problem.path.isEmpty && !problem.message.isEmpty, "\(problem)")
      }
      return
    }
    for request in requests.prefix(32) {
      let expected = plan.find(host: request.host, path: request.path)
      let found = match(table, request.host, request.path)
      let shown = String(decoding: request.host + [32] + request.path, as: UTF8.self)
      try requireEqual(found, expected, "route of \(shown)")
    }
  }

  /// The names of virtual host and route.
  private static func match(
    _ table: RouteTable, _ host: [UInt8], _ path: [UInt8]
  ) -> RoutePlan.Found {
    withArena { arena in
      withExactCopy(host) { host in
        withExactCopy(path) { path in
          var headers = HeaderMap(arena: arena)
          headers.append(.method, ByteView("GET"))
          let match = withUnsafePointer(to: &headers) {
            table.lookup.match(
              host: host, path: path, headers: $0, random: 7, arena: &arena.pointee)
          }
          return RoutePlan.Found(
            host: match.virtualHost,
            route: match.route >= 0
              ? table.lookup.route(match.route).pointee.name.string : nil)
        }
      }
    }
  }
}
