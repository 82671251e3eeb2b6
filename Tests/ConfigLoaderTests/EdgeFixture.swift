/// A configuration that uses most of the schema. Envoy 1.40 accepts it with the merge key written
/// out, which Envoy's reader does not know.
enum EdgeFixture {
  static let name = "edge.yaml"
  static let text = #"""
    node: { id: edge-1, cluster: edge, locality: { region: eu, zone: a }, metadata: { b: [x, null] } }
    admin:
      address: { socket_address: { address: 127.0.0.1, port_value: 9901 } }
    stats_flush_interval: 5s
    stats_sinks:
    - name: envoy.stat_sinks.statsd
      typed_config:
        "@type": type.googleapis.com/envoy.config.metrics.v3.StatsdSink
        address: { socket_address: { address: 127.0.0.1, port_value: 8125 } }
        prefix: edge
    stats_config:
      stats_matcher:
        inclusion_list:
          patterns: [{ prefix: cluster. }, { safe_regex: { regex: "http\\..*" } }]
      histogram_bucket_settings:
      - match: { prefix: cluster, ignore_case: true }
        buckets: [1, 5.5, 1e3]
    layered_runtime:
      layers:
      - name: static
        static_layer:
          upstream.use_retry: true
          re: { a: 1 }
    static_resources:
      listeners:
      - name: edge
        address: { socket_address: { address: 127.0.0.1, port_value: 18080 } }
        per_connection_buffer_limit_bytes: 32768
        enable_reuse_port: true
        traffic_direction: INBOUND
        listener_filters_timeout: 0.5s
        listener_filters:
        - name: envoy.filters.listener.http_inspector
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector
        filter_chains:
        - filter_chain_match: { source_ports: [1, 65535], application_protocols: [http/1.1] }
          filters:
          - name: envoy.filters.network.http_connection_manager
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
              stat_prefix: edge
              use_remote_address: true
              server_header_transformation: PASS_THROUGH
              common_http_protocol_options: { idle_timeout: 3600s, headers_with_underscores_action: REJECT_REQUEST }
              http_protocol_options: { accept_http_10: true, header_key_format: { proper_case_words: {} } }
              access_log:
              - name: envoy.access_loggers.file
                filter:
                  and_filter:
                    filters:
                    - status_code_filter: { comparison: { op: GE, value: { default_value: 500, runtime_key: k } } }
                    - response_flag_filter: { flags: [UH, UF] }
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                  path: /dev/null
                  log_format:
                    json_format: { status: "%RESPONSE_CODE%", nested: { path: "%REQ(:PATH)%" } }
              route_config:
                name: local
                max_direct_response_body_size_bytes: 8192
                virtual_hosts:
                - name: api
                  domains: ["api.example.com", "*.api.example.com"]
                  require_tls: EXTERNAL_ONLY
                  retry_policy: { retry_on: "5xx,reset", num_retries: 2, retry_back_off: { base_interval: 0.025s } }
                  virtual_clusters:
                  - name: users
                    headers: [{ name: ":path", string_match: { prefix: /users } }]
                  typed_per_filter_config:
                    envoy.filters.http.buffer:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute
                      disabled: true
                  routes:
                  - match: { path_separated_prefix: /users, headers: [{ name: x-a, range_match: { start: "-5", end: 10 }, invert_match: true }] }
                    route: { cluster: users, timeout: 1.5s, priority: HIGH, prefix_rewrite: /u, hash_policy: [{ cookie: { name: c, ttl: 0s } }] }
                  - match: { safe_regex: { regex: "/v[0-9]+" }, runtime_fraction: { default_value: { numerator: 5, denominator: TEN_THOUSAND } } }
                    route:
                      weighted_clusters:
                        clusters: [{ name: users, weight: 9 }, { name: old, weight: 1, response_headers_to_add: [{ header: { key: x-old, value: "1" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }] }]
                  - match: { prefix: /go }
                    redirect: { https_redirect: true, host_redirect: new.example.com, response_code: TEMPORARY_REDIRECT }
                  - match: { prefix: / }
                    direct_response: { status: 404, body: { inline_string: "nothing\n" } }
                - name: rest
                  domains: ["*"]
                  routes:
                  - match: { connect_matcher: {} }
                    route: { cluster: old }
                  - match: { prefix: / }
                    route: { cluster: old, retry_policy: {} }
              http_filters:
              - name: envoy.filters.http.buffer
                disabled: true
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                  max_request_bytes: 65536
              - name: envoy.filters.http.fault
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                  abort: { http_status: 503, percentage: { numerator: 1 } }
              - name: envoy.filters.http.router
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              local_reply_config:
                mappers:
                - filter: { status_code_filter: { comparison: { op: EQ, value: { default_value: 404, runtime_key: k } } } }
                  status_code: 410
                  body: { inline_string: gone }
      - name: tcp
        address: { socket_address: { address: 127.0.0.1, port_value: 18081 } }
        filter_chains:
        - filters:
          - name: envoy.filters.network.tcp_proxy
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
              statPrefix: tcp
              cluster: users
              idleTimeout: 60s
      clusters:
      - name: users
        type: STATIC
        connect_timeout: 0.25s
        lb_policy: LEAST_REQUEST
        circuit_breakers: { thresholds: [{ priority: HIGH, max_connections: 10, retry_budget: { budget_percent: { value: 12.5 } } }] }
        typed_extension_protocol_options:
          envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
            "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
            common_http_protocol_options: { max_requests_per_connection: 100 }
            explicit_http_config: { http_protocol_options: {} }
        load_assignment: &endpoints
          cluster_name: users
          endpoints:
          - lb_endpoints:
            - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9000 } } }
              load_balancing_weight: 3
      - name: old
        type: STATIC
        upstream_connection_options: { tcp_keepalive: { keepalive_time: 30 } }
        load_assignment:
          <<: *endpoints
          cluster_name: old
    """#
}
