import ConfigLoader
import ConfigSchema
import SwiftProtobuf
import Testing

typealias ConnectionManager =
  Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

@Suite struct LoadingTests {
  @Test func readsTheWholeFixture() throws {
    let configuration = try load(EdgeFixture.text)
    #expect(configuration.diagnostics.isEmpty)
    let bootstrap = configuration.bootstrap
    #expect(bootstrap.node.locality.region == "eu")
    #expect(bootstrap.statsFlushInterval.seconds == 5)
    #expect(bootstrap.statsConfig.histogramBucketSettings.first?.buckets == [1, 5.5, 1000])
    let sink = try #require(
      bootstrap.statsSinks.first?.typedConfig
        .unpacked(as: Envoy_Config_Metrics_V3_StatsdSink.self))
    #expect(sink.prefix == "edge")
    #expect(sink.address.socketAddress.portValue == 8125)
    let runtime = bootstrap.layeredRuntime.layers[0].staticLayer
    #expect(runtime.fields["upstream.use_retry"]?.boolValue == true)
    #expect(runtime.fields["re"]?.structValue.fields["a"]?.numberValue == 1)
    let last = bootstrap.node.metadata.fields["b"]?.listValue.values.last
    #expect(last?.kind == .nullValue(.nullValue))

    let filter = bootstrap.staticResources.listeners[0].filterChains[0].filters[0]
    let manager = try #require(filter.typedConfig.unpacked(as: ConnectionManager.self))
    #expect(manager.serverHeaderTransformation == .passThrough)
    #expect(manager.commonHTTPProtocolOptions.idleTimeout.seconds == 3600)
    let hosts = manager.routeConfig.virtualHosts
    #expect(hosts.map(\.name) == ["api", "rest"])
    #expect(hosts[0].routes[0].match.pathSeparatedPrefix == "/users")
    #expect(hosts[0].routes[0].match.headers[0].rangeMatch.start == -5)
    #expect(hosts[0].routes[0].route.timeout.nanos == 500_000_000)
    #expect(hosts[0].retryPolicy.retryBackOff.baseInterval.nanos == 25_000_000)
    let perRoute = try #require(
      hosts[0].typedPerFilterConfig["envoy.filters.http.buffer"]?
        .unpacked(as: Envoy_Extensions_Filters_Http_Buffer_V3_BufferPerRoute.self))
    #expect(perRoute.disabled)
    #expect(hosts[0].routes[3].directResponse.body.inlineString == "nothing\n")

    let clusters = bootstrap.staticResources.clusters
    #expect(clusters.map(\.loadAssignment.clusterName) == ["users", "old"])
    // The second cluster's endpoints come through the merge key.
    #expect(clusters[1].loadAssignment.endpoints == clusters[0].loadAssignment.endpoints)
    #expect(clusters[0].circuitBreakers.thresholds[0].retryBudget.budgetPercent.value == 12.5)
  }

  @Test func unpackingAnotherTypeGivesNil() throws {
    let bootstrap = try load(EdgeFixture.text).bootstrap
    let sink = try #require(bootstrap.statsSinks.first?.typedConfig)
    #expect(sink.messageName == "envoy.config.metrics.v3.StatsdSink")
    #expect(sink.unpacked(as: Envoy_Config_Metrics_V3_DogStatsdSink.self) == nil)
  }

  @Test func jsonIsYAML() throws {
    let json = """
      {
      \t"node": {"id": "a\\u00e9\\n\\/", "cluster":\t"c"},
      \t"admin": {"address": {"socketAddress": {"address": "::1", "portValue": "80"}}},
      \t"statsFlushInterval": "0.5s"
      }
      """
    let bootstrap = try load(json).bootstrap
    #expect(bootstrap.node.id == "aé\n/")
    #expect(bootstrap.admin.address.socketAddress.portValue == 80)
    #expect(bootstrap.statsFlushInterval.nanos == 500_000_000)
  }

  @Test(arguments: [
    (#"{"node": {"id": "\ud83d\uDE00"}}"#, "\u{1F600}"),
    ("\t\r\n\t{\"node\": {\"id\": \"a\"}}", "a"),
    (#"{"node": {"id": "\\ud83d"}}"#, #"\ud83d"#),
    ("node:\r\n  id: a\r\n", "a"),
    ("\u{FEFF}node: {id: a}", "a"),
    ("%YAML 1.1\n---\nnode: {id: a}\n...\n", "a"),
    ("node: {cluster: &c a, id: *c}", "a"),
    ("# nothing", ""),
    ("", ""),
  ])
  func textForms(text: String, id: String) throws {
    #expect(try load(text).bootstrap.node.id == id)
  }

  @Test func bothSpellingsAndNullAndCase() throws {
    let bootstrap = try load(
      """
      stats_flush_interval: {seconds: 3}
      admin: ~
      staticResources: {clusters: [{name: a, lbPolicy: least_request, dns_lookup_family: "1"}]}
      """
    ).bootstrap
    #expect(bootstrap.statsFlushInterval.seconds == 3)
    #expect(!bootstrap.hasAdmin)
    #expect(bootstrap.staticResources.clusters[0].lbPolicy == .leastRequest)
    #expect(bootstrap.staticResources.clusters[0].dnsLookupFamily == .v4Only)
  }

  @Test func bytesAreBase64() throws {
    let bootstrap = try load(
      """
      static_resources: {listeners: [{name: a, address: {pipe: {path: /x}}, filter_chains: [{filters: [
        {name: d, typed_config: {
          "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config,
          response: {inline_bytes: aGk_}}}]}]}]}
      """
    ).bootstrap
    let filter = bootstrap.staticResources.listeners[0].filterChains[0].filters[0]
    let config = try #require(
      filter.typedConfig.unpacked(
        as: Envoy_Extensions_Filters_Network_DirectResponse_V3_Config.self))
    #expect(Array(config.response.inlineBytes) == [0x68, 0x69, 0x3F])
  }

  @Test func sourcesAreMerged() throws {
    let merged = try load([
      """
      node: {id: a, cluster: c}
      admin: {address: {pipe: {path: /old}}}
      stats_flush_interval: 1.5s
      stats_config: {use_all_default_tags: true}
      static_resources: {clusters: [{name: one}]}
      """,
      """
      node: {id: b, metadata: {k: 1}}
      admin: {address: {socket_address: {address: "::", port_value: 1}}}
      stats_flush_interval: 2s
      stats_config: {use_all_default_tags: false}
      static_resources: {clusters: [{name: two}]}
      """,
    ])
    let bootstrap = merged.bootstrap
    #expect(bootstrap.node.id == "b")
    #expect(bootstrap.node.cluster == "c")
    #expect(bootstrap.node.metadata.fields["k"]?.numberValue == 1)
    #expect(bootstrap.admin.address.socketAddress.address == "::")
    #expect(bootstrap.statsFlushInterval == .init(seconds: 2))
    #expect(!bootstrap.statsConfig.useAllDefaultTags.value)
    #expect(bootstrap.staticResources.clusters.map(\.name) == ["one", "two"])
    #expect(merged.location(ofPath: "static_resources.clusters[1]")?.file == "overlay1")
  }

  @Test func rulesHoldForTheMergedWhole() {
    let half = "admin: {address: {socket_address: {address: a}}}"
    #expect(lines(half).count == 1)
    let whole = ConfigurationLoader.load([
      ConfigurationSource(name: "a", text: half),
      ConfigurationSource(
        name: "b", text: "admin: {address: {socket_address: {port_value: 1}}}"),
    ])
    guard case .loaded(let configuration) = whole else {
      Issue.record("\(whole)")
      return
    }
    #expect(configuration.bootstrap.admin.address.socketAddress.address == "a")
  }

  @Test(arguments: [
    ("static_resources.listeners[0].name", 26, 5),
    ("static_resources.listeners[0]", 26, 5),
    (
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[1].domains[0]",
      86, 25
    ),
    (
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].typed_per_filter_config[\"envoy.filters.http.buffer\"].disabled",
      73, 19
    ),
    ("static_resources.clusters[0].outlier_detection.interval", 121, 5),
    ("stats_sinks", 5, 1),
    ("nothing.here", 1, 1),
  ])
  func locations(path: String, line: Int, column: Int) throws {
    let found = try load(EdgeFixture.text).location(ofPath: path)
    #expect(found == SourceLocation(file: "a.yaml", line: line, column: column))
  }

  @Test func registeredTypesAreTheExtensionsOfTheSchema() {
    // What the schema marks and what Swift lists must agree: every listed name is accepted.
    for type in ExtensionTypes.all {
      let text =
        "stats_sinks: [{name: a, typed_config: {\"@type\": x/\(type.protoMessageName), zzzz: 1}}]"
      #expect(
        lines(text).first?.hasSuffix("typed_config: unknown field \"zzzz\"") == true,
        "\(type.protoMessageName)")
    }
    ExtensionTypes.register()
  }
}
