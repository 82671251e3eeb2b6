import HostHealth
import Stats
import Testing

@testable import Server
@testable import Upstreams

/// What `/clusters` says of outlier detection and checks.
struct OutlierPageTests {
  private static func rates(
    _ average: Double?, _ threshold: Double?, local: (Double?, Double?) = (nil, nil)
  ) -> OutlierRates {
    OutlierRates(
      external: .init(average: average, threshold: threshold), local: .init(average: local.0, threshold: local.1))
  }

  private static func lines(_ harness: AdminHarness, of name: String = "a") throws -> [String] {
    try harness.get("/clusters").body.split(separator: "\n").map(String.init).filter { $0.hasPrefix("\(name)::") }
      .map { String($0.dropFirst(name.count + 2)) }
  }

  private static func status(_ harness: AdminHarness) throws -> JSONValue {
    let tree = try #require(JSONReader.read(try harness.get("/clusters?format=json").body))
    return try #require(tree["cluster_statuses"]?.elements?.first)
  }

  private static func names(_ value: JSONValue?) -> [String] {
    guard case .object(let fields)? = value else { return [] }
    return fields.map(\.name)
  }

  // MARK: Rates

  @Test func withoutDetectionNothingIsSaid() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    #expect(try !Self.lines(harness).contains { $0.contains("outlier::") })
    let status = try Self.status(harness)
    #expect(Self.names(status) == ["name", "host_statuses", "circuit_breakers", "observability_name", "apus"])
    #expect(Self.names(status["apus"]) == ["balancing"])
    let host = try #require(status["host_statuses"]?.elements?.first)
    #expect(Self.names(host) == ["address", "stats", "health_status", "weight", "locality"])
  }

  @Test func unknownRates() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.rates["a"] = Self.rates(nil, nil)
    harness.delegate.facts[0] = AdminHostFacts(outlier: OutlierFacts())
    let lines = try Self.lines(harness)
    #expect(
      Array(lines[1...4]) == [
        "outlier::success_rate_average::-1", "outlier::success_rate_ejection_threshold::-1",
        "outlier::local_origin_success_rate_average::-1", "outlier::local_origin_success_rate_ejection_threshold::-1",
      ])
    #expect(lines.contains("10.0.0.1:80::success_rate::-1") && lines.contains("10.0.0.1:80::local_origin_success_rate::-1"))
    let status = try Self.status(harness)
    #expect(Self.names(status) == ["name", "host_statuses", "circuit_breakers", "observability_name", "apus"])
    #expect(status["apus"]?["outlier_detection"] == .object([]))
    let host = try #require(status["host_statuses"]?.elements?.first)
    #expect(Self.names(host) == ["address", "stats", "health_status", "weight", "locality", "apus"])
    #expect(
      host["apus"]
        == .object([.init("outlier_detection", .object([.init("ejected", .bool(false)), .init("ejections", .number("0"))]))]))
  }

  @Test func ratesOfBothOrigins() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.rates["a"] = Self.rates(200.0 / 3, 58.25, local: (90, 10))
    harness.delegate.facts[0] = AdminHostFacts(outlier: OutlierFacts(successRate: 200.0 / 3, localSuccessRate: 0))
    let lines = try Self.lines(harness)
    #expect(
      Array(lines[1...4]) == [
        "outlier::success_rate_average::66.6667", "outlier::success_rate_ejection_threshold::58.25",
        "outlier::local_origin_success_rate_average::90", "outlier::local_origin_success_rate_ejection_threshold::10",
      ])
    #expect(lines.contains("10.0.0.1:80::success_rate::\(200.0 / 3)"))
    #expect(lines.contains("10.0.0.1:80::local_origin_success_rate::0"))
    let status = try Self.status(harness)
    #expect(
      Self.names(status) == [
        "name", "success_rate_ejection_threshold", "host_statuses", "local_origin_success_rate_ejection_threshold",
        "circuit_breakers", "observability_name", "apus",
      ])
    #expect(status["success_rate_ejection_threshold"] == .object([.init("value", .number("58.25"))]))
    #expect(status["local_origin_success_rate_ejection_threshold"] == .object([.init("value", .number("10"))]))
    #expect(
      status["apus"]?["outlier_detection"]
        == .object([
          .init("success_rate_average", .number("\(200.0 / 3)")), .init("local_origin_success_rate_average", .number("90")),
        ]))
    let host = try #require(status["host_statuses"]?.elements?.first)
    #expect(
      Self.names(host) == [
        "address", "stats", "health_status", "success_rate", "weight", "local_origin_success_rate", "locality", "apus",
      ])
    #expect(host["success_rate"] == .object([.init("value", .number("\(200.0 / 3)"))]))
    // 0 is a number's default.
    #expect(host["local_origin_success_rate"] == .object([]))
  }

  /// Below it nobody can be: the text has the number, JSON has none, as in Envoy.
  @Test func aNegativeThreshold() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.rates["a"] = Self.rates(60, -33.0808, local: (50, 0))
    #expect(try Self.lines(harness).contains("outlier::success_rate_ejection_threshold::-33.0808"))
    let status = try Self.status(harness)
    #expect(status["success_rate_ejection_threshold"] == nil)
    #expect(status["local_origin_success_rate_ejection_threshold"] == nil)
  }

  @Test(arguments: [
    (nil, "-1"), (0, "0"), (100, "100"), (200.0 / 3, "66.6667"), (99.99999, "100"), (12.5, "12.5"), (1.0 / 3, "0.333333"),
    (-33.080751, "-33.0808"), (-0.5, "-0.5"), (-105.00049, "-105"), (0.00012345678, "0.000123457"),
    (1.42108547152020037e-14, "1.42109e-14"), (123456.7, "123457"),
  ] as [(Double?, String)])
  func roundedRates(rate: Double?, text: String) {
    #expect(RateText.rounded(rate) == text)
  }

  @Test(arguments: [(nil, "-1"), (0, "0"), (-0.0, "-0"), (100, "100"), (66.666, "66.666"), (0.1, "0.1")] as [(Double?, String)])
  func exactRates(rate: Double?, text: String) {
    #expect(RateText.exact(rate) == text)
  }

  // MARK: Ejections

  private static func ejection(ended: UInt64? = nil, left: UInt64 = 28_765) -> OutlierFacts.Ejection {
    OutlierFacts.Ejection(
      kind: .consecutive5xx, reason: "5 failures in a row", count: 2, begunMillisecondsAgo: 1_290, endedMillisecondsAgo: ended,
      millisecondsLeft: left)
  }

  @Test func anEjectedHost() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 2)
    harness.delegate.rates["a"] = Self.rates(nil, nil)
    harness.delegate.facts[1] = AdminHostFacts(outlier: OutlierFacts(latestEjection: Self.ejection()))
    let lines = try Self.lines(harness)
    #expect(lines.contains("10.0.0.2:80::ejection::consecutive_5xx, time 2, ends in 28 s"))
    #expect(lines.contains("10.0.0.2:80::ejection_reason::5 failures in a row"))
    #expect(!lines.contains { $0.hasPrefix("10.0.0.1:80::ejection") })
    let hosts = try #require(try Self.status(harness)["host_statuses"]?.elements)
    #expect(hosts[0]["apus"] == nil)
    #expect(
      hosts[1]["apus"]?["outlier_detection"]
        == .object([
          .init("ejected", .bool(true)), .init("ejections", .number("2")), .init("detector", .string("consecutive_5xx")),
          .init("reason", .string("5 failures in a row")), .init("ejected_seconds_ago", .number("1.2")),
          .init("ends_in_seconds", .number("28.7")),
        ]))
  }

  @Test func anEjectionThatIsOver() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.facts[0] = AdminHostFacts(outlier: OutlierFacts(latestEjection: Self.ejection(ended: 1000, left: 0)))
    #expect(try !Self.lines(harness).contains { $0.contains("::ejection") })
    let host = try #require(try Self.status(harness)["host_statuses"]?.elements?.first)
    #expect(
      host["apus"]?["outlier_detection"]
        == .object([
          .init("ejected", .bool(false)), .init("ejections", .number("2")), .init("detector", .string("consecutive_5xx")),
          .init("reason", .string("5 failures in a row")), .init("ejected_seconds_ago", .number("1.2")),
          .init("ended_seconds_ago", .number("1")),
        ]))
  }

  @Test func latency() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.rates["a"] = Self.rates(nil, nil)
    harness.delegate.latency["a"] = (22.25, nil)
    harness.delegate.facts[0] = AdminHostFacts(outlier: OutlierFacts(latencyMilliseconds: 12.5))
    let lines = try Self.lines(harness)
    #expect(lines.contains("outlier::latency_median_ms::22.25") && lines.contains("outlier::latency_ejection_threshold_ms::-1"))
    #expect(lines.contains("10.0.0.1:80::latency_ms::12.5"))
    let status = try Self.status(harness)
    #expect(status["apus"]?["outlier_detection"] == .object([.init("latency_median_ms", .number("22.25"))]))
    let host = try #require(status["host_statuses"]?.elements?.first)
    #expect(host["apus"]?["outlier_detection"]?["latency_ms"] == .number("12.5"))
  }

  // MARK: Checks

  @Test func checks() throws {
    let harness = try AdminHarness()
    try harness.delegate.addCluster("a", hostCount: 1)
    harness.delegate.facts[0] = AdminHostFacts(checks: [
      CheckFacts(
        name: "", kind: "HTTP",
        latest: .init(text: "503, expected 200", hasPassed: false, millisecondsAgo: 12_340, tookMilliseconds: 3)),
      CheckFacts(name: "deep", kind: "TCP", latest: nil),
    ])
    let lines = try Self.lines(harness)
    #expect(lines.contains("10.0.0.1:80::last_check::503, expected 200, 12340 ms ago, took 3 ms"))
    #expect(!lines.contains { $0.contains("last_check deep") })
    let host = try #require(try Self.status(harness)["host_statuses"]?.elements?.first)
    #expect(
      host["apus"]
        == .object([
          .init(
            "health_checks",
            .array([
              .object([
                .init("type", .string("HTTP")), .init("passed", .bool(false)), .init("result", .string("503, expected 200")),
                .init("seconds_ago", .number("12.3")), .init("took_ms", .number("3")),
              ]),
              .object([.init("name", .string("deep")), .init("type", .string("TCP"))]),
            ]))
        ]))
  }
}
