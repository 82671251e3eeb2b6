import HTTP2
import HTTPCore
import Stats

/// The connection manager of requests without a client: no filters, no routes, no logs, no timeouts but the request's own,
/// statistics in no list. What is counted of such a request is the cluster's.
enum InternalClient {
  static func makeManager(_ registry: StatsRegistry) -> Frozen<HTTPConnectionManagerConfig> {
    let scope = registry.makeScope(prefix: "", isHidden: true)
    let http2 = HTTP2Config(options: HTTP2Options(), stats: HTTP2Stats(scope))
    var manager = HTTPConnectionManagerConfig(
      stats: HTTPStats(scope), listenerCodes: ResponseCodeStats(scope, prefix: "", withCodes: false),
      http2: Frozen(http2), routeTable: .max, filters: FilterChain([]), accessLogs: AccessLogList())
    manager.idleTimeout = 0
    manager.streamIdleTimeout = 0
    manager.serverHeader = .passThrough
    manager.suppressEnvoyHeaders = true
    return Frozen(manager)
  }
}
