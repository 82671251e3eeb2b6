/// Pieces of configuration text.
enum Fixture {
  static let manager =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
  static let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
  static let tcpProxy =
    "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

  static func cluster(
    _ name: String, hosts: [String] = ["10.0.0.1:80"], extra: String = ""
  ) -> String {
    let endpoints = hosts.map { host in
      let parts = host.split(separator: ":")
      return "{ endpoint: { address: { socket_address: { address: \(parts[0]), port_value: \(parts[1]) } } } }"
    }.joined(separator: ", ")
    return """
        - name: \(name)
          load_assignment:
            cluster_name: \(name)
            endpoints: [{ lb_endpoints: [\(endpoints)] }]
          \(extra)

      """
  }

  /// - Parameters:
  ///   - routes: A YAML list in one line.
  ///   - manager: More fields of the connection manager, in lines of their own.
  static func http(
    _ name: String, port: Int = 8080, routes: String = "[{ match: { prefix: / }, route: { cluster: a } }]",
    virtualHost: String = "", table: String = "", manager: String = "", listener: String = ""
  ) -> String {
    """
        - name: \(name)
          address: { socket_address: { address: 127.0.0.1, port_value: \(port) } }
          \(listener)
          filter_chains:
          - filters:
            - name: hcm
              typed_config:
                "@type": \(Self.manager)
                stat_prefix: \(name)
                \(manager)
                route_config:
                  \(table)
                  virtual_hosts:
                  - name: all
                    domains: ["*"]
                    \(virtualHost)
                    routes: \(routes)
                http_filters: [{ name: router, typed_config: { "@type": \(router) } }]

      """
  }

  static func tcp(
    _ name: String, port: Int = 8081, cluster: String = "a", proxy: String = "",
    chain: String = "", listener: String = ""
  ) -> String {
    """
        - name: \(name)
          address: { socket_address: { address: 127.0.0.1, port_value: \(port) } }
          \(listener)
          filter_chains:
          - \(chain.isEmpty ? "name: only" : chain)
            filters:
            - name: tcp
              typed_config:
                "@type": \(tcpProxy)
                stat_prefix: \(name)
                cluster: \(cluster)
                \(proxy)

      """
  }

  static func bootstrap(listeners: String = "", clusters: String = "", top: String = "") -> String {
    """
    \(top)
    static_resources:
      listeners:
    \(listeners.isEmpty ? "    []" : listeners)
      clusters:
    \(clusters.isEmpty ? "    []" : clusters)

    """
  }
}
