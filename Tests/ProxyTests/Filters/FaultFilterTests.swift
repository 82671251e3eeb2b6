import Routing
import Testing

@testable import Proxy

@Suite(.serialized)
struct FaultFilterTests {
  private static let always = FaultSettings.Percentage(numerator: 100, denominator: 100)
  private static let never = FaultSettings.Percentage(numerator: 0, denominator: 100)
  private static let hour: UInt64 = 3_600_000_000_000

  private func setup(_ settings: FaultSettings, route: FaultSettings? = nil) -> ProxyHarness.Setup {
    var setup = ProxyHarness.Setup()
    setup.filters = { [FaultFilter(name: "fault", settings: settings, scope: $0)] }
    if let route {
      setup.filterConfigs = [FaultRouteConfig(route)]
      setup.virtualHostFilterConfigs = [FilterConfigSpec(filterName: "fault", slot: 0)]
    }
    return setup
  }

  @Test func abortAnswers() throws {
    try withProxy(setup(FaultSettings(abort: (.status(418), Self.always)))) { (proxy) throws in
      let answer = try proxy.get()
      #expect(answer.status == 418)
      #expect(answer.text == "fault filter abort")
      #expect(proxy.nextLogLine() == "418 FI fault_filter_abort")
      #expect(proxy.value("http.p.fault.aborts_injected") == 1)
      #expect(proxy.origin.requests.isEmpty)
    }
  }

  @Test func zeroPercentNeverHappens() throws {
    let settings = FaultSettings(
      delay: (.fixed(nanoseconds: Self.hour), Self.never), abort: (.status(503), Self.never))
    try withProxy(setup(settings)) { (proxy) throws in
      for _ in 0..<20 { #expect(try proxy.get().status == 200) }
      #expect(proxy.value("http.p.fault.aborts_injected") == 0)
      #expect(proxy.value("http.p.fault.delays_injected") == 0)
    }
  }

  @Test func someOfMany() throws {
    let half = FaultSettings.Percentage(numerator: 500_000, denominator: 1_000_000)
    try withProxy(setup(FaultSettings(abort: (.status(503), half)))) { (proxy) throws in
      let client = try proxy.connect()
      var aborted = 0
      for _ in 0..<400 {
        try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        if try client.readMessage()?.status == 503 { aborted += 1 }
      }
      // Ten standard deviations.
      #expect((100...300).contains(aborted))
      #expect(proxy.value("http.p.fault.aborts_injected") == UInt64(aborted))
    }
  }

  @Test func delayHoldsTheRequestAndItsBody() throws {
    let settings = FaultSettings(delay: (.fixed(nanoseconds: 30_000_000), Self.always))
    try withProxy(setup(settings)) { (proxy) throws in
      let client = try proxy.connect()
      let began = ContinuousClock.now
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabcdef")
      let answer = try #require(try client.readMessage())
      #expect(ContinuousClock.now - began >= .milliseconds(30))
      #expect(answer.text.hasSuffix("||abcdef"))
      #expect(proxy.nextLogLine() == "200 DI via_upstream")
      #expect(proxy.value("http.p.fault.delays_injected") == 1)
    }
  }

  @Test func delayMayEndInAnAbort() throws {
    let settings = FaultSettings(
      delay: (.fixed(nanoseconds: 1_000_000), Self.always), abort: (.status(500), Self.always),
      maxActiveFaults: 1)
    try withProxy(setup(settings)) { (proxy) throws in
      let client = try proxy.connect()
      for _ in 0..<3 {
        try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        #expect(try client.readMessage()?.status == 500)
        #expect(proxy.nextLogLine() == "500 DI,FI fault_filter_abort")
      }
      #expect(proxy.value("http.p.fault.faults_overflow") == 0)
    }
  }

  @Test func largeBodyPausesDuringTheDelay() throws {
    var setup = setup(FaultSettings(delay: (.fixed(nanoseconds: 300_000_000), Self.always)))
    setup.bufferLimitBytes = 32 * 1024
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      let body = String(repeating: "y", count: 500_000)
      // In one piece, so that the body is there before the delay is over.
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 500000\r\n\r\n" + body)
      #expect(try client.readMessage()?.text.hasSuffix("||" + body) == true)
      #expect(proxy.value("http.p.downstream_flow_control_paused_reading_total") > 0)
    }
  }

  @Test func trailersWaitForTheDelay() throws {
    var setup = setup(FaultSettings(delay: (.fixed(nanoseconds: 20_000_000), Self.always)))
    setup.manager = { $0.enableTrailers = true }
    setup.cluster = { $0.enableTrailers = true }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      let began = ContinuousClock.now
      try client.send(
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
          + "3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n")
      #expect(try client.readMessage()?.status == 200)
      #expect(ContinuousClock.now - began >= .milliseconds(20))
      #expect(proxy.origin.requests.first?.trailers.first?.value == "1")
    }
  }

  @Test func clientThatLeavesDuringTheDelayLeavesNothing() throws {
    let settings = FaultSettings(delay: (.fixed(nanoseconds: Self.hour), Self.always))
    try withProxy(setup(settings)) { (proxy) throws in
      let client = try proxy.connect()
      try client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc")
      proxy.wait(for: "the delay") { proxy.value("http.p.fault.active_faults") == 1 }
      client.shutdownBoth()
      #expect(proxy.nextLogLine() == "0 DI,DC downstream_remote_disconnect")
      #expect(proxy.value("http.p.fault.active_faults") == 0)
    }
  }

  @Test func activeFaultsAreLimitedExactly() throws {
    let settings = FaultSettings(
      delay: (.fixed(nanoseconds: Self.hour), Self.always), maxActiveFaults: 2)
    try withProxy(setup(settings)) { (proxy) throws in
      let delayed = try (0..<2).map { _ in try proxy.connect() }
      for client in delayed { try client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n") }
      proxy.wait(for: "two delays") { proxy.value("http.p.fault.active_faults") == 2 }
      #expect(try proxy.get().status == 200)
      #expect(proxy.value("http.p.fault.faults_overflow") == 1)
      delayed[0].shutdownBoth()
      proxy.wait(for: "one to end") { proxy.value("http.p.fault.active_faults") == 1 }
      let third = try proxy.connect()
      try third.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
      proxy.wait(for: "the third") { proxy.value("http.p.fault.active_faults") == 2 }
    }
  }

  @Test(arguments: [
    ("x-envoy-fault-abort-request: 418\r\n", 418), ("x-envoy-fault-abort-request: 200\r\n", 200),
    ("x-envoy-fault-abort-request: 599\r\n", 599), ("x-envoy-fault-abort-request: 199\r\n", 0),
    ("x-envoy-fault-abort-request: 600\r\n", 0), ("x-envoy-fault-abort-request: -1\r\n", 0),
    ("x-envoy-fault-abort-request: 99999999999999999999\r\n", 0),
    ("x-envoy-fault-abort-request:\r\n", 0), ("", 0),
    ("x-envoy-fault-abort-request: 503\r\nx-envoy-fault-abort-request-percentage: 0\r\n", 0),
    ("x-envoy-fault-abort-request: 503\r\nx-envoy-fault-abort-request-percentage: 500\r\n", 503),
    ("x-envoy-fault-abort-request: 503\r\nx-envoy-fault-abort-request-percentage: x\r\n", 503),
  ])
  func requestAsksForAnAbort(headers: String, status: Int) throws {
    try withProxy(setup(FaultSettings(abort: (.header, Self.always)))) { (proxy) throws in
      let answer = try proxy.get(headers: headers)
      #expect(answer.status == (status == 0 ? 200 : status))
      #expect(proxy.value("http.p.fault.aborts_injected") == (status == 0 ? 0 : 1))
    }
  }

  @Test func requestCannotAskForMoreThanAllowed() throws {
    try withProxy(setup(FaultSettings(abort: (.header, Self.never)))) { (proxy) throws in
      let answer = try proxy.get(
        headers: "x-envoy-fault-abort-request: 503\r\n"
          + "x-envoy-fault-abort-request-percentage: 100\r\n")
      #expect(answer.status == 200)
    }
  }

  @Test(arguments: [
    ("5", 1), ("0", 0), ("-5", 0), ("x", 0), ("18446744073709551615", 0), ("86400001", 0),
  ])
  func requestAsksForADelay(value: String, injected: Int) throws {
    try withProxy(setup(FaultSettings(delay: (.header, Self.always)))) { (proxy) throws in
      #expect(try proxy.get(headers: "x-envoy-fault-delay-request: \(value)\r\n").status == 200)
      #expect(proxy.value("http.p.fault.delays_injected") == UInt64(injected))
    }
  }

  @Test func onlyWhatMatches() throws {
    let settings = FaultSettings(
      abort: (.status(503), Self.always),
      headers: try HeaderConditions(compiling: [
        HeaderMatcherSpec(name: "x-fault", kind: .present(true))
      ]), upstreamCluster: "c", downstreamNodes: ["n1", "n2"])
    try withProxy(setup(settings)) { (proxy) throws in
      let node = "x-envoy-downstream-service-node: n2\r\n"
      #expect(try proxy.get(headers: "x-fault: 1\r\n" + node).status == 503)
      #expect(try proxy.get(headers: node).status == 200)
      #expect(try proxy.get(headers: "x-fault: 1\r\n").status == 200)
    }
    let other = FaultSettings(abort: (.status(503), Self.always), upstreamCluster: "other")
    try withProxy(setup(other)) { (proxy) throws in #expect(try proxy.get().status == 200) }
  }

  @Test func routeOverrides() throws {
    let own = FaultSettings(abort: (.status(500), Self.always))
    let route = FaultSettings(abort: (.status(501), Self.always))
    try withProxy(setup(own, route: route)) { (proxy) throws in #expect(try proxy.get().status == 501) }
    try withProxy(setup(own, route: FaultSettings())) { (proxy) throws in #expect(try proxy.get().status == 200) }
  }
}
