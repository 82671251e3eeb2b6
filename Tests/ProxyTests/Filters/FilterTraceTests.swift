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
    for (name, value) in fields {
      let name = arena.pointee.copy(FrozenText(name).view)
      headers.append(name: name, value: arena.pointee.copy(FrozenText(value).view), known: KnownHeaderTable.shared.find(name))
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
    func trace(_ fields: [(String, String)]) -> (delay: UInt64?, status: UInt16?, grpc: UInt32?, numerator: UInt32?) {
      guard case .faults(let delay, let abort, _) = with(fields, { filter.trace($0, own: nil, cluster: nil) }) else { return (nil, nil, nil, nil) }
      return (delay?.nanoseconds, abort?.status.status, abort?.status.grpcStatus?.code, abort?.percentage.numerator)
    }
    #expect(trace([]) == (nil, nil, nil, nil))
    #expect(trace([("x-envoy-fault-delay-request", "3")]) == (3_000_000, nil, nil, nil))
    #expect(trace([("x-envoy-fault-abort-request", "418"), ("x-envoy-fault-abort-request-percentage", "20")]) == (nil, 418, nil, 20))
    #expect(trace([("x-envoy-fault-abort-request", "418"), ("x-envoy-fault-abort-request-percentage", "90")]) == (nil, 418, nil, 50))
    #expect(trace([("x-envoy-fault-abort-grpc-request", "14")]) == (nil, 200, 14, 50))
    #expect(trace([("x-envoy-fault-abort-request", "199")]) == (nil, nil, nil, nil))
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
    func share(_ trace: CorsTrace) -> (isPreflight: Bool, isAllowed: Bool, numerator: UInt32)? {
      switch trace {
      case .preflight(let isAllowed, let share): (true, isAllowed, share.numerator)
      case .passes(let isAllowed, let share): (false, isAllowed, share.numerator)
      default: nil
      }
    }
    with(preflight + [("origin", "https://a")]) {
      #expect(share(filter.trace($0, own: own, isForwarded: true))! == (true, true, 1))
      guard case .noPolicy = filter.trace($0, own: nil, isForwarded: true) else { Issue.record("a policy"); return }
      guard case .notForwarded = filter.trace($0, own: own, isForwarded: false) else { Issue.record("counts"); return }
    }
    // Preflights of others go on, as long as the policy does not say otherwise.
    with(preflight + [("origin", "https://b")]) {
      #expect(share(filter.trace($0, own: own, isForwarded: true))! == (false, false, 1))
    }
    with(preflight) {
      guard case .sameOrigin = filter.trace($0, own: own, isForwarded: true) else { Issue.record("an origin"); return }
    }
    policy.filterEnabled = .init(numerator: 0, denominator: 4)
    let off = try CorsRouteConfig(policy)
    with(preflight + [("origin", "https://a")]) {
      guard case .off = filter.trace($0, own: off, isForwarded: true) else { Issue.record("on"); return }
    }
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
