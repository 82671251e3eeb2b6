import HTTPCore
import Primitives
import Routing
import Stats
import Testing

@testable import Proxy

/// What filters say that they would do; the tests of each filter say what it does.
struct FilterTraceTests {
  private let registry: StatsRegistry
  private let scope: StatsScope

  init() throws {
    registry = try StatsRegistry(slabCount: 1)
    scope = registry.makeScope(prefix: "http.p.")
  }

  private func with<Result>(
    _ fields: [(String, String)], _ body: (UnsafeMutablePointer<HeaderMap>) throws -> Result
  ) rethrows -> Result {
    let pool = ArenaPool()
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(pool: pool))
    defer {
      arena.pointee.reset()
      arena.deallocate()
    }
    var headers = HeaderMap(arena: arena)
    func copy(_ text: String) -> ByteView {
      let text = FrozenText(text)
      return withExtendedLifetime(text) { arena.pointee.copy(text.view) }
    }
    for (name, value) in fields {
      let name = copy(name)
      headers.append(name: name, value: copy(value), known: KnownHeaderTable.shared.find(name))
    }
    return try withUnsafeMutablePointer(to: &headers, body)
  }

  private func percent(_ numerator: UInt32) -> FaultSettings.Percentage {
    FaultSettings.Percentage(numerator: numerator, denominator: 100)
  }

  // MARK: Fault

  @Test func aFaultTellsItsChances() throws {
    let settings = FaultSettings(
      delay: (.fixed(nanoseconds: 5), percent(10)), abort: (.status(503), percent(100)), maxActiveFaults: 7)
    let filter = FaultFilter(name: "f", settings: settings, scope: scope)
    guard case .faults(let delay?, let abort?, let maxActive) = with([], { filter.trace($0, own: nil, cluster: nil) }) else {
      Issue.record("no fault")
      return
    }
    #expect(delay.nanoseconds == 5 && delay.percentage == percent(10))
    #expect(abort.status.status == 503 && abort.percentage == percent(100))
    #expect(maxActive == 7)
  }

  @Test func aFaultTellsWhomItSpares() throws {
    let conditions = try HeaderConditions(compiling: [
      HeaderMatcherSpec(name: "x-a", kind: .present(true)), HeaderMatcherSpec(name: "x-b", kind: .present(true)),
    ])
    func spared(_ settings: FaultSettings, _ fields: [(String, String)], cluster: String? = nil) -> FaultSettings.Exemption? {
      let filter = FaultFilter(name: "f", settings: FaultSettings(), scope: scope)
      let name = cluster.map { FrozenText($0) }
      return withExtendedLifetime(name) {
        with(fields) {
          if case .exempt(let why) = filter.trace($0, own: FaultRouteConfig(settings), cluster: name?.view) { why } else { nil }
        }
      }
    }
    let headers = FaultSettings(abort: (.status(503), percent(100)), headers: conditions)
    #expect(spared(headers, []) == .header(0))
    #expect(spared(headers, [("x-a", "1")]) == .header(1))
    #expect(spared(headers, [("x-a", "1"), ("x-b", "1")]) == nil)
    let cluster = FaultSettings(abort: (.status(503), percent(100)), upstreamCluster: "one")
    #expect(spared(cluster, []) == .cluster)
    #expect(spared(cluster, [], cluster: "two") == .cluster)
    #expect(spared(cluster, [], cluster: "one") == nil)
    let node = FaultSettings(abort: (.status(503), percent(100)), downstreamNodes: ["n"])
    #expect(spared(node, []) == .node)
    #expect(spared(node, [("x-envoy-downstream-service-node", "n")]) == nil)
  }

  @Test func aRequestAsksForItsFault() {
    let filter = FaultFilter(
      name: "f", settings: FaultSettings(delay: (.header, percent(50)), abort: (.header, percent(50))), scope: scope)
    /// Milliseconds, status, gRPC status, percentage.
    func check(_ fields: [(String, String)], _ wanted: [UInt64?]) {
      var found: [UInt64?] = []
      if case .faults(let delay, let abort, _) = with(fields, { filter.trace($0, own: nil, cluster: nil) }) {
        found = [
          delay.map { $0.nanoseconds / 1_000_000 }, abort.map { UInt64($0.status.status) },
          abort.flatMap { $0.status.grpcStatus.map { UInt64($0.code) } }, abort.map { UInt64($0.percentage.numerator) },
        ]
      }
      #expect(found == wanted)
    }
    check([], [nil, nil, nil, nil])
    check([("x-envoy-fault-delay-request", "3")], [3, nil, nil, nil])
    check([("x-envoy-fault-abort-request", "418"), ("x-envoy-fault-abort-request-percentage", "20")], [nil, 418, nil, 20])
    check([("x-envoy-fault-abort-request", "418"), ("x-envoy-fault-abort-request-percentage", "90")], [nil, 418, nil, 50])
    check([("x-envoy-fault-abort-grpc-request", "14")], [nil, 200, 14, 50])
    check([("x-envoy-fault-abort-request", "199")], [nil, nil, nil, nil])
  }

  // MARK: Health check

  @Test func aHealthCheckTellsItsAnswer() throws {
    let conditions = try HeaderConditions(compiling: [HeaderMatcherSpec(name: "x-probe", kind: .present(true))])
    let filter = HealthCheckFilter(
      name: "h", passesThrough: false, headers: conditions, serviceCluster: "",
      clusterMinimums: [.init(slot: 0, percent: 0), .init(slot: 1, percent: 50)], scope: scope)
    func reason(_ members: [UInt32: (Int, Int)], isFailing: Bool = false) -> HealthCheckOutcome.Reason? {
      with([("x-probe", "1")]) {
        let trace = filter.trace($0, isFailing: isFailing) { slot in members[slot].map { (total: $0.0, healthy: $0.1) } }
        if case .answers(let outcome) = trace {
          #expect(outcome.status == (outcome.reason == .healthyClusters ? 200 : 503))
          return outcome.reason
        }
        return nil
      }
    }
    #expect(reason([:]) == .noCluster(0))
    #expect(reason([0: (0, 0)]) == .noCluster(1))
    #expect(reason([0: (0, 0), 1: (0, 0)]) == .emptyCluster(1))
    #expect(reason([0: (0, 0), 1: (3, 1)]) == .unhealthyCluster(1))
    #expect(reason([0: (0, 0), 1: (2, 1)]) == .healthyClusters)
    #expect(reason([0: (0, 0), 1: (2, 1)], isFailing: true) == .failing)
    with([]) {
      guard case .otherRequest(0) = filter.trace($0, isFailing: true, members: { _ in nil }) else {
        Issue.record("taken for a health check")
        return
      }
    }
    let passing = HealthCheckFilter(name: "h", passesThrough: true, headers: conditions, serviceCluster: "", scope: scope)
    with([("x-probe", "1")]) {
      guard case .passes = passing.trace($0, isFailing: false, members: { _ in nil }) else {
        Issue.record("answered")
        return
      }
      guard case .answers(let outcome) = passing.trace($0, isFailing: true, members: { _ in nil }) else {
        Issue.record("passed on while failing")
        return
      }
      #expect(outcome.reason == .failing)
    }
  }

  // MARK: Buffer

  @Test func aBufferTellsItsLimit() {
    let filter = BufferFilter(name: "b", maxRequestBytes: 10)
    with([("content-length", "11")]) {
      #expect(filter.trace($0, own: nil, isUpgrade: false) == .refuses(length: 11, limit: 10))
      #expect(filter.trace($0, own: nil, isUpgrade: true) == .upgrade)
      #expect(filter.trace($0, own: BufferRouteConfig(maxRequestBytes: 11), isUpgrade: false) == .holds(limit: 11))
      #expect(filter.trace($0, own: BufferRouteConfig(maxRequestBytes: nil), isUpgrade: false) == .off)
    }
  }

  // MARK: CORS

  @Test func aPolicyTellsWhatItIsTo() throws {
    let filter = CorsFilter(name: "c", scope: scope)
    var policy = CorsPolicy()
    policy.allowedOrigins = [.init(.exact("https://a"))]
    policy.filterEnabled = .init(numerator: 1, denominator: 4)
    let own = try CorsRouteConfig(policy)
    let preflight = [(":method", "OPTIONS"), ("access-control-request-method", "PUT")]
    func told(_ trace: CorsTrace) -> String {
      switch trace {
      case .noPolicy: "no policy"
      case .notForwarded: "not forwarded"
      case .off: "off"
      case .sameOrigin: "same origin"
      case .passes(let isAllowed, let share): "passes \(isAllowed) \(share.numerator)/\(share.denominator)"
      case .preflight(let isAllowed, let share): "preflight \(isAllowed) \(share.numerator)/\(share.denominator)"
      }
    }
    with(preflight + [("origin", "https://a")]) {
      #expect(told(filter.trace($0, own: own, isForwarded: true)) == "preflight true 1/4")
      #expect(told(filter.trace($0, own: nil, isForwarded: true)) == "no policy")
      #expect(told(filter.trace($0, own: own, isForwarded: false)) == "not forwarded")
    }
    // Preflights of others go on, as long as the policy does not say otherwise.
    with(preflight + [("origin", "https://b")]) {
      #expect(told(filter.trace($0, own: own, isForwarded: true)) == "passes false 1/4")
    }
    with(preflight) { #expect(told(filter.trace($0, own: own, isForwarded: true)) == "same origin") }
    policy.filterEnabled = .init(numerator: 0, denominator: 4)
    let off = try CorsRouteConfig(policy)
    with(preflight + [("origin", "https://a")]) { #expect(told(filter.trace($0, own: off, isForwarded: true)) == "off") }
  }

  // MARK: Chains

  @Test func disabledFiltersAreKnownByTheirPlace() {
    let filters = (0..<FilterChain.countMax).map { BufferFilter(name: "\($0)", maxRequestBytes: 1) }
    let chain = FilterChain(filters, disabled: [0, 63])
    #expect(filters.indices.filter(chain.isDisabled) == [0, 63])
    #expect(!FilterChain(filters).isDisabled(0))
    #expect(!chain.isDisabled(64))
  }
}
