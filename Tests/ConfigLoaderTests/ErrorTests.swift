import Testing

@Suite struct ErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    let expected: [String]
    var testDescription: String { text }

    init(_ text: String, _ expected: String...) {
      self.text = text
      self.expected = expected
    }
  }

  @Test(arguments: [
    Case(
      "static_resources: {clusters: [{nme: a}]}",
      #"a.yaml:1:32: static_resources.clusters[0]: unknown field "nme", did you mean "name"?"#),
    Case("nod: {}", #"a.yaml:1:1: unknown field "nod", did you mean "node"?"#),
    Case(
      "statsFlushIntervl: 1s",
      #"a.yaml:1:1: unknown field "statsFlushIntervl", did you mean "statsFlushInterval"?"#),
    Case("zzzzzz: 1", #"a.yaml:1:1: unknown field "zzzzzz""#),
    Case(
      "dynamic_resource: {}",
      #"a.yaml:1:1: unknown field "dynamic_resource"; "dynamic_resources" is not supported by apus"#
    ),
    Case(
      "dynamic_resources: {}", #"a.yaml:1:1: field "dynamic_resources" is not supported by apus"#),
    Case(
      "dynamicResources: {}", #"a.yaml:1:1: field "dynamicResources" is not supported by apus"#),
  ])
  func fieldNames(_ test: Case) { #expect(lines(test.text) == test.expected) }

  @Test(arguments: [
    Case("node: 5", #"a.yaml:1:7: node: expected a mapping, got a number 5"#),
    Case("node: [a]", #"a.yaml:1:7: node: expected a mapping, got a list"#),
    Case("[]", "a.yaml:1:1: expected a mapping, got a list"),
    Case("just text", #"a.yaml:1:1: expected a mapping, got a string "just text""#),
    Case(
      "node: {id: 10}", "a.yaml:1:12: node.id: expected a string, got a number 10; put it in quotes"
    ),
    Case(
      "node: {id: yes}",
      "a.yaml:1:12: node.id: expected a string, got a boolean yes; put it in quotes"),
    Case("node: {id: [a]}", "a.yaml:1:12: node.id: expected a string, got a list"),
    Case(
      "stats_sinks: {name: a}",
      "a.yaml:1:14: stats_sinks: expected a list, got a mapping"),
    Case("stats_sinks: [null]", "a.yaml:1:15: stats_sinks[0]: null is not allowed here"),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: abc}}}",
      #"a.yaml:1:60: admin.address.socket_address.port_value: expected a number, got a string "abc""#
    ),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: 1.5}}}",
      "a.yaml:1:60: admin.address.socket_address.port_value: expected a whole number, got 1.5"),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: -1}}}",
      "a.yaml:1:60: admin.address.socket_address.port_value: -1 is out of range: expected 0 to 4294967295"
    ),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: 99999999999999999999999}}}",
      "a.yaml:1:60: admin.address.socket_address.port_value: 99999999999999999999999 is out of range: expected 0 to 4294967295"
    ),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: 1, ipv4_compat: 1}}}",
      "a.yaml:1:76: admin.address.socket_address.ipv4_compat: expected true or false, got a number 1"
    ),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: 1, protocol: TPC}}}",
      #"a.yaml:1:73: admin.address.socket_address.protocol: unknown value "TPC", did you mean "TCP"?"#
    ),
    Case(
      "admin: {address: {socket_address: {address: a, port_value: 1, protocol: SCTPX}}}",
      #"a.yaml:1:73: admin.address.socket_address.protocol: unknown value "SCTPX": expected "TCP" or "UDP""#
    ),
    Case(
      "stats_flush_interval: 10 seconds",
      #"a.yaml:1:23: stats_flush_interval: expected a duration like 0.25s, got a string "10 seconds""#
    ),
    Case(
      "stats_flush_interval: 5",
      "a.yaml:1:23: stats_flush_interval: expected a duration like 0.25s, got a number 5"),
    Case(
      "stats_flush_interval: 999999999999s",
      #"a.yaml:1:23: stats_flush_interval: the duration 999999999999s is longer than 10000 years"#),
    Case(
      "admin: {address: {pipe: {path: /x, mode: 0o10000}}}",
      "a.yaml:1:42: admin.address.pipe.mode: must be at most 511, got 4096"),
    Case(
      #"{"node": {"metadata": [1]}}"#,
      "a.yaml:1:23: node.metadata: expected a mapping, got a list"),
    Case(
      "layered_runtime: {layers: [{name: a, static_layer: 5}]}",
      "a.yaml:1:52: layered_runtime.layers[0].static_layer: expected a mapping, got a number 5"),
    Case(
      "static_resources: {clusters: [{name: a, type: STATIC, metadata: {filter_metadata: {k: 1}}}]}",
      #"a.yaml:1:87: static_resources.clusters[0].metadata.filter_metadata["k"]: expected a mapping, got a number 1"#
    ),
  ])
  func types(_ test: Case) { #expect(lines(test.text) == test.expected) }

  @Test(arguments: [
    Case(
      "admin: {address: {}}",
      #"a.yaml:1:18: admin.address: one of "socket_address" or "pipe" is required"#),
    Case(
      "admin: {address: {pipe: {path: a}, socket_address: {address: a, port_value: 1}}}",
      #"a.yaml:1:36: admin.address: only one of "pipe" or "socket_address" may be set"#),
    Case(
      "admin: {address: {socket_address: {port_value: 1}}}",
      #"a.yaml:1:35: admin.address.socket_address: "address" is required"#),
    Case(
      "admin: {address: {socket_address: {address: '', port_value: 70000}}}",
      "a.yaml:1:45: admin.address.socket_address.address: must not be empty",
      "a.yaml:1:61: admin.address.socket_address.port_value: must be at most 65535, got 70000"),
    Case(
      "stats_flush_interval: 400s",
      "a.yaml:1:23: stats_flush_interval: must be less than 300s, got 400s"),
    Case(
      "stats_flush_interval: 0s",
      "a.yaml:1:23: stats_flush_interval: must be at least 0.001s, got 0s"),
    Case(
      "static_resources: {clusters: [{name: a, connect_timeout: 0s}]}",
      "a.yaml:1:58: static_resources.clusters[0].connect_timeout: must be greater than 0s, got 0s"),
    Case(
      "static_resources: {clusters: [{name: a, common_lb_config: {healthy_panic_threshold: {value: 101}}}]}",
      "a.yaml:1:93: static_resources.clusters[0].common_lb_config.healthy_panic_threshold.value: must be at most 100, got 101"
    ),
    Case(
      "stats_config: {stats_matcher: {inclusion_list: {patterns: []}}}",
      "a.yaml:1:49: stats_config.stats_matcher.inclusion_list.patterns: expected at least 1 element, got 0"
    ),
    Case(
      "stats_config: {stats_matcher: {inclusion_list: {}}}",
      #"a.yaml:1:48: stats_config.stats_matcher.inclusion_list: "patterns" is required"#),
    Case(
      #"node: {id: a, "id": b}"#, #"a.yaml:1:8: "id" is set more than once in a mapping"#),
    Case(
      "admin: {address: {pipe: {path: a}}, accessLog: [], access_log: []}",
      #"a.yaml:1:52: admin: "access_log" and "accessLog" are the same field, set twice"#),
    Case("node: {id: ~, cluster: null}"),
  ])
  func rules(_ test: Case) { #expect(lines(test.text) == test.expected) }

  @Test(arguments: [
    Case(
      "stats_sinks: [{name: a, typed_config: {prefix: a}}]",
      #"a.yaml:1:39: stats_sinks[0].typed_config: "@type" is missing: it names the type of this extension"#
    ),
    Case(
      #"stats_sinks: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.config.metrics.v3.StatdSink}}]"#,
      #"a.yaml:1:49: stats_sinks[0].typed_config: unknown type "envoy.config.metrics.v3.StatdSink", did you mean "envoy.config.metrics.v3.StatsdSink"?"#
    ),
    Case(
      #"stats_sinks: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.config.metrics.v2.StatsdSink}}]"#,
      #"a.yaml:1:49: stats_sinks[0].typed_config: the type "envoy.config.metrics.v2.StatsdSink" belongs to the v2 API, which Envoy has removed, did you mean "envoy.config.metrics.v3.StatsdSink"?"#
    ),
    Case(
      #"stats_sinks: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.stat_sinks.wasm.v3.Wasm}}]"#,
      #"a.yaml:1:49: stats_sinks[0].typed_config: the type "envoy.extensions.stat_sinks.wasm.v3.Wasm" is not supported by apus"#
    ),
    Case(
      #"static_resources: {clusters: [{name: a, load_balancing_policy: {policies: [{typed_extension_config: {name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality, x: 1}}}]}}]}"#,
      #"a.yaml:1:135: static_resources.clusters[0].load_balancing_policy.policies[0].typed_extension_config.typed_config: wrr_locality is not supported by apus yet: use the policy that it holds, with a locality_lb_config of its own"#
    ),
    Case(
      #"stats_sinks: [{name: a, typed_config: {"@type": envoy.config.metrics.v3.StatsdSink, tcp_cluster_name: a}}]"#,
      #"a.yaml:1:49: stats_sinks[0].typed_config: expected "type.googleapis.com/envoy.config.metrics.v3.StatsdSink", got "envoy.config.metrics.v3.StatsdSink""#
    ),
    Case(
      #"stats_sinks: [{name: a, typed_config: {"@type": x/envoy.config.metrics.v3.StatsdSink, tcp_cluster_nam: a}}]"#,
      #"a.yaml:1:87: stats_sinks[0].typed_config: unknown field "tcp_cluster_nam", did you mean "tcp_cluster_name"?"#
    ),
    Case(
      #"stats_sinks: [{name: a, config: {}}]"#,
      #"a.yaml:1:25: stats_sinks[0]: unknown field "config", did you mean "typed_config"?"#),
  ])
  func extensions(_ test: Case) { #expect(lines(test.text) == test.expected) }

  @Test(arguments: [
    Case(
      "a: [1",
      "a.yaml:1:6: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
    Case("a: *b", "a.yaml:1:4: not valid YAML: found undefined alias"),
    Case("? [a]\n: 1", "a.yaml:1:3: a key must be a string, not a list or a mapping"),
    Case("node: !x {}", #"a.yaml:1:7: the YAML tag "!x" is not supported"#),
    Case(
      "node: {<<: 5}",
      #"a.yaml:1:12: the merge key "<<" takes a mapping or a list of mappings, got a number 5"#),
  ])
  func syntax(_ test: Case) { #expect(lines(test.text) == test.expected) }

  @Test func deprecatedFieldsWarn() {
    #expect(
      lines("static_resources: {clusters: [{name: a, respect_dns_ttl: true}]}") == [
        "a.yaml:1:41: warning: static_resources.clusters[0].respect_dns_ttl: this field is deprecated"
      ])
  }

  @Test func everyErrorIsReportedInTheOrderOfTheText() {
    let text = """
      node: {id: 5}
      stats_flush_interval: soon
      static_resources:
        listeners:
        - name: a
          address: {}
        - address:
            socket_address: {address: x, port_value: many}
          bogus: 1
        clusters:
        - connect_timeout: 1s
      """
    #expect(
      lines(text) == [
        "a.yaml:1:12: node.id: expected a string, got a number 5; put it in quotes",
        #"a.yaml:2:23: stats_flush_interval: expected a duration like 0.25s, got a string "soon""#,
        #"a.yaml:6:14: static_resources.listeners[0].address: one of "socket_address" or "pipe" is required"#,
        #"a.yaml:8:48: static_resources.listeners[1].address.socket_address.port_value: expected a number, got a string "many""#,
        #"a.yaml:9:5: static_resources.listeners[1]: unknown field "bogus""#,
        #"a.yaml:11:5: static_resources.clusters[0]: "name" is required"#,
      ])
  }
}
