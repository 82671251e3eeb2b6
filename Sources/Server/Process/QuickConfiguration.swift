import Primitives

/// `apus run --listen A --upstream B,C`: the bootstrap that says the same.
public enum QuickConfiguration {
  /// - Throws: One sentence about the first address that cannot be read.
  public static func yaml(listen: String, upstreams: [String], admin: String?)
    throws(StartError) -> String
  {
    let listener = try address(listen, option: "--listen")
    let endpoints = try upstreams.map { upstream throws(StartError) in
      let target = try address(upstream, option: "--upstream")
      return "          - endpoint: { address: { \(target) } }"
    }
    guard !endpoints.isEmpty else { throw StartError("--upstream names no address") }
    var text = ""
    if let admin {
      text += "admin: { address: { \(try address(admin, option: "--admin")) } }\n"
    }
    text += """
      static_resources:
        listeners:
        - name: quick
          address: { \(listener) }
          filter_chains:
          - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: quick
                use_remote_address: true
                route_config:
                  name: quick
                  virtual_hosts:
                  - name: all
                    domains: ["*"]
                    routes:
                    - match: { prefix: "/" }
                      route: { cluster: upstream }
                http_filters:
                - name: router
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
        clusters:
        - name: upstream
          type: STATIC
          load_assignment:
            cluster_name: upstream
            endpoints:
            - lb_endpoints:
      \(endpoints.joined(separator: "\n"))

      """
    return text
  }

  private static func address(_ text: String, option: String) throws(StartError) -> String {
    guard let parsed = SocketAddress(text) else {
      throw StartError(
        "\(option) \(text): expected an address like 127.0.0.1:8080, [::1]:8080 or unix:/path"
          + " (names are not resolved)")
    }
    switch parsed {
    case .ip(let ip, let port):
      return "socket_address: { address: \"\(ip)\", port_value: \(port) }"
    case .pipe(let path):
      return "pipe: { path: \"\(path)\" }"
    }
  }
}
