import Testing

/// Each mistake is one line that names its place.
@Suite struct ErrorTests {
  struct Case: CustomTestStringConvertible {
    var text: String
    /// Without location and without the path's part up to the innermost object.
    var lines: [String]
    var testDescription: String { lines.joined(separator: "; ") }
  }

  private static let a = Fixture.cluster("a")

  private static func cluster(_ extra: String, _ lines: String...) -> Case {
    Case(
      text: Fixture.bootstrap(clusters: Fixture.cluster("a", extra: extra)),
      lines: lines.map { "static_resources.clusters[0]." + $0 })
  }

  private static let hcm = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config."

  private static let checkTimes = "timeout: 1s, interval: 5s, healthy_threshold: 1, unhealthy_threshold: 1"

  private static func check(_ fields: String, _ line: String) -> Case {
    cluster("health_checks: [{ \(checkTimes), \(fields) }]", "health_checks[0]." + line)
  }

  private static func manager(_ extra: String, _ lines: String...) -> Case {
    Case(
      text: Fixture.bootstrap(listeners: Fixture.http("l", manager: extra), clusters: a),
      lines: lines.map { hcm + $0 })
  }

  private static func listener(_ extra: String, _ lines: String...) -> Case {
    Case(
      text: Fixture.bootstrap(listeners: Fixture.tcp("l", listener: extra), clusters: a),
      lines: lines.map { "static_resources.listeners[0]." + $0 })
  }

  private static func routes(_ routes: String, _ lines: String...) -> Case {
    Case(
      text: Fixture.bootstrap(listeners: Fixture.http("l", routes: routes), clusters: a),
      lines: lines.map { hcm + "route_config.virtual_hosts[0].routes" + $0 })
  }

  private static func action(_ fields: String, _ lines: String...) -> Case {
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.http(
          "l", routes: "[{ match: { prefix: / }, route: { cluster: a, \(fields) } }]"),
        clusters: a),
      lines: lines.map { hcm + "route_config.virtual_hosts[0].routes[0].route." + $0 })
  }

  private static let rawSocket =
    "{ name: t, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer } }"
  private static let tlsSocket =
    "{ name: t, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext } }"
  private static let autoConfig =
    "typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, auto_config: {} } }"

  private static let yet = "is not supported by apus yet"

  static let clusters: [Case] = [
    cluster("type: EDS", "type: only STATIC clusters are supported by apus so far"),
    cluster("http2_protocol_options: {}"),
    cluster("http2_protocol_options: { allow_connect: true }"),
    cluster("typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, auto_config: {} } }",
      "transport_socket: auto_config needs TLS: the protocol is agreed on in the handshake (ALPN)"),
    cluster("transport_socket: { name: t, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext } }",
      "transport_socket.typed_config: \"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\" is for listeners; a cluster needs UpstreamTlsContext"),
    cluster("transport_socket_matches: [{ name: a, transport_socket: \(rawSocket) }, { name: b }]",
      "transport_socket_matches[1].transport_socket: is required"),
    cluster("transport_socket_matches: [{ name: a, transport_socket: { name: t } }]",
      "transport_socket_matches[0].transport_socket.typed_config: is required"),
    cluster("transport_socket_matches: [{ name: a, transport_socket: \(rawSocket) }, { name: b, transport_socket: { name: t, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext } } }]",
      "transport_socket_matches[1].transport_socket.typed_config: \"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\" is for listeners; a cluster needs UpstreamTlsContext"),
    cluster("transport_socket_matches: [{ name: a, transport_socket: { name: t, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: { tls_certificates: [{}] } } } }]",
      "transport_socket_matches[0].transport_socket.typed_config.common_tls_context.tls_certificates[0].certificate_chain: is required"),
    cluster("transport_socket: \(tlsSocket)\n    transport_socket_matches: [{ name: a, transport_socket: \(rawSocket) }]\n    \(autoConfig)",
      "transport_socket_matches[0].transport_socket: auto_config needs TLS: the protocol is agreed on in the handshake (ALPN)"),
    cluster("transport_socket: \(rawSocket)\n    \(autoConfig)",
      "transport_socket: auto_config needs TLS: the protocol is agreed on in the handshake (ALPN)"),
    check("http_health_check: { path: /, expected_statuses: [{ start: 200, end: 200 }] }",
      "http_health_check.expected_statuses[0]: start must be less than end (which does not belong to it), got 200 and 200"),
    check("http_health_check: { path: /, retriable_statuses: [{ start: 0, end: 99 }] }",
      "http_health_check.retriable_statuses[0]: must be within 100 to 600, got 0 to 99"),
    check("http_health_check: { path: /, codec_client_type: HTTP3 }",
      "http_health_check.codec_client_type: HTTP3 is not supported by apus yet"),
    check("http_health_check: { path: /, send: { text: \"00\" } }",
      "http_health_check.send: a check by GET has no body; use POST, PUT or PATCH"),
    check("tcp_health_check: { receive: [{ text: pong }] }",
      "tcp_health_check.receive[0].text: must be pairs of hexadecimal digits, got \"pong\""),
    check("event_log_path: /nowhere/x, tcp_health_check: {}",
      "event_log_path: cannot write /nowhere: No such file or directory"),
    cluster("health_checks: [{ name: a, \(checkTimes), tcp_health_check: {} }, { name: a, \(checkTimes), tcp_health_check: {} }, { \(checkTimes), tcp_health_check: {} }]",
      "health_checks[1].name: \"a\" is already used by health_checks[0]",
      "health_checks[2].name: is required: the cluster has 3 health checks"),
    cluster("outlier_detection: { base_ejection_time: 30s, max_ejection_time: 20s }",
      "outlier_detection.max_ejection_time: must not be less than base_ejection_time (30000 ms), got 20000 ms"),
    cluster("common_lb_config: { healthy_panic_threshold: { value: 10 } }"),
    Case(
      text: Fixture.bootstrap(
        clusters:
          "    - { name: a, load_assignment: { cluster_name: a, policy: { drop_overloads: [{ category: x, drop_percentage: { numerator: 101 } }, { category: z }] } } }\n"
      ),
      lines: [
        "static_resources.clusters[0].load_assignment.policy.drop_overloads[0].drop_percentage: must be at most the whole, got 101 of 100",
        "static_resources.clusters[0].load_assignment.policy.drop_overloads[1]: only one category can be dropped",
      ]),
    cluster("circuit_breakers: { thresholds: [{ max_requests: 1 }, { max_requests: 2 }] }",
      "circuit_breakers.thresholds[1].priority: thresholds of this priority are given already"),
    cluster("circuit_breakers: { thresholds: [{ retry_budget: { budget_interval: 3601s } }] }",
      "circuit_breakers.thresholds[0].retry_budget.budget_interval: must be at most an hour"),
    cluster("circuit_breakers: { per_host_thresholds: [{ max_connections: 1, max_requests: 2 }] }",
      "circuit_breakers.per_host_thresholds[0].max_requests: is not a limit of a host: max_connections is the only one"),
    cluster("circuit_breakers: { per_host_thresholds: [{ max_connections: 1 }, {}] }",
      "circuit_breakers.per_host_thresholds[1].priority: thresholds of this priority are given already"),
    cluster("upstream_connection_options: { tcp_keepalive: { keepalive_time: 40000 } }",
      "upstream_connection_options.tcp_keepalive.keepalive_time: must be at most 32767, got 40000"),
    cluster("typed_extension_protocol_options: { x: { \"@type\": \(Fixture.router) } }",
      "typed_extension_protocol_options[\"x\"]: the only options known are \"envoy.extensions.upstreams.http.v3.HttpProtocolOptions\""),
    Case(
      text: Fixture.bootstrap(clusters: a + Fixture.cluster("b") + a),
      lines: ["static_resources.clusters[2].name: \"a\" is already used by static_resources.clusters[0]"]),
    Case(
      text: Fixture.bootstrap(clusters: Fixture.cluster("a", hosts: ["localhost:80"])),
      lines: [
        "static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: \"localhost\" is not an IP address (names are not resolved here)"
      ]),
  ]

  static let listeners: [Case] = [
    listener("drain_type: MODIFY_ONLY", "drain_type: \(yet)"),
    listener("bind_to_port: false", "bind_to_port: \(yet)"),
    listener("connection_balance_config: { exact_balance: {} }", "connection_balance_config: \(yet)"),
    listener(
      "additional_addresses: [{ address: { socket_address: { address: 127.0.0.1, port_value: 8081 } } }]",
      "additional_addresses: 127.0.0.1:8081 is given twice"),
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.tcp("l", chain: "filter_chain_match: { prefix_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 40 }] }"),
        clusters: a),
      lines: [
        "static_resources.listeners[0].filter_chains[0].filter_chain_match.prefix_ranges[0].prefix_len: must be at most 32, got 40"
      ]),
    Case(
      text: Fixture.bootstrap(listeners: Fixture.tcp("l") + Fixture.tcp("l", port: 1), clusters: a),
      lines: ["static_resources.listeners[1].name: \"l\" is already used by static_resources.listeners[0]"]),
    Case(
      text: Fixture.bootstrap(listeners: Fixture.tcp("l") + Fixture.tcp("m"), clusters: a),
      lines: [
        "static_resources.listeners[1].address: 127.0.0.1:8081 is already used by static_resources.listeners[0]"
      ]),
    Case(
      text: Fixture.bootstrap(listeners: Fixture.tcp("l", cluster: "orgins"), clusters: Fixture.cluster("origins")),
      lines: [hcm + "cluster: unknown cluster \"orgins\", did you mean \"origins\"?"]),
    Case(
      text: Fixture.bootstrap(
        listeners: "    - { name: l, address: { socket_address: { address: 127.0.0.1, port_value: 1, protocol: UDP } }, filter_chains: [{ filters: [] }] }\n"),
      lines: [
        "static_resources.listeners[0].address.socket_address.protocol: UDP is not supported by apus yet",
        "static_resources.listeners[0].filter_chains[0].filters: the last filter must be a connection manager, tcp_proxy or direct_response",
      ]),
    Case(
      text: Fixture.bootstrap(
        listeners: """
              - name: l
                address: { socket_address: { address: 127.0.0.1, port_value: 1 } }
                filter_chains:
                - filter_chain_match: { source_ports: [1, 2] }
                  filters: [&d { name: d, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config } }]
                - filter_chain_match: { source_ports: [2, 3] }
                  filters: [*d, *d]

          """),
      lines: [
        "static_resources.listeners[0].filter_chains[1].filters[1]: stands behind a filter that takes all bytes",
        "static_resources.listeners[0].filter_chains[1].filter_chain_match: filter_chains[0] matches the same connections",
      ]),
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.tcp(
          "l",
          proxy: """
            access_log:
                        - name: x
                          typed_config:
                            "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
                            log_format: { text_format_source: { inline_string: "%DURATON%" } }
            """), clusters: a),
      lines: [
        hcm + "access_log[0].typed_config.log_format.text_format_source.inline_string: %DURATON% at offset 0: unknown or unsupported operator, did you mean %DURATION%?"
      ]),
  ]

  static let managers: [Case] = [
    manager("codec_type: HTTP2"),
    manager("codec_type: HTTP3", "codec_type: HTTP/3 is not supported by apus yet"),
    manager("codec_type: HTTP1"),
    manager("upgrade_configs: [{ upgrade_type: websocket }, { upgrade_type: CONNECT, enabled: false }]"),
    manager("upgrade_configs: [{}]", "upgrade_configs[0].upgrade_type: must not be empty"),
    manager("upgrade_configs: [{ upgrade_type: a }, { upgrade_type: b }, { upgrade_type: A }]",
      "upgrade_configs[2].upgrade_type: \"A\" is already named by upgrade_configs[0]"),
    manager("upgrade_configs: [{ upgrade_type: CONNECT-UDP }]",
      "upgrade_configs[0].upgrade_type: CONNECT-UDP is not supported by apus yet"),
    manager("upgrade_configs: [{ upgrade_type: websocket, filters: [{ name: r, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }] }]"),
    manager("upgrade_configs: [{ upgrade_type: websocket, filters: [{ name: c, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }] }]",
      "upgrade_configs[0].filters: the last filter must be the router (envoy.filters.http.router)"),
    manager("upgrade_configs: [{ upgrade_type: websocket, filters: [{ name: c, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }, { name: c, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }, { name: r, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }] }]",
      "upgrade_configs[0].filters[1].name: \"c\" is already used by filters[0]"),
    manager("upgrade_configs: [{ upgrade_type: websocket, filters: [{ name: c, disabled: true, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }, { name: r, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }] }]",
      "upgrade_configs[0].filters[0].disabled: is not supported in the chain of an upgrade: leave the filter out"),
    manager("stream_idle_timeout: -1s", "stream_idle_timeout: must not be negative"),
    manager("strip_any_host_port: true\n          strip_matching_host_port: true",
      "strip_any_host_port: strip_matching_host_port and strip_any_host_port exclude each other"),
    manager("internal_address_config: { cidr_ranges: [{ address_prefix: x }] }",
      "internal_address_config.cidr_ranges[0].address_prefix: \"x\" is not an IP address"),
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.http("l").replacing("http_filters: [", with: "http_filters: [] # "), clusters: a),
      lines: [hcm + "http_filters: the last filter must be the router (envoy.filters.http.router)"]),
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.http("l").replacing(
          "http_filters: [",
          with: "http_filters: [{ name: router, typed_config: { \"@type\": \(Fixture.router) } }, "),
        clusters: a),
      lines: [
        hcm + "http_filters[0]: the router must be the last of http_filters",
        hcm + "http_filters[1].name: \"router\" is already used by http_filters[0]",
      ]),
  ]

  static let tables: [Case] = [
    routes("[{ match: { prefix: / }, route: { cluster: b } }]",
      "[0].route.cluster: unknown cluster \"b\", did you mean \"a\"?"),
    routes("[{ match: { prefix: / }, route: { weighted_clusters: { clusters: [{ name: a, weight: 1 }, { name: far, weight: 1 }] } } }]",
      "[0].route.weighted_clusters.clusters[1].name: unknown cluster \"far\""),
    routes("[{ match: { prefix: / }, route: { weighted_clusters: { clusters: [{ name: a, weight: 0 }] } } }]",
      "[0].route.weighted_clusters: the sum of weights must be 1...4294967295, got 0"),
    routes("[{ match: { safe_regex: { regex: \"(\" } }, route: { cluster: a } }]",
      "[0].match.safe_regex.regex: missing ): ("),
    routes("[{ match: { prefix: / }, redirect: { port_redirect: 70000 } }]",
      "[0].redirect.port_redirect: must be at most 65535, got 70000"),
    routes("[{ match: { prefix: / }, direct_response: { status: 200, body: { filename: /does/not/exist } } }]",
      "[0].direct_response.body.filename: cannot read \"/does/not/exist\": No such file or directory"),
    routes("[{ match: { prefix: / }, direct_response: { status: 200, body: { environment_variable: APUS_NOT_SET } } }]",
      "[0].direct_response.body.environment_variable: \"APUS_NOT_SET\" is not set"),
    routes("[{ match: { prefix: / }, route: { cluster: a }, request_headers_to_add: [{ header: { key: x, value: \"%NOPE%\" } }] }]",
      "[0].request_headers_to_add[0].header.value: %NOPE% at offset 0: unknown or unsupported operator"),
    routes("[{ match: { prefix: / }, route: { cluster: a }, request_headers_to_add: [{ header: { key: x, value: v }, append: true, append_action: ADD_IF_ABSENT }] }]",
      "[0].request_headers_to_add[0].append: append and append_action exclude each other"),
    action("hash_policy: [{ header: { header_name: x } }, { cookie: { name: c, ttl: 1s, path: /, attributes: [{ name: Secure }] }, terminal: true }, { query_parameter: { name: k } }, { connection_properties: { source_ip: true } }]"),
    action("hash_policy: [{ connection_properties: {} }, { filter_state: { key: k } }]",
      "hash_policy[0].connection_properties: source_ip must be true: there is no other property",
      "hash_policy[1].filter_state: is not supported by apus: no filter leaves state for others yet"),
    action("hash_policy: [{ query_parameter: { name: k } }, { header: { header_name: x, regex_rewrite: { pattern: { regex: \"(\" } } } }, { cookie: { name: a b, path: \"/;\" } }]",
      "hash_policy[1].header.regex_rewrite.pattern.regex: missing ): (",
      "hash_policy[2].cookie.name: \"a b\" is not a cookie's name",
      "hash_policy[2].cookie.path: must not hold \";\" or control characters"),
    action("request_mirror_policies: [{ cluster: a, runtime_fraction: { default_value: { numerator: 3 } }, request_headers_mutations: [{ remove: x }, { append: { header: { key: x, value: v } } }] }, { cluster_header: x, disable_shadow_host_suffix_append: true }, { cluster: a, host_rewrite_literal: b }]"),
    action("request_mirror_policies: [{ cluster: a }, {}]",
      "request_mirror_policies[1]: cluster or cluster_header is required"),
    action("request_mirror_policies: [{ cluster: a, cluster_header: x }]",
      "request_mirror_policies[0].cluster_header: cluster and cluster_header exclude each other"),
    action("request_mirror_policies: [{ cluster: nobody }]",
      "request_mirror_policies[0].cluster: unknown cluster \"nobody\""),
    action("request_mirror_policies: [{ cluster: a, request_headers_mutations: [{ append: { header: { key: \":path\", value: v } } }] }]",
      "request_mirror_policies[0].request_headers_mutations[0].append.header.key: \":path\": pseudo-headers and Host cannot be changed here"),
    action(
      "hedge_policy: {initial_requests: 2}",
      "hedge_policy.initial_requests: must be 1, got 2: only hedge_on_per_try_timeout sends more than one request at a time"),
    action(
      "hedge_policy: {additional_request_chance: {numerator: 5}}",
      "hedge_policy.additional_request_chance: must be 0: only hedge_on_per_try_timeout sends more than one request at a time"),
    action("internal_redirect_policy: { redirect_response_codes: [302, 304] }",
      "internal_redirect_policy.redirect_response_codes[1]: must be 301, 302, 303, 307 or 308, got 304"),
    action("internal_redirect_policy: { response_headers_to_copy: [\":path\"] }",
      "internal_redirect_policy.response_headers_to_copy[0]: \":path\" is no header"),
    cluster("metadata: { filter_metadata: { apus: { latency_outlier: { quantile: P50 } } } }",
      "metadata.filter_metadata[\"apus\"].latency_outlier: needs outlier_detection, whose interval, times and limits of ejections hold for it"),
    cluster("outlier_detection: { max_ejection_percent: 100 }\n    metadata: { filter_metadata: { apus: { latency_outlier: { minimum_latency: 0.0005s } } } }"),
    cluster("outlier_detection: { max_ejection_percent: 100 }\n    metadata: { filter_metadata: { apus: { latency_outlier: { deviation_factor: .inf } } } }",
      "metadata.filter_metadata[\"apus\"]: cannot be read: a number in it is infinite or none"),
    cluster("outlier_detection: { max_ejection_percent: 100 }\n    metadata: { filter_metadata: { apus: { latency_outlier: { minimum_ratio: 'Infinity' } } } }",
      "metadata.filter_metadata[\"apus\"].latency_outlier.minimum_ratio: must be a number, got inf"),
    action("upgrade_configs: [{ upgrade_type: websocket }, { upgrade_type: CONNECT, connect_config: { allow_post: true, proxy_protocol_config: { version: V2 } } }]"),
    action("upgrade_configs: [{ upgrade_type: x }, { upgrade_type: X, enabled: false }]",
      "upgrade_configs[1].upgrade_type: \"X\" is already named by upgrade_configs[0]"),
    action("upgrade_configs: [{ upgrade_type: websocket, connect_config: {} }]",
      "upgrade_configs[0].connect_config: belongs to upgrade_type CONNECT only"),
    action("cors: {}",
      "cors: is not supported by apus: use typed_per_filter_config with envoy.filters.http.cors"),
    action("prefix_rewrite: /x, regex_rewrite: { pattern: { regex: a }, substitution: b }",
      "regex_rewrite: prefix_rewrite and regex_rewrite exclude each other"),
    action("max_grpc_timeout: -1s", "max_grpc_timeout: must not be negative"),
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.http("l", table: "internal_only_headers: [x]"), clusters: a),
      lines: [hcm + "route_config.internal_only_headers: \(yet)"]),
    // Unknown clusters are the request's problem when the table says so.
    Case(
      text: Fixture.bootstrap(
        listeners: Fixture.http("l", table: "validate_clusters: false"), clusters: Fixture.cluster("b")),
      lines: []),
  ]

  static let bootstraps: [Case] = [
    Case(
      text: Fixture.bootstrap(
        clusters: a,
        top: "stats_sinks: [{ name: x, typed_config: { \"@type\": type.googleapis.com/envoy.config.metrics.v3.StatsdSink, tcp_cluster_name: b } }]"),
      lines: ["stats_sinks[0].typed_config.tcp_cluster_name: unknown cluster \"b\", did you mean \"a\"?"]),
    Case(
      text: Fixture.bootstrap(
        top: "stats_config: { stats_matcher: { exclusion_list: { patterns: [{ safe_regex: { regex: \"[\" } }] } } }"),
      lines: [
        "stats_config.stats_matcher.exclusion_list.patterns[0].safe_regex.regex: missing ]: ["
      ]),
    Case(
      text: Fixture.bootstrap(
        top: "admin: { address: { socket_address: { address: here, port_value: 1 } } }"),
      lines: ["admin.address.socket_address.address: \"here\" is not an IP address (names are not resolved here)"]),
  ]

  @Test(arguments: clusters + listeners + managers + tables + bootstraps)
  func isReported(_ example: Case) throws {
    var bench = try Bench()
    let errors = try bench.errors(example.text)
    #expect(errors.map(Self.withoutLocation) == example.lines)
    #expect(errors.allSatisfy { $0.hasPrefix("a.yaml:") })
    if !example.lines.isEmpty { #expect(bench.sockets.requests.isEmpty) }
  }

  @Test func linesNameTheirPlace() throws {
    var bench = try Bench()
    let errors = try bench.errors(
      """
      static_resources:
        clusters:
        - name: one
          lb_policy: CLUSTER_PROVIDED
        - name: two
          type: EDS
      """)
    #expect(
      errors == [
        "a.yaml:4:5: static_resources.clusters[0].lb_policy: CLUSTER_PROVIDED needs a cluster type that provides a balancer, and there is none yet",
        "a.yaml:6:5: static_resources.clusters[1].type: only STATIC clusters are supported by apus so far",
      ])
  }

  @Test func aSocketThatCannotBeOpenedIsAnError() throws {
    var bench = try Bench()
    bench.sockets.failure = "cannot bind 127.0.0.1:8081: Address already in use"
    let errors = try bench.errors(Fixture.bootstrap(listeners: Fixture.tcp("l"), clusters: Self.a))
    #expect(
      errors.map(Self.withoutLocation) == [
        "static_resources.listeners[0].address: cannot bind 127.0.0.1:8081: Address already in use"
      ])
  }

  private static func withoutLocation(_ line: String) -> String {
    String(line[(line.firstRange(of: ": ")?.upperBound ?? line.startIndex)...])
  }
}
