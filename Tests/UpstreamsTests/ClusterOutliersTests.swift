import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats
import Testing

@testable import Upstreams

/// A cluster of hosts with cells, whose readings tests write themselves.
private final class Bench {
  let registry: StatsRegistry
  let outliers: ClusterOutliers
  var readings: [UInt32: OutlierReading] = [:]
  var random = FastRandom(seed: 7)
  var told: [(UInt32, ClusterOutliers.Change)] = []

  init(hosts count: Int, _ settings: OutlierSettings) throws {
    registry = try StatsRegistry(slabCount: 1)
    let scope = registry.makeScope(prefix: "cluster.a.")
    outliers = ClusterOutliers(name: "a", settings, OutlierStats(scope))
    outliers.replace(
      (1...count).map { index in
        let address = SocketAddress.ip(IPAddress(v4: 0x0A00_0000 + UInt32(index)), port: 80)
        var config = HostConfig(
          identity: UInt64(index), address: address, kernelAddress: KernelAddress(address)!, hostname: "", weight: 1,
          priority: 0, locality: HostConfig.Locality(), stats: HostStats(registry.makeScope(prefix: "h\(index).")))
        config.outlierCells = OutlierCells(registry.makeScope(prefix: "o\(index)."))
        return OutlierHost(Frozen(config), number: UInt32(index)) { _ in OutlierReading() }
      })
  }

  func sweep(at now: UInt64) {
    outliers.beginSweep()
    for host in outliers.hosts {
      host.take { _ in readings[host.number] ?? OutlierReading() }
      if let change = outliers.look(host, now: now) { told.append((host.number, change)) }
    }
    outliers.finishSweep(now: now, registry.mainSlab, using: &random) { told.append(($0.number, $1)) }
  }

  /// Answers that all took about so many milliseconds.
  func add(_ number: UInt32, answers: UInt64, milliseconds: UInt64) {
    var cells = readings[number]?.latency ?? [UInt64](repeating: 0, count: LatencyBuckets.count)
    cells[LatencyBuckets.index(microseconds: milliseconds * 1000)] += answers
    readings[number, default: OutlierReading()].latency = cells
  }

  func add(_ number: UInt32, results: UInt64, failures: UInt64) {
    readings[number, default: OutlierReading()].results += results
    readings[number, default: OutlierReading()].failures += failures
  }

  var ejected: [UInt32] { outliers.hosts.filter(\.state.isEjected).map(\.number) }
  func value(_ name: String) -> UInt64? {
    registry.metrics.first { $0.name == "cluster.a.outlier_detection.\(name)" }.map { registry.value(of: $0) }
  }
}

struct ClusterOutliersTests {
  private func settings(_ change: (inout OutlierSettings) -> Void = { _ in }) -> OutlierSettings {
    var settings = OutlierSettings()
    settings.maxEjectionPercent = 100
    change(&settings)
    return settings
  }

  /// The documented example: 50 and four times 100: mean 90, deviation 20, threshold 52.
  @Test func successRateEjectsWhoIsFarBelow() throws {
    let bench = try Bench(hosts: 5, settings())
    for number in UInt32(1)...5 { bench.add(number, results: 100, failures: number == 3 ? 50 : 0) }
    bench.sweep(at: 10_000)
    #expect(bench.ejected == [3])
    #expect(bench.outliers.external.average == 90)
    #expect(bench.outliers.external.threshold == 52)
    #expect(bench.value("ejections_enforced_success_rate") == 1)
    #expect(bench.value("ejections_success_rate") == 1)
    #expect(bench.value("ejections_enforced_total") == 1)
    // The same numbers are not judged twice.
    bench.sweep(at: 20_000)
    #expect(bench.told.count == 1)
    // 30 s: it comes back, and what it did meanwhile is forgotten.
    bench.sweep(at: 40_000)
    #expect(bench.ejected == [])
  }

  @Test func aHostThatIsEjectedCountsForNobody() throws {
    let bench = try Bench(hosts: 6, settings { $0.successRateMinimumHosts = 5 })
    let host = bench.outliers.hosts[0]
    _ = bench.outliers.rowReached(.consecutive5xx, host, now: 0, bench.registry.mainSlab, using: &bench.random)
    for number in UInt32(1)...5 { bench.add(number, results: 200, failures: number == 1 ? 200 : 0) }
    bench.sweep(at: 10_000)
    // Four of them have the volume and are in service: too few to compare.
    #expect(bench.outliers.external.average == nil)
    #expect(bench.ejected == [1])
  }

  @Test func aRowOfAHostThatIsEjectedIsNone() throws {
    let bench = try Bench(hosts: 2, settings())
    let host = bench.outliers.hosts[1]
    let slab = bench.registry.mainSlab
    #expect(bench.outliers.rowReached(.consecutive5xx, host, now: 0, slab, using: &bench.random) != nil)
    #expect(bench.outliers.rowReached(.consecutive5xx, host, now: 1, slab, using: &bench.random) == nil)
    #expect(bench.value("ejections_detected_consecutive_5xx") == 1)
  }

  @Test func aHostThatLeavesGivesItsPlaceBack() throws {
    let bench = try Bench(hosts: 2, settings { $0.maxEjectionPercent = 50 })
    let slab = bench.registry.mainSlab
    let (first, second) = (bench.outliers.hosts[0], bench.outliers.hosts[1])
    #expect(bench.outliers.rowReached(.consecutive5xx, first, now: 0, slab, using: &bench.random) != nil)
    #expect(bench.outliers.rowReached(.consecutive5xx, second, now: 0, slab, using: &bench.random) == nil)
    #expect(bench.value("ejections_overflow") == 1)
    bench.outliers.left(first)
    bench.outliers.replace([second])
    #expect(bench.outliers.ejectedCount == 0)
    #expect(bench.outliers.newlyUseless() != nil, "of one host, half a host may be ejected")
    #expect(bench.outliers.newlyUseless() == nil, "said once")
  }

  @Test func localOriginsAreJudgedApart() throws {
    let bench = try Bench(
      hosts: 5,
      settings {
        $0.splitsLocalOrigin = true
        $0.enforcingLocalOriginFailurePercentage = 100
        $0.enforcingLocalOriginSuccessRate = 0
      })
    for number in UInt32(1)...5 {
      bench.readings[number] = OutlierReading(
        results: 100, failures: 0, localResults: 100, localFailures: number == 2 ? 90 : 0)
    }
    bench.sweep(at: 10_000)
    #expect(bench.ejected == [2])
    #expect(bench.value("ejections_enforced_local_origin_failure_percentage") == 1)
    #expect(bench.value("ejections_detected_local_origin_success_rate") == 1)
    #expect(bench.outliers.hosts[1].localSuccessRate == 10)
  }

  @Test func countersThatWereResetAreNoUnderflow() throws {
    let bench = try Bench(hosts: 1, settings())
    bench.add(1, results: 100, failures: 3)
    bench.sweep(at: 10_000)
    bench.readings[1] = OutlierReading(results: 10, failures: 1)
    bench.sweep(at: 20_000)
    #expect(bench.outliers.hosts[0].external == ResultCounts(results: 10, failures: 1))
  }

  @Test func eventsAreLinesOfJSON() throws {
    let bench = try Bench(hosts: 2, settings())
    let host = bench.outliers.hosts[0]
    let change = bench.outliers.rowReached(.consecutive5xx, host, now: 5_000, bench.registry.mainSlab, using: &bench.random)
    let line = OutlierEvent.line(try #require(change), host, bench.outliers, now: 5_000, wallNow: 1_795_000_000_123_000_000)
    #expect(
      line
        == #"{"type":"CONSECUTIVE_5XX","timestamp":"2026-11-18T11:06:40.123Z","cluster_name":"a","upstream_url":"10.0.0.1:80","action":"EJECT","num_ejections":1,"enforced":true,"eject_consecutive_event":{}}"#
        + "\n")
    bench.sweep(at: 36_500)
    let back = try #require(bench.told.first)
    #expect(
      OutlierEvent.line(back.1, host, bench.outliers, now: 36_500, wallNow: 0)
        == #"{"type":"CONSECUTIVE_5XX","timestamp":"1970-01-01T00:00:00.000Z","secs_since_last_action":"31","cluster_name":"a","upstream_url":"10.0.0.1:80","action":"UNEJECT","num_ejections":1,"enforced":false}"#
        + "\n")
  }

  @Test func textInEventsIsEscaped() {
    var line = EventLine()
    line.add("a", "q\"\\\n\u{1}é")
    line.add("b", 3)
    line.add("c", true)
    #expect(line.line == "{\"a\":\"q\\\"\\\\\\u000a\\u0001é\",\"b\":3,\"c\":true}\n")
  }

  // MARK: Slow hosts

  private func slow(_ change: (inout LatencySettings) -> Void = { _ in }) -> OutlierSettings {
    var latency = LatencySettings()
    change(&latency)
    return settings { $0.latency = latency }
  }

  /// A bench that has been looked at once: what was there before is not judged.
  private func bench(_ settings: OutlierSettings) throws -> Bench {
    let bench = try Bench(hosts: 5, settings)
    for number in UInt32(1)...5 { bench.add(number, answers: 0, milliseconds: 0) }
    bench.sweep(at: 10_000)
    return bench
  }

  @Test func aHostFarSlowerThanItsPeersIsEjected() throws {
    let bench = try bench(slow())
    for number in UInt32(1)...5 { bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20) }
    bench.sweep(at: 20_000)
    #expect(bench.ejected == [2])
    #expect(bench.value("ejections_detected_latency") == 1)
    #expect(bench.value("ejections_enforced_latency") == 1)
    #expect(bench.value("ejections_enforced_total") == 1)
    // Its time is over. Nobody was asked anything since.
    bench.sweep(at: 50_000)
    #expect(bench.ejected == [])
    bench.sweep(at: 60_000)
    #expect(bench.told.count == 2)
  }

  @Test func answersBeforeTheFirstLookAreNotJudged() throws {
    let bench = try Bench(hosts: 5, slow())
    for number in UInt32(1)...5 { bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20) }
    bench.sweep(at: 10_000)
    #expect(bench.ejected == [])
    #expect(bench.outliers.latency?.medianMilliseconds == nil)
  }

  @Test func aSlowHostIsOnlyNotedWhenThatIsAllThatIsWanted() throws {
    let bench = try bench(slow { $0.enforcing = 0 })
    for number in UInt32(1)...5 { bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20) }
    bench.sweep(at: 20_000)
    #expect(bench.ejected == [])
    #expect(bench.value("ejections_detected_latency") == 1)
    #expect(bench.value("ejections_enforced_latency") == 0)
    #expect(bench.told.count == 1)
  }

  @Test func slowHostsHaveTheCapOfAllEjections() throws {
    var settings = slow { $0.minimumHosts = 3 }
    settings.maxEjectionPercent = 20
    let bench = try bench(settings)
    for number in UInt32(1)...5 {
      bench.add(number, results: 100, failures: number == 1 ? 100 : 0)
      bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20)
    }
    bench.sweep(at: 20_000)
    // Who fails comes first.
    #expect(bench.ejected == [1])
    #expect(bench.value("ejections_overflow") == 2)
  }

  @Test func whoIsSlowAndFailsIsOutForFailing() throws {
    let bench = try bench(slow())
    for number in UInt32(1)...5 {
      bench.add(number, results: 100, failures: number == 2 ? 100 : 0)
      bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20)
    }
    bench.sweep(at: 20_000)
    #expect(bench.ejected == [2])
    #expect(bench.outliers.host(2)?.state.kind == .successRate)
    #expect(bench.value("ejections_detected_latency") == 0)
  }

  @Test func settingsThatComeAndGo() throws {
    let bench = try bench(slow())
    for number in UInt32(1)...5 { bench.add(number, answers: 100, milliseconds: number == 2 ? 400 : 20) }
    bench.outliers.replace(settings())
    bench.sweep(at: 20_000)
    #expect(bench.ejected == [])
    #expect(bench.outliers.latency == nil)
  }
}
