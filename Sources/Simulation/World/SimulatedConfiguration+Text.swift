extension SimulatedConfiguration {
  static let types = "type.googleapis.com/envoy"

  /// The configuration as Envoy v3 YAML.
  var text: String {
    """
    static_resources:
      listeners:
    \(httpListener("http", port: Self.httpPort, prefix: "main"))
    \(hasProxyProtocolListener ? httpListener("proxied", port: Self.proxyProtocolPort, prefix: "behind", proxyProtocol: true) : "")
    \(tcpListener)
    \(secureListener)
    \(secrets)
      clusters:
    \(cluster("a", subnet: 1, hosts: hostsOfA, protocolOfA, isSecure: tls.isOnForA, health: health.http))
    \(hasClusterB ? cluster("b", subnet: 2, hosts: hostsOfB, protocolOfB, isSecure: tls.isOnForB, health: health.http) : "")
    \(cluster("t", subnet: 3, hosts: [1, 2], .http1, health: health.tcp))
    \(tls.isOn ? cluster("p", subnet: 4, hosts: [1], .http1, port: 443) : "")
    \(mirrors.isOn ? cluster("m", subnet: 6, hosts: [1, 2], mirrors.isHTTP2 ? .http2 : .http1) : "")
    \(tunnels.isOn ? cluster("q", subnet: 5, hosts: [1, 2], .http1, isSecure: tls.isOnForB) : "")
    """
  }

  private func httpListener(
    _ name: String, port: Int, prefix: String, proxyProtocol: Bool = false
  ) -> String {
    let filter =
      proxyProtocol
      ? """
        listener_filters:
          - name: envoy.filters.listener.proxy_protocol
            typed_config: { "@type": \(Self.types).extensions.filters.listener.proxy_protocol.v3.ProxyProtocol }
      """ : ""
    return """
        - name: \(name)
          address: { socket_address: { address: \(Self.address), port_value: \(port) } }
          per_connection_buffer_limit_bytes: \(bufferLimitBytes)
        \(filter)
          filter_chains:
          - filters:
      \(connectionManager(prefix))
      """
  }

  /// An entry of a chain's `filters`.
  ///
  /// - Parameter tellsOfClient: Hosts learn who the client is by its certificate.
  func connectionManager(_ prefix: String, tellsOfClient: Bool = false) -> String {
    let forwarding =
      tellsOfClient ? "forward_client_cert_details: SANITIZE_SET, set_current_client_cert_details: { uri: true }, " : ""
    return """
            - name: hcm
              typed_config: { \(forwarding)"@type": \(Self.types).extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: \(prefix), \(tunnels.managerText)use_remote_address: true, server_name: "v\(listenerVariant)", http_protocol_options: { enable_trailers: \(passesTrailers) }, http2_protocol_options: \(http2Options), common_http_protocol_options: { idle_timeout: \(hasShortTimeouts ? "5s" : "7000s") }, stream_idle_timeout: \(hasShortTimeouts ? "3s" : "3600s"), request_headers_timeout: \(hasShortTimeouts ? "2s" : "3600s"), proxy_100_continue: \(forwardsContinue), access_log: [{ name: file, typed_config: { "@type": \(Self.types).extensions.access_loggers.file.v3.FileAccessLog, path: /access, log_format: { text_format_source: { inline_string: "http %REQ(X-ID)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %BYTES_SENT% %DURATION% %RESPONSE_CODE_DETAILS%\\n" } } } }], route_config: { name: routes, virtual_hosts: [\(tunnels.virtualHosts){ name: all, domains: ["*"], \(retries.text(hedges))\(mirrors.text)routes: [\(routes.joined(separator: ", "))] }] }, http_filters: [\(filters.joined(separator: ", "))] }
      """
  }

  /// YAML lists in one line: what is put into a text of several lines is not indented.
  private var routes: [String] {
    // Hosts whose scripts make them silent must not hold a world for hours in which they are checked every second.
    let timeout = hasShortTimeouts ? "4s" : health.checksHosts && !isCalm ? "20s" : "0s"
    var lines = [
      "{ match: { prefix: /direct/ }, direct_response: { status: 200, body: { inline_string: \"here\" } } }",
      "{ match: { prefix: /old/ }, redirect: { prefix_rewrite: /new/ } }",
      "{ match: { prefix: /quick/ }, route: { cluster: a, timeout: 0.1s\(balancing.route) } }",
    ]
    if hasClusterB {
      lines.append("{ match: { prefix: /b/ }, route: { cluster: b, timeout: \(timeout)\(balancing.route) } }")
      lines.append(
        "{ match: { prefix: /split/ }, route: { timeout: \(timeout), weighted_clusters: { clusters: [{ name: a, weight: 70 }, { name: b, weight: 30 }]\(balancing.weighted) }\(balancing.route) } }"
      )
    }
    if routeVariant > 0 {
      lines.append("{ match: { prefix: /variant/\(routeVariant) }, route: { cluster: a } }")
    }
    lines.append("{ match: { prefix: /a/ }, route: { cluster: a, timeout: \(timeout)\(balancing.route) } }")
    return lines
  }

  private var filters: [String] {
    func line(_ name: String, _ type: String, _ fields: String = "") -> [String] {
      [
        "{ name: \(name), typed_config: { \"@type\": \(Self.types).extensions.filters.http.\(type)\(fields.isEmpty ? "" : ", \(fields)") } }"
      ]
    }
    var lines: [String] = []
    if hasHealthCheck {
      lines += line(
        "health", "health_check.v3.HealthCheck",
        "pass_through_mode: false, headers: [{ name: \":path\", string_match: { exact: /health } }]")
    }
    if hasCors { lines += line("envoy.filters.http.cors", "cors.v3.Cors") }
    if hasFault {
      lines += line(
        "envoy.filters.http.fault", "fault.v3.HTTPFault",
        "headers: [{ name: x-fault, string_match: { exact: \"yes\" } }], delay: { fixed_delay: 0.05s, percentage: { numerator: 50 } }, abort: { http_status: 503, percentage: { numerator: 40 } }"
      )
    }
    if bufferLimitOfFilter > 0 {
      lines += line(
        "envoy.filters.http.buffer", "buffer.v3.Buffer", "max_request_bytes: \(bufferLimitOfFilter)")
    }
    if hasHeaderMutation {
      lines += line(
        "mutation", "header_mutation.v3.HeaderMutation",
        "mutations: { response_mutations: [{ append: { header: { key: x-mutated, value: \"yes\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD } }], request_mutations: [{ append: { header: { key: x-seen, value: \"1\" } } }] }"
      )
    }
    lines += line("envoy.filters.http.router", "router.v3.Router")
    return lines
  }

  private var tcpListener: String {
    return """
        - name: tcp
          address: { socket_address: { address: \(Self.address), port_value: \(Self.tcpPort) } }
          per_connection_buffer_limit_bytes: \(bufferLimitBytes)
          filter_chains:
          - filters:
      \(tcpProxy("bytes", cluster: "t"))
      """
  }

  /// An entry of a chain's `filters`.
  func tcpProxy(_ prefix: String, cluster: String) -> String {
    """
            - name: tcp
              typed_config: { "@type": \(Self.types).extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: \(prefix), cluster: \(cluster)\(balancing.tcp), max_connect_attempts: 2, idle_timeout: \(hasShortTimeouts ? "4s" : "7000s"), access_log: [{ name: file, typed_config: { "@type": \(Self.types).extensions.access_loggers.file.v3.FileAccessLog, path: /access, log_format: { text_format_source: { inline_string: "tcp %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %BYTES_RECEIVED% %BYTES_SENT% %DURATION%\\n" } } } }] }
      """
  }

  private var http2Options: String {
    "{ max_concurrent_streams: \(streamsMax), initial_stream_window_size: \(streamWindow), initial_connection_window_size: \(connectionWindow)\(tunnels.http2Text) }"
  }

  private func options(_ upstream: UpstreamProtocol, isSecure: Bool) -> String {
    let http1 = "http_protocol_options: { enable_trailers: \(passesTrailers) }"
    let http2 = "http2_protocol_options: \(http2Options)"
    if isSecure, tls.agreesOnProtocol { return "auto_config: { \(http1), \(http2) }" }
    switch upstream {
    case .http1: return "explicit_http_config: { \(http1) }"
    case .http2: return "explicit_http_config: { \(http2) }"
    case .downstream: return "use_downstream_protocol_config: { \(http1), \(http2) }"
    }
  }

  private func cluster(
    _ name: String, subnet: Int, hosts: [Int], _ upstream: UpstreamProtocol, isSecure: Bool = false, port: Int? = nil,
    health: String = ""
  ) -> String {
    let port = port ?? (isSecure ? 443 : 80)
    let endpoints = hosts.map {
      "{ endpoint: { address: { socket_address: { address: 10.1.\(subnet).\($0), port_value: \(port) } } } }"
    }
    // The second half of the hosts stands by.
    let first = self.health.hasPriorities && !health.isEmpty ? (hosts.count + 1) / 2 : hosts.count
    let levels = [endpoints[..<first], endpoints[first...]].enumerated().filter { !$0.element.isEmpty }.map {
      "{ priority: \($0.offset), lb_endpoints: [\($0.element.joined(separator: ", "))] }"
    }.joined(separator: ", ")
    let breakers =
      hasSmallBreakers
      ? "circuit_breakers: { thresholds: [{ \(self.health.thresholds)max_connections: 2, max_pending_requests: 2, max_requests: \(breakerRequests), max_connection_pools: 2 }], per_host_thresholds: [{ max_connections: 2 }] }"
      : "circuit_breakers: { thresholds: [{ \(self.health.thresholds)max_connections: 1000, max_pending_requests: 1000, max_requests: 1000 }] }"
    return """
        - name: \(name)
          connect_timeout: \(isSecure && !tls.hasShortTimeout ? "60s" : "2s")
          \(balancing.cluster(otherwise: usesRandomBalancing ? "RANDOM" : "ROUND_ROBIN", common: health.isEmpty ? [] : self.health.common))
          \(health)
          per_connection_buffer_limit_bytes: \(bufferLimitBytes)
          \(breakers)
          \(clientSocket(isOn: isSecure))
          typed_extension_protocol_options:
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
              "@type": \(Self.types).extensions.upstreams.http.v3.HttpProtocolOptions
              common_http_protocol_options: { idle_timeout: \(hasShortTimeouts ? "3s" : "7000s")\(maxRequestsPerConnection > 0 ? ", max_requests_per_connection: \(maxRequestsPerConnection)" : "") }
              \(options(upstream, isSecure: isSecure))
          load_assignment:
            cluster_name: \(name)
            endpoints: [\(levels)]
      """
  }
}
