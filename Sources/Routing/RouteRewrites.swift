import Format
import HTTPCore
import Primitives
import RegularExpressions

/// What a route makes of path, host and location.
extension RouteLookup {
  /// The path that goes upstream, or nil when the route leaves it alone.
  ///
  /// - Parameter path: `:path` with query; the query is kept.
  public func rewrittenPath(route: Int32, path: ByteView, arena: inout Arena) -> ByteView? {
    let entry = self.route(route)
    let target = path.splitTarget.path
    let tail = path.dropFirst(target.count)
    switch entry.pointee.pathRewrite {
    case .none: return nil
    case .prefix(let replacement):
      let matched =
        entry.pointee.matchedPathCount < 0
        ? target.count : min(entry.pointee.matchedPathCount, target.count)
      return arena.join(replacement, path.dropFirst(matched))
    case .regex(let rewrite):
      return arena.join(rewrite.apply(target, &arena), tail)
    }
  }

  /// The `:authority` that goes upstream, or nil when the route leaves it alone or leaves it to
  /// the chosen host (`auto_host_rewrite`).
  public func rewrittenHost(
    route: Int32, weightedCluster: Int32 = -1, path: ByteView,
    headers: UnsafePointer<HeaderMap>, arena: inout Arena
  ) -> ByteView? {
    if weightedCluster >= 0 {
      let literal = weightedClusters[Int(weightedCluster)].hostRewriteLiteral
      if !literal.isEmpty { return literal }
    }
    switch self.route(route).pointee.hostRewrite {
    case .none, .automatic: return nil
    case .literal(let host): return host
    case .header(let name, let known):
      guard let value = headers.pointee.value(name: name, known: known), !value.isEmpty else {
        return nil
      }
      return value
    case .pathRegex(let rewrite): return rewrite.apply(path.splitTarget.path, &arena)
    }
  }

  /// The cluster's name of a `cluster_header` route; nil when the request lacks the header.
  public func clusterName(route: Int32, headers: UnsafePointer<HeaderMap>) -> ByteView? {
    guard case .clusterHeader(let name, let known) = self.route(route).pointee.target else {
      return nil
    }
    return headers.pointee.value(name: name, known: known)
  }

  /// The `location` of a redirect route.
  ///
  /// - Parameters:
  ///   - scheme: The request's `:scheme`.
  ///   - host: The request's `:authority`.
  ///   - path: `:path` with query.
  public func redirectLocation(
    route: Int32, scheme: ByteView, host: ByteView, path: ByteView, arena: inout Arena
  ) -> ByteView {
    let entry = self.route(route)
    let newScheme = entry.pointee.redirectScheme.isEmpty ? scheme : entry.pointee.redirectScheme
    var newHost = entry.pointee.redirectHost
    let newPort = entry.pointee.redirectPort
    if newHost.isEmpty {
      newHost = host
      if let start = host.portStart {
        let port = host.dropFirst(start)
        // A port that was the old scheme's default says nothing under the new one.
        let isOldDefault =
          newScheme != scheme
          && (scheme == "https" && port == ":443" || scheme == "http" && port == ":80")
        if !newPort.isEmpty || isOldDefault { newHost = host.prefix(start) }
      }
    }
    var newPath: ByteView
    var tail = ByteView.empty
    if !entry.pointee.redirectPath.isEmpty {
      newPath = entry.pointee.redirectPath
      if !entry.pointee.stripsQuery, newPath.firstIndex(of: UInt8(ascii: "?")) == nil,
        let mark = path.firstIndex(of: UInt8(ascii: "?"))
      {
        tail = path.dropFirst(mark)
      }
    } else {
      newPath = rewrittenPath(route: route, path: path, arena: &arena) ?? path
      if entry.pointee.stripsQuery, let mark = newPath.firstIndex(of: UInt8(ascii: "?")) {
        newPath = newPath.prefix(mark)
      }
    }
    let capacity =
      newScheme.count + 3 + newHost.count + newPort.count + newPath.count + tail.count
    var sink = ByteSink(arena.allocate(capacity), capacity: capacity)
    sink.write(newScheme)
    sink.write("://")
    sink.write(newHost)
    sink.write(newPort)
    sink.write(newPath)
    sink.write(tail)
    return sink.written
  }

  /// The `location` for ``RouteMatch/Outcome/tlsRedirect``.
  public static func tlsRedirectLocation(
    host: ByteView, path: ByteView, arena: inout Arena
  ) -> ByteView {
    let capacity = 8 + host.count + path.count
    var sink = ByteSink(arena.allocate(capacity), capacity: capacity)
    sink.write("https://")
    sink.write(host)
    sink.write(path)
    return sink.written
  }
}

extension Arena {
  mutating func join(_ first: ByteView, _ second: ByteView) -> ByteView {
    let count = first.count + second.count
    let target = allocate(count)
    target.update(from: first.base, count: first.count)
    (target + first.count).update(from: second.base, count: second.count)
    return ByteView(target, count)
  }
}
