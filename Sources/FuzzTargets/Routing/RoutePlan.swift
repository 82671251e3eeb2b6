import Primitives
import Routing

/// A route table as lines describe it, and the plainest search in it: every route in turn.
struct RoutePlan {
  struct Found: Equatable {
    /// The virtual host's number, or -1.
    var host: Int32
    var route: String?
  }

  private enum Kind { case prefix, exact, separated }

  private struct Route {
    var kind: Kind
    var text: [UInt8]
    var ignoresCase: Bool
    /// Conditions that the requests of the target never meet.
    var neverMatches = false
  }

  private struct Host {
    var domain: [UInt8]
    var routes: [Route] = []
  }

  private var hosts: [Host] = []

  /// - Returns: False when the line describes no part of a table.
  mutating func take(_ line: [UInt8]) -> Bool {
    guard let kind = line.first else { return true }
    let text = Array(line.dropFirst())
    switch ASCII.lowercase(kind) {
    case UInt8(ascii: "h"):
      if hosts.count < 8, isText(text), !hosts.contains(where: { folded($0.domain) == folded(text) }) {
        hosts.append(Host(domain: text))
      }
    case UInt8(ascii: "p"): add(.prefix, text, kind)
    case UInt8(ascii: "e"): add(.exact, text, kind)
    case UInt8(ascii: "s"): add(.separated, text, kind)
    case UInt8(ascii: "g"), UInt8(ascii: "f"):
      if let host = hosts.indices.last, let route = hosts[host].routes.indices.last {
        hosts[host].routes[route].neverMatches = true
      }
    default: return false
    }
    return true
  }

  private mutating func add(_ kind: Kind, _ text: [UInt8], _ first: UInt8) {
    guard let host = hosts.indices.last, hosts[host].routes.count < 24, isText(text) else { return }
    let ignoresCase = first < 97
    hosts[host].routes.append(Route(kind: kind, text: text, ignoresCase: ignoresCase))
  }

  /// Specifications are strings: other bytes would not come out as they went in.
  private func isText(_ text: [UInt8]) -> Bool { String(validating: text, as: UTF8.self) != nil }

  private func folded(_ text: [UInt8]) -> [UInt8] { text.map(ASCII.lowercase) }

  var spec: RouteTableSpec {
    var spec = RouteTableSpec()
    for (number, host) in hosts.enumerated() {
      let domain = String(decoding: host.domain, as: UTF8.self)
      var entry = VirtualHostSpec(name: "\(number)", domains: [domain])
      for (index, route) in host.routes.enumerated() {
        let text = String(decoding: route.text, as: UTF8.self)
        var match =
          switch route.kind {
          case .prefix: RouteMatchSpec(path: .prefix(text))
          case .exact: RouteMatchSpec(path: .exact(text))
          case .separated: RouteMatchSpec(path: .separatedPrefix(text))
          }
        match.isCaseSensitive = !route.ignoresCase
        if route.neverMatches {
          match.headers = [HeaderMatcherSpec(name: "absent", kind: .present(true))]
        }
        var spec = RouteSpec(match: match, action: .directResponse(status: 200, body: []))
        spec.name = "\(number).\(index)"
        entry.routes.append(spec)
      }
      spec.virtualHosts.append(entry)
    }
    return spec
  }

  func find(host: [UInt8], path: [UInt8]) -> Found {
    guard let number = findHost(folded(host)) else { return Found(host: -1) }
    let bare = Array(path.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    let index = hosts[number].routes.firstIndex { matches($0, bare) }
    return Found(host: Int32(number), route: index.map { "\(number).\($0)" })
  }

  private func matches(_ route: Route, _ path: [UInt8]) -> Bool {
    if route.neverMatches { return false }
    let text = route.ignoresCase ? folded(route.text) : route.text
    let path = route.ignoresCase ? folded(path) : path
    guard path.starts(with: text) else { return false }
    switch route.kind {
    case .prefix: return true
    case .exact: return path.count == text.count
    case .separated: return path.count == text.count || path[text.count] == UInt8(ascii: "/")
    }
  }

  /// Exact, then the longest `*suffix`, then the longest `prefix*`, then `*`.
  private func findHost(_ host: [UInt8]) -> Int? {
    let star = UInt8(ascii: "*")
    let domains = hosts.map { folded($0.domain) }
    let isExact = { (domain: [UInt8]) in domain.first != star && domain.last != star }
    if let exact = domains.firstIndex(where: { isExact($0) && $0 == host }) { return exact }
    var best: (number: Int, length: Int)?
    for (number, domain) in domains.enumerated() where domain.first == star && domain.count > 1 {
      let suffix = domain.dropFirst()
      if host.count > suffix.count, host.suffix(suffix.count) == suffix,
        suffix.count > best?.length ?? -1
      {
        best = (number, suffix.count)
      }
    }
    if let best { return best.number }
    for (number, domain) in domains.enumerated() where domain.first != star && domain.last == star {
      let prefix = domain.dropLast()
      if host.count > prefix.count, host.starts(with: prefix), prefix.count > best?.length ?? -1 {
        best = (number, prefix.count)
      }
    }
    return best?.number ?? domains.firstIndex(of: [star])
  }
}
