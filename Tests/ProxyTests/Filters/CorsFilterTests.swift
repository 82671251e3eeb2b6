import Routing
import Testing

@testable import Proxy

@Suite(.serialized)
struct CorsFilterTests {
  private func setup(
    _ change: (inout CorsPolicy) -> Void = { _ in }, inherited: CorsPolicy? = nil
  ) throws -> ProxyHarness.Setup {
    var policy = CorsPolicy()
    policy.allowedOrigins = [
      CorsPolicy.Origin(.exact("https://a")), CorsPolicy.Origin(.suffix(".example.com")),
    ]
    policy.allowMethods = "GET, PUT"
    policy.allowHeaders = "x, y"
    policy.exposeHeaders = "e"
    policy.maxAge = "9"
    policy.allowCredentials = true
    change(&policy)
    var setup = ProxyHarness.Setup()
    setup.filters = { [CorsFilter(name: "cors", scope: $0)] }
    let wider = try inherited.map { try CorsRouteConfig($0) }
    setup.filterConfigs = [try CorsRouteConfig(policy, inherited: wider)]
    setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "cors", slot: 0)]
    setup.origin = { _ in TestOrigin.ok("") }
    return setup
  }

  private static let preflight = "access-control-request-method: PUT\r\n"

  @Test func preflightIsAnswered() throws {
    try withProxy(try setup()) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: https://a\r\n" + Self.preflight, method: "OPTIONS")
      #expect(answer.status == 200)
      #expect(answer["access-control-allow-origin"] == "https://a")
      #expect(answer["access-control-allow-credentials"] == "true")
      #expect(answer["access-control-allow-methods"] == "GET, PUT")
      #expect(answer["access-control-allow-headers"] == "x, y")
      #expect(answer["access-control-max-age"] == "9")
      #expect(answer["access-control-expose-headers"] == "e")
      #expect(answer["access-control-allow-private-network"] == nil)
      #expect(answer.values("access-control-allow-credentials").count == 1)
      #expect(proxy.nextLogLine() == "200 - cors_response")
      #expect(proxy.value("http.p.cors.origin_valid") == 1)
      #expect(proxy.origin.requests.isEmpty)
    }
  }

  @Test func asterisksEchoWhatIsAskedFor() throws {
    let setup = try setup {
      $0.allowMethods = "*"
      $0.allowHeaders = "*"
      $0.allowPrivateNetworkAccess = true
      $0.allowedOrigins = [CorsPolicy.Origin(.exact("*"))]
    }
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get(
        headers: "origin: null\r\naccess-control-request-headers: z\r\n"
          + "access-control-request-private-network: true\r\n" + Self.preflight, method: "OPTIONS")
      #expect(answer["access-control-allow-origin"] == "null")
      #expect(answer["access-control-allow-methods"] == "PUT")
      #expect(answer["access-control-allow-headers"] == "z")
      #expect(answer["access-control-allow-private-network"] == "true")
    }
  }

  @Test(arguments: [
    ("", "OPTIONS"), ("origin:\r\n" + preflight, "OPTIONS"), (preflight, "OPTIONS"),
    ("origin: https://a\r\n", "OPTIONS"),
    ("origin: https://a\r\naccess-control-request-method:\r\n", "OPTIONS"),
    ("origin: https://a\r\n" + preflight, "GET"),
    ("origin: https://b\r\n" + preflight, "OPTIONS"),
  ])
  func otherRequestsPass(headers: String, method: String) throws {
    try withProxy(try setup()) { (proxy) throws in
      #expect(try proxy.get(headers: headers, method: method).status == 200)
      #expect(proxy.origin.requests.count == 1)
    }
  }

  @Test(arguments: [
    ("https://a", true), ("https://x.example.com", true), ("https://b", false),
    ("https://a.evil", false), ("https://example.com", false),
  ])
  func answersAreDecoratedForAllowedOrigins(origin: String, isAllowed: Bool) throws {
    try withProxy(try setup()) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: \(origin)\r\n")
      #expect(answer["access-control-allow-origin"] == (isAllowed ? origin : nil))
      #expect(answer["access-control-allow-credentials"] == (isAllowed ? "true" : nil))
      #expect(answer["access-control-expose-headers"] == (isAllowed ? "e" : nil))
      #expect(proxy.value("http.p.cors.origin_valid") == (isAllowed ? 1 : 0))
      #expect(proxy.value("http.p.cors.origin_invalid") == (isAllowed ? 0 : 1))
    }
  }

  @Test func unmatchedPreflightMayBeRefused() throws {
    try withProxy(try setup { $0.forwardsUnmatchedPreflights = false }) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: https://b\r\n" + Self.preflight, method: "OPTIONS")
      #expect(answer.status == 200)
      #expect(answer["access-control-allow-origin"] == nil)
      #expect(answer["access-control-allow-methods"] == "GET, PUT")
      #expect(proxy.origin.requests.isEmpty)
    }
  }

  @Test(arguments: [(UInt32(0), UInt64(0)), (100, 1)])
  func switchedOffOnlyCounts(shadow: UInt32, counted: UInt64) throws {
    let setup = try setup {
      $0.filterEnabled = CorsPolicy.Fraction(numerator: 0, denominator: 100)
      $0.shadowEnabled = CorsPolicy.Fraction(numerator: shadow, denominator: 100)
    }
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: https://a\r\n")
      #expect(answer["access-control-allow-origin"] == nil)
      #expect(proxy.value("http.p.cors.origin_valid") == counted)
    }
  }

  @Test func widerLevelFillsIn() throws {
    var wider = CorsPolicy()
    wider.allowedOrigins = [CorsPolicy.Origin(.exact("https://wide"))]
    wider.exposeHeaders = "wide"
    wider.allowCredentials = false
    let setup = try setup(
      {
        $0.allowedOrigins = []
        $0.exposeHeaders = ""
      }, inherited: wider)
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: https://wide\r\n")
      #expect(answer["access-control-allow-origin"] == "https://wide")
      #expect(answer["access-control-expose-headers"] == "wide")
      #expect(answer["access-control-allow-credentials"] == "true")
    }
  }

  @Test func routesThatAnswerThemselvesAreLeftAlone() throws {
    var setup = try setup()
    setup.routes = [
      RouteSpec(
        match: RouteMatchSpec(path: .prefix("/")),
        action: .directResponse(status: 200, body: Array("hi".utf8)))
    ]
    try withProxy(setup) { (proxy) throws in
      let answer = try proxy.get(headers: "origin: https://a\r\n")
      #expect(answer.text == "hi")
      #expect(answer["access-control-allow-origin"] == nil)
    }
  }
}
