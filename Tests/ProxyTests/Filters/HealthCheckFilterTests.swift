import Routing
import Synchronization
import Testing

@testable import Proxy

@Suite(.serialized)
struct HealthCheckFilterTests {
  private func setup(
    passesThrough: Bool, cacheTimeNanoseconds: UInt64? = nil,
    minimums: [HealthCheckFilter.ClusterMinimum] = []
  ) -> ProxyHarness.Setup {
    var setup = ProxyHarness.Setup()
    setup.filters = { scope in
      [
        HealthCheckFilter(
          name: "hc", passesThrough: passesThrough,
          headers: try HeaderConditions(compiling: [
            HeaderMatcherSpec(name: ":path", kind: .string(.exact("/hc"), ignoresCase: false))
          ]), serviceCluster: "svc", cacheTimeNanoseconds: cacheTimeNanoseconds,
          clusterMinimums: minimums, scope: scope)
      ]
    }
    return setup
  }

  @Test func answersItself() throws {
    try withProxy(setup(passesThrough: false)) { (proxy) throws in
      let answer = try proxy.get("/hc")
      #expect(answer.status == 200)
      #expect(answer["x-envoy-upstream-healthchecked-cluster"] == "svc")
      #expect(answer["x-envoy-immediate-health-check-fail"] == nil)
      #expect(answer["content-type"] == nil)
      #expect(proxy.nextLogLine() == "200 - health_check_ok")
      #expect(proxy.value("http.p.health_check.request_total") == 1)
      #expect(proxy.value("http.p.health_check.ok") == 1)
      #expect(proxy.origin.requests.isEmpty)
      let other = try proxy.get("/other")
      #expect(other["x-envoy-upstream-healthchecked-cluster"] == nil)
      #expect(proxy.origin.requests.count == 1)
    }
  }

  @Test func answersAfterTheBody() throws {
    try withProxy(setup(passesThrough: false)) { (proxy) throws in
      let client = try proxy.connect()
      for _ in 0..<2 {
        try client.send("POST /hc HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc")
        #expect(try client.readMessage()?.status == 200)
      }
      try client.send(
        "POST /hc HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
      #expect(try client.readMessage()?.status == 200)
    }
  }

  @Test(arguments: [false, true])
  func failsWhenTold(passesThrough: Bool) throws {
    try withProxy(setup(passesThrough: passesThrough)) { (proxy) throws in
      proxy.flags.failsHealthChecks.store(true, ordering: .relaxed)
      let answer = try proxy.get("/hc")
      #expect(answer.status == 503)
      #expect(answer.body.isEmpty)
      #expect(answer["x-envoy-immediate-health-check-fail"] == "true")
      #expect(answer["x-envoy-upstream-healthchecked-cluster"] == "svc")
      #expect(proxy.nextLogLine() == "503 LH health_check_failed")
      #expect(proxy.value("http.p.health_check.failed") == 1)
      // Passive checks see it on traffic too.
      #expect(try proxy.get("/x")["x-envoy-immediate-health-check-fail"] == "true")
    }
  }

  @Test func passesThroughWithoutCache() throws {
    try withProxy(setup(passesThrough: true)) { (proxy) throws in
      for _ in 0..<2 {
        let answer = try proxy.get("/hc")
        #expect(answer.status == 200)
        #expect(answer["x-envoy-upstream-healthchecked-cluster"] == "svc")
      }
      #expect(proxy.origin.requests.count == 2)
    }
  }

  @Test func cachedAnswerStands() throws {
    var setup = setup(passesThrough: true, cacheTimeNanoseconds: 3_600_000_000_000)
    setup.origin = { _ in
      .text("HTTP/1.1 503 Unwell\r\ncontent-length: 1\r\nx-envoy-degraded: 1\r\n\r\nx")
    }
    try withProxy(setup) { (proxy) throws in
      #expect(try proxy.get("/hc").text == "x")
      _ = proxy.nextLogLine()
      let cached = try proxy.get("/hc")
      #expect(cached.status == 503)
      #expect(cached.body.isEmpty)
      #expect(cached["x-envoy-degraded"] == "")
      #expect(proxy.nextLogLine() == "503 LH health_check_cached")
      #expect(proxy.origin.requests.count == 1)
      #expect(proxy.value("http.p.health_check.cached_response") == 1)
      #expect(proxy.value("http.p.health_check.degraded") == 1)
    }
  }

  @Test(arguments: [
    (UInt32?.some(0), 100.0, 200, "200 - health_check_ok_cluster_healthy"),
    (.some(7), 0, 503, "503 LH health_check_failed_no_cluster_found"),
    (.none, 0, 503, "503 LH health_check_failed_no_cluster_found"),
  ])
  func clustersDecide(slot: UInt32?, percent: Double, status: Int, line: String) throws {
    let minimum = HealthCheckFilter.ClusterMinimum(slot: slot, percent: percent)
    try withProxy(setup(passesThrough: false, minimums: [minimum])) { (proxy) throws in
      #expect(try proxy.get("/hc").status == status)
      #expect(proxy.nextLogLine() == line)
    }
  }

  @Test(arguments: [
    (0.0, 200, "200 - health_check_ok_cluster_healthy"),
    (0.5, 503, "503 LH health_check_failed_cluster_empty"),
  ])
  func emptyClusterIsOnlyEnoughForZero(percent: Double, status: Int, line: String) throws {
    var setup = setup(
      passesThrough: false,
      minimums: [HealthCheckFilter.ClusterMinimum(slot: 0, percent: percent)])
    setup.hosts = { _, _ in HostSet.nobody }
    try withProxy(setup) { (proxy) throws in
      #expect(try proxy.get("/hc").status == status)
      #expect(proxy.nextLogLine() == line)
    }
  }

  @Test func cacheExpires() {
    let cache = HealthCheckCache(timeNanoseconds: 5_000_000)
    let answer = HealthCheckCache.Answer(status: 599, isDegraded: true)
    #expect(cache.answer(at: 0) == nil)
    cache.store(answer, at: 10_000_000)
    #expect(cache.answer(at: 10_000_000) == answer)
    #expect(cache.answer(at: 14_999_999) == answer)
    #expect(cache.answer(at: 15_000_000) == nil)
    let forever = HealthCheckCache(timeNanoseconds: .max)
    forever.store(HealthCheckCache.Answer(status: 200, isDegraded: false), at: .max)
    #expect(forever.answer(at: 0)?.status == 200)
    #expect(forever.answer(at: 1 << 62)?.isDegraded == false)
  }
}
