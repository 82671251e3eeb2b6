import ConfigCompiler
import ConfigLoader
import Routing
import Testing

@testable import Proxy

/// HTTP filters, and what routes say about them.
@Suite struct HTTPFilterTests {
  private static let prefix = "type.googleapis.com/envoy.extensions.filters.http."
  private static let buffer = "{ name: buffer, typed_config: { \"@type\": \(prefix)buffer.v3.Buffer, max_request_bytes: 10 } }"
  private static let cors = "{ name: cors, typed_config: { \"@type\": \(prefix)cors.v3.Cors } }"
  private static let mutation =
    "{ name: mutation, disabled: true, typed_config: { \"@type\": \(prefix)header_mutation.v3.HeaderMutation, mutations: { request_mutations: [{ remove: x }, { append: { header: { key: w, value: z } } }] } } }"
  private static let fault =
    "{ name: fault, typed_config: { \"@type\": \(prefix)fault.v3.HTTPFault, delay: { fixed_delay: 1s, percentage: { numerator: 1 } }, abort: { http_status: 503 } } }"
  private static let health =
    "{ name: health, typed_config: { \"@type\": \(prefix)health_check.v3.HealthCheck, pass_through_mode: false, cluster_min_healthy_percentages: { later: { value: 50 } }, headers: [{ name: \":path\", string_match: { exact: /h } }] } }"

  private static func text(
    filters: [String], table: String = "", host: String = "", route: String = ""
  ) -> String {
    let routes =
      "[{ match: { prefix: / }, route: { cluster: a }\(route.isEmpty ? "" : ", typed_per_filter_config: { \(route) }") }]"
    return Fixture.bootstrap(
      listeners: Fixture.http(
        "l", routes: routes,
        virtualHost: host.isEmpty ? "" : "typed_per_filter_config: { \(host) }",
        table: table.isEmpty ? "" : "typed_per_filter_config: { \(table) }"
      ).replacing("http_filters: [", with: "http_filters: [\(filters.map { $0 + ", " }.joined())"),
      clusters: Fixture.cluster("a"))
  }

  private static func compiled(
    _ bench: inout Bench, _ text: String
  ) throws -> (manager: HTTPConnectionManagerConfig, table: RouteTableConfig, Compilation) {
    let compilation = try bench.compile(text)
    guard
      case .http(let manager) = compilation.snapshot.listeners[0].value.chains.array[0].value
        .terminal,
      let table = compilation.snapshot.routeTables.array[Int(manager.value.routeTable)]
    else { throw Failed() }
    return (manager.value, table.value, compilation)
  }

  /// What applies to the first route, by filter.
  private static func config(_ table: RouteTableConfig, _ place: Int) -> AnyObject? {
    let number = table.filterNumbers.array[place]
    guard number != RouteTableConfig.none,
      let slot = table.lookup.filterConfig(route: 0, filter: number)
    else { return nil }
    return table.filterConfigs.array[Int(slot)].takeUnretainedValue()
  }

  @Test func filtersAreInOrderAndTheRouterIsLeftOut() throws {
    var bench = try Bench()
    let (manager, table, compilation) = try Self.compiled(
      &bench,
      Self.text(filters: [Self.buffer, Self.cors, Self.mutation, Self.fault, Self.health]))
    #expect(manager.filters.all.map(\.name) == ["buffer", "cors", "mutation", "fault", "health"])
    #expect(Self.config(table, 0) == nil)
    // Off by default.
    #expect(Self.config(table, 2) is DisabledFilter)
    #expect(table.hasDisabledFilters)
    #expect(bench.metricNames.contains("http.l.fault.delays_injected"))
    withExtendedLifetime(compilation) {}
  }

  @Test func theMostSpecificSettingsCount() throws {
    var bench = try Bench()
    let (_, table, compilation) = try Self.compiled(
      &bench,
      Self.text(
        filters: [Self.buffer, Self.mutation, Self.fault],
        table: "buffer: { \"@type\": \(Self.prefix)buffer.v3.BufferPerRoute, disabled: true }",
        host:
          "fault: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }",
        route:
          "buffer: { \"@type\": \(Self.prefix)buffer.v3.BufferPerRoute, buffer: { max_request_bytes: 7 } }, mutation: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, config: { \"@type\": \(Self.prefix)header_mutation.v3.HeaderMutationPerRoute } }"
      ))
    let buffer = try #require(Self.config(table, 0) as? BufferRouteConfig)
    #expect(buffer.maxRequestBytes == 7)
    #expect(Self.config(table, 1) is HeaderMutationRouteConfig)
    #expect(Self.config(table, 2) is DisabledFilter)
    withExtendedLifetime(compilation) {}
  }

  @Test(arguments: [
    (
      route: "buffer: { \"@type\": \(prefix)cors.v3.CorsPolicy }",
      line:
        "[\"buffer\"]: expected \"envoy.extensions.filters.http.buffer.v3.BufferPerRoute\", got \"envoy.extensions.filters.http.cors.v3.CorsPolicy\""
    ),
    (
      route: "health: { \"@type\": \(prefix)cors.v3.CorsPolicy }",
      line: "[\"health\"]: the filter has no settings for routes"
    ),
    (
      route: "buffer: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig }",
      line:
        "[\"buffer\"]: config is required: without it only \"disabled: true\" is supported"
    ),
    (
      route:
        "cors: { \"@type\": \(prefix)cors.v3.CorsPolicy, allow_origin_string_match: [{ exact: x }, { safe_regex: { regex: \"(\" } }] }",
      line: "[\"cors\"].allow_origin_string_match[1].string_match.safe_regex.regex: missing ): ("
    ),
  ])
  func badSettingsOfRoutesAreErrors(route: String, line: String) throws {
    var bench = try Bench()
    let errors = try bench.errors(
      Self.text(filters: [Self.buffer, Self.cors, Self.health], route: route))
    #expect(errors.count == 1)
    #expect(errors.first?.hasSuffix("routes[0].typed_per_filter_config" + line) == true, "\(errors)")
  }

  @Test func settingsForNoFilterAreAWarning() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Self.text(filters: [], route: "buffer: { \"@type\": \(Self.prefix)buffer.v3.BufferPerRoute, disabled: true }"))
    #expect(compilation.warnings.map(\.message) == ["has no effect: http_filters has no filter of this name"])
  }

  private static let grpc = [
    "{ name: stats, typed_config: { \"@type\": \(prefix)grpc_stats.v3.FilterConfig, individual_method_stats_allowlist: { services: [{ name: s, method_names: [m] }] } } }",
    "{ name: bridge, typed_config: { \"@type\": \(prefix)grpc_http1_bridge.v3.Config } }",
    "{ name: web, typed_config: { \"@type\": \(prefix)grpc_web.v3.GrpcWeb } }",
    "{ name: reverse, typed_config: { \"@type\": \(prefix)grpc_http1_reverse_bridge.v3.FilterConfig, content_type: a/b } }",
  ]

  @Test func grpcFilters() throws {
    let perRoute = "reverse: { \"@type\": \(Self.prefix)grpc_http1_reverse_bridge.v3.FilterConfigPerRoute"
    var bench = try Bench()
    let (manager, table, _) = try Self.compiled(
      &bench,
      Self.text(filters: Self.grpc, host: perRoute + ", disabled: true }", route: perRoute + " }"))
    #expect(manager.filters.all.map(\.name) == ["stats", "bridge", "web", "reverse"])
    #expect(Self.config(table, 3) is GRPCHTTP1ReverseBridgeRouteConfig)
    let (_, off, _) = try Self.compiled(
      &bench, Self.text(filters: Self.grpc, route: perRoute + ", disabled: true }"))
    #expect(Self.config(off, 3) is DisabledFilter)
  }

  @Test func faultsMayHaveAStatusOfGRPC() throws {
    var bench = try Bench()
    let (manager, _, _) = try Self.compiled(
      &bench,
      Self.text(filters: [
        "{ name: f, typed_config: { \"@type\": \(Self.prefix)fault.v3.HTTPFault, abort: { grpc_status: 8, percentage: { numerator: 1 } } } }"
      ]))
    #expect(manager.filters.all.map(\.name) == ["f"])
  }

  @Test(arguments: [
    (
      filter: "{ name: f, typed_config: { \"@type\": \(prefix)fault.v3.HTTPFault, response_rate_limit: { fixed_limit: { limit_kbps: 1 } } } }",
      line: "typed_config.response_rate_limit: is not supported by apus yet"
    ),
    (
      filter: "{ name: f, typed_config: { \"@type\": \(prefix)grpc_stats.v3.FilterConfig, emit_filter_state: true } }",
      line: "typed_config.emit_filter_state: is not supported by apus yet"
    ),
    (
      filter: "{ name: f, typed_config: { \"@type\": \(prefix)grpc_http1_reverse_bridge.v3.FilterConfig, content_type: a, response_size_header: b } }",
      line: "typed_config.response_size_header: needs withhold_grpc_frames"
    ),
    (
      filter: "{ name: f, typed_config: { \"@type\": \(prefix)health_check.v3.HealthCheck, pass_through_mode: false, cache_time: 1s } }",
      line: "typed_config.cache_time: needs pass_through_mode"
    ),
    (
      filter: "{ name: f, typed_config: { \"@type\": \(prefix)header_mutation.v3.HeaderMutation, mutations: { request_mutations: [{ append: { header: { key: a, value: \"%X%\" } } }] } } }",
      line: "typed_config.mutations.request_mutations[0].append.header.value: %X% at offset 0: unknown or unsupported operator"
    ),
    (filter: "{ name: f }", line: "typed_config is required"),
    (
      filter: "{ name: f, typed_config: { \"@type\": type.googleapis.com/envoy.config.metrics.v3.StatsdSink, address: { pipe: { path: /x } } } }",
      line: "typed_config: \"envoy.config.metrics.v3.StatsdSink\" is not an HTTP filter"
    ),
  ])
  func badFiltersAreErrors(filter: String, line: String) throws {
    var bench = try Bench()
    let errors = try bench.errors(Self.text(filters: [filter]))
    #expect(errors.count == 1)
    #expect(errors.first?.hasSuffix(line) == true, "\(errors)")
    #expect(errors.first?.contains("http_filters[0]") == true)
  }

  @Test func aChainHasAtMost64Filters() throws {
    var bench = try Bench()
    let filters = (0..<65).map { index in
      Self.buffer.replacing("name: buffer", with: "name: b\(index)")
    }
    let errors = try bench.errors(Self.text(filters: filters))
    #expect(errors.count == 1)
    #expect(errors.first?.hasSuffix("http_filters: at most 64 filters and the router") == true)
  }

  @Test func aHealthCheckMayNameAClusterThatComesLater() throws {
    var bench = try Bench()
    let text = Self.text(filters: [Self.health])
    let first = try bench.compile(text)
    let second = try bench.compile(
      text.replacing("  clusters:\n", with: "  clusters:\n" + Fixture.cluster("later")))
    #expect(second.changes.clustersAdded == ["later"])
    #expect(first.snapshot.listeners[0] === second.snapshot.listeners[0])
    guard case .http(let manager) = second.snapshot.listeners[0].value.chains.array[0].value.terminal
    else { throw Failed() }
    let filter = try #require(
      manager.value.filters.view.pointee.filters[0].takeUnretainedValue() as? HealthCheckFilter)
    let slot = try #require(filter.clusterMinimums.array[0].slot)
    #expect(second.snapshot.clusters.array[Int(slot)]?.value.name.text == "later")
  }
}
