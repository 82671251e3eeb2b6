import Testing

/// Rules stated about strings, lists and enums, inside an extension, where routes live.
@Suite struct RuleTests {
  private func errors(inRoute route: String) -> [String] {
    let text = """
      static_resources: {listeners: [{name: a, address: {pipe: {path: /x}}, filter_chains: [{filters: [
      {name: h, typed_config: {
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
      stat_prefix: h, route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [
      \(route)
      ]}]}}}]}]}]}
      """
    let prefix =
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0]"
    return lines(text).map { $0.replacing(prefix, with: "R") }
  }

  @Test(arguments: [
    ("{match: {prefix: /}, route: {cluster: a}}", []),
    (
      "{match: {path_separated_prefix: /a/}, route: {cluster: a}}",
      [#"a.yaml:5:33: R.match.path_separated_prefix: "/a/" does not match "^[^?#]+[^?#/]$""#]
    ),
    (
      "{route: {cluster: a}}",
      [#"a.yaml:5:1: R: "match" is required"#]
    ),
    (
      "{match: {prefix: /}}",
      [#"a.yaml:5:1: R: one of "route", "redirect" or "direct_response" is required"#]
    ),
    (
      // What was meant by the unsupported field is not called missing as well.
      "{match: {prefix: /}, non_forwarding_action: {}}",
      [#"a.yaml:5:22: R: field "non_forwarding_action" is not supported by apus"#]
    ),
    (
      "{match: {prefix: /}, route: {cluster: ''}}",
      ["a.yaml:5:39: R.route.cluster: must not be empty"]
    ),
    (
      "{match: {prefix: /}, route: {cluster: a}, request_headers_to_remove: [b, \"c\\nd\", '']}",
      [
        "a.yaml:5:74: R.request_headers_to_remove[1]: must not contain NUL, CR or LF",
        "a.yaml:5:82: R.request_headers_to_remove[2]: must not be empty",
      ]
    ),
    (
      "{match: {prefix: /}, direct_response: {status: 99}}",
      ["a.yaml:5:48: R.direct_response.status: must be at least 200, got 99"]
    ),
    (
      "{match: {prefix: /}, redirect: {response_code: 301}}",
      [
        #"a.yaml:5:48: R.redirect.response_code: unknown value "301": expected "MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT" or "PERMANENT_REDIRECT""#
      ]
    ),
    (
      "{match: {prefix: /}, route: {cluster: a, retry_policy: {retry_back_off: {}}}}",
      [#"a.yaml:5:73: R.route.retry_policy.retry_back_off: "base_interval" is required"#]
    ),
    (
      "{match: {prefix: /, headers: [{name: b, exact_match: c}]}, route: {cluster: a}}",
      [
        "a.yaml:5:41: warning: R.match.headers[0].exact_match: this field is deprecated"
      ]
    ),
    (
      "{match: {prefix: /}, route: {cluster: a}, typed_per_filter_config: {b: {'@type': x/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, disabled: false}}}",
      [
        #"a.yaml:5:150: R.typed_per_filter_config["b"].disabled: must be true when it is set"#
      ]
    ),
  ])
  func routes(route: String, expected: [String]) {
    #expect(errors(inRoute: route) == expected)
  }

  @Test func responseFlagsAreChecked() {
    let text = """
      admin: {access_log: [{name: a, filter: {response_flag_filter: {flags: [UH, UXX]}}}]}
      """
    #expect(
      lines(text).map { $0.prefix(100) } == [
        "a.yaml:1:76: admin.access_log[0].filter.response_flag_filter.flags[1]: unknown value \"UXX\", did you "
      ])
  }
}
