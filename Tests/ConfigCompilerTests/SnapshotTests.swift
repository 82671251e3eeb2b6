import Balancing
import ConfigCompiler
import ConfigLoader
import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Routing
import Testing

@testable import Proxy

/// Fields of a configuration arrive where workers read them.
@Suite struct SnapshotTests {
  private static func manager(
    _ extra: String
  ) throws -> (HTTPConnectionManagerConfig, Compilation) {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http("l", manager: extra), clusters: Fixture.cluster("a"),
        top: "node: { id: n1, cluster: c1 }"))
    guard
      case .http(let manager) = compilation.snapshot.listeners[0].value.chains.array[0].value
        .terminal
    else { throw Failed() }
    return (manager.value, compilation)
  }

  @Test func aManagerHasEnvoysDefaults() throws {
    let (config, compilation) = try Self.manager("")
    #expect(config.limits.headBytesMax == 60 * 1024)
    #expect(config.limits.fieldCountMax == 100)
    #expect(config.options.allowAbsoluteURL)
    #expect(!config.options.acceptHTTP10)
    #expect(config.idleTimeout == 3_600_000_000_000)
    #expect(config.streamIdleTimeout == 300_000_000_000)
    #expect(config.requestTimeout == 0)
    #expect(config.delayedCloseTimeout == 1_000_000_000)
    #expect(config.serverName.text == "envoy")
    #expect(config.generateRequestID)
    #expect(!config.useRemoteAddress)
    #expect(config.pathRules.isIdle)
    #expect(config.hostRules.isIdle)
    #expect(config.serviceCluster.text == "c1")
    #expect(config.serviceNode.text == "n1")
    #expect(config.filters.all.isEmpty)
    withExtendedLifetime(compilation) {}
  }

  @Test func aManagersFieldsArrive() throws {
    let fields = [
      "max_request_headers_kb: 8",
      "common_http_protocol_options: { idle_timeout: 1.5s, max_connection_duration: 2s, max_stream_duration: 3s, max_headers_count: 7, max_requests_per_connection: 9, headers_with_underscores_action: DROP_HEADER }",
      "http_protocol_options: { accept_http_10: true, default_host_for_http_10: h, enable_trailers: true, allow_chunked_length: true, allow_absolute_url: false, header_key_format: { proper_case_words: {} } }",
      "stream_idle_timeout: 0s", "request_timeout: 4s", "request_headers_timeout: 5s",
      "delayed_close_timeout: 6s", "use_remote_address: true", "xff_num_trusted_hops: 2",
      "skip_xff_append: true", "via: v", "server_name: s",
      "server_header_transformation: PASS_THROUGH", "generate_request_id: false",
      "preserve_external_request_id: true", "always_set_request_id_in_response: true",
      "append_x_forwarded_port: true", "add_user_agent: true", "proxy_100_continue: true",
      "internal_address_config: { unix_sockets: true, cidr_ranges: [{ address_prefix: 10.1.2.3, prefix_len: 8 }] }",
      "normalize_path: true", "merge_slashes: true",
      "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD", "strip_any_host_port: true",
      "strip_trailing_host_dot: true",
      "local_reply_config: { mappers: [{ filter: { status_code_filter: { comparison: { op: EQ, value: { default_value: 404, runtime_key: x } } } }, status_code: 405, body: { inline_string: gone } }], body_format: { json_format: { a: b } } }",
    ]
    let (config, compilation) = try Self.manager(fields.joined(separator: "\n          "))
    #expect(config.limits.headBytesMax == 8192)
    #expect(config.limits.fieldCountMax == 7)
    #expect(config.options.underscores == .drop)
    #expect(config.options.acceptHTTP10)
    #expect(config.options.allowChunkedLength)
    #expect(!config.options.allowAbsoluteURL)
    #expect(config.defaultHostForHTTP10?.text == "h")
    #expect(config.enableTrailers)
    #expect(config.usesProperCaseHeaders)
    #expect(config.idleTimeout == 1_500_000_000)
    #expect(config.maxConnectionDuration == 2_000_000_000)
    #expect(config.maxStreamDuration == 3_000_000_000)
    #expect(config.maxRequestsPerConnection == 9)
    #expect(config.streamIdleTimeout == 0)
    #expect(config.requestTimeout == 4_000_000_000)
    #expect(config.requestHeadersTimeout == 5_000_000_000)
    #expect(config.delayedCloseTimeout == 6_000_000_000)
    #expect(config.useRemoteAddress)
    #expect(config.trustedHops == 2)
    #expect(config.skipXFFAppend)
    #expect(config.via?.text == "v")
    #expect(config.serverName.text == "s")
    #expect(config.serverHeader == .passThrough)
    #expect(!config.generateRequestID)
    #expect(config.preserveExternalRequestID)
    #expect(config.alwaysSetRequestIDInResponse)
    #expect(config.appendForwardedPort)
    #expect(config.addUserAgent)
    #expect(config.proxy100Continue)
    #expect(config.internalUnixSockets)
    let inside = try #require(IPAddress("10.200.0.1"))
    #expect(config.internalRanges.array.first?.contains(inside) == true)
    #expect(config.pathRules.normalizesPath)
    #expect(config.pathRules.mergesSlashes)
    #expect(config.pathRules.escapedSlashes == .unescapeAndForward)
    #expect(config.hostRules.port == .any)
    #expect(config.hostRules.stripsTrailingDot)
    let replies = try #require(config.localReplies)
    #expect(replies.mappers.first?.status == 405)
    #expect(replies.mappers.first?.body?.text == "gone")
    #expect(replies.contentType?.text == "application/json")
    withExtendedLifetime(compilation) {}
  }

  @Test func aListenersFieldsArrive() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: """
              - name: l
                address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
                additional_addresses: [{ address: { pipe: { path: /tmp/apus.sock } } }, { address: { socket_address: { address: "::1", port_value: 9 } } }]
                per_connection_buffer_limit_bytes: 4096
                listener_filters_timeout: 0s
                continue_on_listener_filters_timeout: true
                listener_filters:
                - name: p
                  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol, allow_requests_without_proxy_protocol: true }
                - name: h
                  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector }
                filter_chains:
                - name: inside
                  filter_chain_match: { source_prefix_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }
                  filters:
                  - name: limit
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit, stat_prefix: lim, max_connections: 3, delay: 0.1s }
                  - name: t
                    typed_config:
                      "@type": \(Fixture.tcpProxy)
                      stat_prefix: t
                      weighted_clusters: { clusters: [{ name: a, weight: 3 }, { name: b, weight: 1 }] }
                      idle_timeout: 0s
                      max_connect_attempts: 4
                      max_downstream_connection_duration: 9s
                default_filter_chain:
                  filters: [{ name: d, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config, response: { inline_string: bye } } }]

          """, clusters: Fixture.cluster("a") + Fixture.cluster("b")))
    let config = compilation.snapshot.listeners[0].value
    #expect(config.addresses.map(\.description) == ["127.0.0.1:40000", "/tmp/apus.sock", "[::1]:9"])
    #expect(config.sockets.map(\.count) == [3, 3])
    #expect(config.bufferLimitBytes == 4096)
    #expect(config.listenerFiltersTimeoutNanoseconds == 0)
    #expect(config.continueOnListenerFiltersTimeout)
    #expect(config.listenerFilters == .proxyProtocol)
    #expect(config.proxyProtocol.allowsRequestsWithout)
    let chains = config.chains.array.map(\.value)
    #expect(chains[0].name.text == "inside")
    let limit = try #require(chains[0].connectionLimits.array.first)
    #expect(limit.max == 3)
    #expect(limit.delayNanoseconds == 100_000_000)
    guard case .tcpProxy(let proxy) = chains[0].terminal else { throw Failed() }
    #expect(proxy.value.targets.array.map(\.weight) == [3, 1])
    #expect(proxy.value.totalWeight == 4)
    #expect(proxy.value.idleTimeoutNanoseconds == 0)
    #expect(proxy.value.maxConnectAttempts == 4)
    #expect(proxy.value.maxDurationNanoseconds == 9_000_000_000)
    guard case .directResponse(let text) = chains[1].terminal else { throw Failed() }
    #expect(text.text == "bye")
    func chain(from address: String) -> Int? {
      config.matcher.match(
        FilterChainMatcher.Connection(
          destination: nil, destinationPort: 0, source: IPAddress(address), sourcePort: 1,
          directSource: nil))
    }
    #expect(chain(from: "10.1.1.1") == 0)
    #expect(chain(from: "11.1.1.1") == 1)
    #expect(bench.metricNames.contains("connection_limit.lim.limited_connections"))
    #expect(bench.metricNames.contains("listener.127.0.0.1_0.downstream_cx_total"))
  }

  @Test func aClustersFieldsArrive() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        clusters: """
              - name: a
                type: STATIC
                lb_policy: RANDOM
                connect_timeout: 0.25s
                per_connection_buffer_limit_bytes: 1000
                circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4 }, { priority: HIGH, max_requests: 0 }] }
                upstream_connection_options: { tcp_keepalive: { keepalive_probes: 1, keepalive_time: 2, keepalive_interval: 3 } }
                typed_extension_protocol_options:
                  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                    common_http_protocol_options: { idle_timeout: 7s, max_connection_duration: 8s, max_headers_count: 9, max_response_headers_kb: 10, max_requests_per_connection: 11 }
                    explicit_http_config: { http_protocol_options: { enable_trailers: true, header_key_format: { proper_case_words: {} } } }
                load_assignment:
                  cluster_name: a
                  endpoints:
                  - priority: 1
                    lb_endpoints: [{ endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 1 } } } }]
                  - locality: { region: r, zone: z, sub_zone: s }
                    lb_endpoints:
                    - { health_status: UNHEALTHY, endpoint: { address: { socket_address: { address: 10.0.0.2, port_value: 2 } } } }
                    - { load_balancing_weight: 5, endpoint: { hostname: h, address: { pipe: { path: /x } } } }
                    - { health_status: DEGRADED, endpoint: { address: { socket_address: { address: 10.0.0.3, port_value: 3 } } } }
                    - { health_status: HEALTHY, endpoint: { address: { socket_address: { address: "::1", port_value: 4 } } } }

          """))
    let config = try #require(compilation.snapshot.clusters.array[0]).value
    #expect(compilation.snapshot.hosts(of: "a")?.settings.policy == .random)
    #expect(config.connectTimeoutNanoseconds == 250_000_000)
    #expect(config.bufferLimitBytes == 1000)
    #expect(config.normalLimits.connections == 1)
    #expect(config.normalLimits.pendingRequests == 2)
    #expect(config.normalLimits.requests == 3)
    #expect(config.normalLimits.retries == 4)
    #expect(config.highLimits.requests == 0)
    #expect(config.highLimits.connections == 1024)
    #expect(config.keepalive?.timeSeconds == 2)
    #expect(config.idleTimeoutNanoseconds == 7_000_000_000)
    #expect(config.maxConnectionDurationNanoseconds == 8_000_000_000)
    #expect(config.maxResponseHeaders == 9)
    #expect(config.maxResponseHeadBytes == 10_240)
    #expect(config.maxRequestsPerConnection == 11)
    #expect(config.enableTrailers)
    #expect(config.usesProperCaseHeaders)
    let set = try #require(compilation.snapshot.hosts(of: "a"))
    let hosts = set.hosts.array.map(\.value)
    #expect(hosts.map(\.text.text) == ["10.0.0.1:1", "10.0.0.2:2", "/x", "10.0.0.3:3", "[::1]:4"])
    #expect(hosts[2].hostname.text == "h")
    #expect(hosts[2].locality.zone == "z")
    // Healthy ones: of the first level 70 %, so that the second gets 30.
    #expect(set.chosen == [0, 2, 4])
    #expect(set.lists.array[Int(set.levels.array[0].healthy)].kind == .random)
    #expect(bench.value("cluster.a.membership_total") == 5)
    #expect(bench.value("cluster.a.membership_healthy") == 3)
    #expect(bench.value("cluster.a.membership_degraded") == 1)
  }

  @Test(arguments: [
    // 70 % each.
    (["HEALTHY", "DEGRADED"], [0, 1]), (["HEALTHY", "HEALTHY", "HEALTHY", "DEGRADED"], [0, 1, 2]),
    (["UNHEALTHY", "DEGRADED"], [1]), (["UNKNOWN", "HEALTHY"], [0, 1]),
    // Panic.
    (["DRAINING", "TIMEOUT"], [0, 1]), (["HEALTHY", "TIMEOUT", "TIMEOUT"], [0, 1, 2]),
  ] as [([String], [Int32])])
  func healthDecidesWhoIsChosen(states: [String], chosen: [Int32]) throws {
    var bench = try Bench()
    let endpoints = states.enumerated().map { index, state in
      "{ health_status: \(state), endpoint: { address: { socket_address: { address: 10.0.0.\(index + 1), port_value: 1 } } } }"
    }.joined(separator: ", ")
    let compilation = try bench.compile(
      Fixture.bootstrap(
        clusters:
          "    - { name: a, load_assignment: { cluster_name: a, endpoints: [{ lb_endpoints: [\(endpoints)] }] } }\n"
      ))
    #expect(compilation.snapshot.hosts(of: "a")?.chosen == chosen)
  }

  @Test func settingsOfLevelsArrive() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        clusters: """
            - name: a
              common_lb_config:
                healthy_panic_threshold: { value: 33.9 }
                zone_aware_lb_config: { fail_traffic_on_panic: true, min_cluster_size: 3 }
              load_assignment:
                cluster_name: a
                policy:
                  overprovisioning_factor: 200
                  weighted_priority_health: true
                  drop_overloads: [{ category: x, drop_percentage: { numerator: 7, denominator: TEN_THOUSAND } }]
                endpoints: [{ priority: 128, lb_endpoints: [{ endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 1 } } } }] }]

          """ + Fixture.cluster("b")))
    let set = try #require(compilation.snapshot.hosts(of: "a"))
    #expect(
      set.settings.levels
        == LevelSettings(overprovisioningFactor: 200, panicThreshold: 33, usesWeights: true, failsInPanic: true))
    #expect(set.levels.buffer.count == 129)
    #expect(set.chosen == [0])
    #expect(compilation.snapshot.hosts(of: "b")?.settings.levels == LevelSettings())
    #expect(compilation.snapshot.clusters.array.map { $0?.value.dropsPerMillion } == [700, 0])
    #expect(
      compilation.warnings.map(\.message) == ["has no effect without cluster_manager.local_cluster_name"])
  }

  @Test func routesArrive() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http(
          "l",
          routes:
            "[{ name: one, match: { prefix: /a }, route: { cluster: a, timeout: 0.0005s, idle_timeout: 2s, priority: HIGH, cluster_not_found_response_code: NOT_FOUND, max_stream_duration: { max_stream_duration: 3s, grpc_timeout_header_max: 0s, grpc_timeout_header_offset: 0.05s } } }, { match: { path: /b }, redirect: { response_code: SEE_OTHER, path_redirect: /c } }, { match: { prefix: / }, request_body_buffer_limit: 5, direct_response: { status: 201, body: { inline_string: hi } } }, { match: { prefix: /never }, route: { cluster: a, timeout: 0.0005s, retry_policy: {} } }]",
          virtualHost: "per_request_buffer_limit_bytes: 9"), clusters: Fixture.cluster("a")))
    let table = try #require(compilation.snapshot.routeTables.array[0]).value.table
    let first = table.lookup.route(0).pointee
    #expect(first.timeoutMilliseconds == 0)
    #expect(table.lookup.route(3).pointee.timeoutMilliseconds == 1)
    #expect(first.idleTimeoutMilliseconds == 2000)
    #expect(first.maxStreamDurationMilliseconds == 3000)
    #expect(first.grpcTimeoutMaxMilliseconds == 0)
    #expect(first.grpcTimeoutOffsetMilliseconds == 50)
    #expect(first.priority == .high)
    #expect(first.clusterNotFoundStatus == 404)
    #expect(first.requestBodyBufferLimitBytes == 9)
    #expect(table.lookup.route(1).pointee.status == 303)
    #expect(table.lookup.route(2).pointee.status == 201)
    #expect(table.lookup.route(2).pointee.body.string == "hi")
    #expect(table.lookup.route(2).pointee.requestBodyBufferLimitBytes == 5)
    #expect(
      compilation.warnings.map(\.message) == [
        "has no effect beside max_stream_duration",
        "is never reached: routes[2] takes every request",
      ])
  }

  @Test func upgradesArrive() throws {
    let (config, compilation) = try Self.manager(
      "upgrade_configs: [{ upgrade_type: websocket }, { upgrade_type: CONNECT, enabled: false }]\n          http2_protocol_options: { allow_connect: true }")
    #expect(config.upgrades.array.map(\.type.text) == ["websocket", "CONNECT"])
    #expect(config.upgrades.array.map(\.isEnabled) == [true, false])
    #expect(config.http2.pointee.options.allowsConnect)
    #expect(compilation.warnings.isEmpty)
  }

  @Test func upgradesOfRoutesArrive() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http(
          "l",
          routes:
            "[{ match: { connect_matcher: {} }, route: { cluster: a, upgrade_configs: [{ upgrade_type: CONNECT, connect_config: { allow_post: true, proxy_protocol_config: { version: V2 } } }] } }, { match: { prefix: / }, route: { cluster: a, upgrade_configs: [{ upgrade_type: x, enabled: false }, { upgrade_type: CONNECT, enabled: false, connect_config: {} }] } }]"),
        clusters: Fixture.cluster("a")))
    let lookup = try #require(compilation.snapshot.routeTables.array[0]).value.table.lookup
    let connect = lookup.route(0).pointee
    #expect(connect.upgradeIsEnabled(ByteView("connect")) == true)
    #expect(connect.terminatesConnect && connect.connectTakesPost)
    #expect(connect.connectProxyProtocol == 2)
    let other = lookup.route(1).pointee
    #expect(other.upgradeIsEnabled(ByteView("X")) == false)
    #expect(other.upgradeIsEnabled(ByteView("y")) == nil)
    #expect(!other.terminatesConnect)
  }

  @Test func leaveToConnectWithoutUpgradesIsWarnedOf() throws {
    let (_, compilation) = try Self.manager("http2_protocol_options: { allow_connect: true }")
    #expect(
      compilation.warnings.map(\.message) == [
        "has no effect: neither the listener nor a route has upgrade_configs"
      ])
  }

  @Test func noLimitForLingeringConnectionsIsWarnedOf() throws {
    let (config, compilation) = try Self.manager("delayed_close_timeout: 0s")
    #expect(config.delayedCloseTimeout == 0)
    #expect(
      compilation.warnings.map(\.message) == [
        "0 means no limit: a client that reads nothing holds its connection for ever"
      ])
  }

  @Test func theBootstrapArrives() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        clusters: Fixture.cluster("a"),
        top: """
          admin: { address: { pipe: { path: /tmp/admin } } }
          stats_flush_interval: 0.25s
          layered_runtime: { layers: [{ name: x, static_layer: { some.key: 1 } }] }
          stats_sinks:
          - { name: s, typed_config: { "@type": type.googleapis.com/envoy.config.metrics.v3.StatsdSink, address: { socket_address: { address: 127.0.0.1, port_value: 8125 } } } }
          - { name: s, typed_config: { "@type": type.googleapis.com/envoy.config.metrics.v3.StatsdSink, tcp_cluster_name: a, prefix: p } }
          - { name: d, typed_config: { "@type": type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink, address: { socket_address: { address: "::1", port_value: 1 } }, max_bytes_per_datagram: 500 } }
          """))
    #expect(compilation.admin?.address == .pipe("/tmp/admin"))
    #expect(compilation.flushIntervalMilliseconds == 250)
    let host = try #require(SocketAddress("10.0.0.1:80"))
    #expect(
      compilation.sinks == [
        SinkSettings(
          destination: .udp(try #require(SocketAddress("127.0.0.1:8125"))), dialect: .statsd,
          prefix: "envoy"),
        SinkSettings(
          destination: .tcp(cluster: "a", addresses: [host]), dialect: .statsd, prefix: "p"),
        SinkSettings(
          destination: .udp(try #require(SocketAddress("[::1]:1"))), dialect: .dogStatsd,
          prefix: "envoy", datagramBytesMax: 500),
      ])
    #expect(
      compilation.warnings.map(\.description) == [
        "a.yaml:3:40: warning: layered_runtime.layers[0].static_layer: the runtime key \"some.key\" has no effect"
      ])
  }

  @Test func checkingOpensNothingAndChangesNothing() throws {
    let bench = try Bench()
    let before = bench.metricNames
    let good = try load(
      Fixture.bootstrap(listeners: Fixture.tcp("l"), clusters: Fixture.cluster("a")))
    #expect(bench.compiler.check(good).isEmpty)
    let bad = try load(
      Fixture.bootstrap(listeners: Fixture.tcp("l"), clusters: Fixture.cluster("b")))
    #expect(bench.compiler.check(bad).count == 1)
    #expect(bench.metricNames == before)
    #expect(bench.sockets.requests.isEmpty)
  }
}
