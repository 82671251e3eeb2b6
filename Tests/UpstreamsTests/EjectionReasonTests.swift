import ConfigCompiler
import HostHealth
import Primitives
import Proxy
import Reactor
import Stats
import Testing

@testable import Upstreams

/// What is said of a host that is ejected.
struct EjectionReasonTests {
  private let registry: StatsRegistry

  init() throws { registry = try StatsRegistry(slabCount: 1) }

  private func text(_ kind: EjectionKind, _ settings: OutlierSettings, sweep: Bool = false) throws -> String {
    let cluster = ClusterOutliers(name: "a", settings, OutlierStats(registry.makeScope(prefix: "cluster.a.")))
    let hosts = try (1...4).map { number in
      let address = SocketAddress.ip(IPAddress(v4: 0x0A00_0000 + UInt32(number)), port: 80)
      let config = HostConfig(
        identity: UInt64(number), address: address, kernelAddress: try #require(KernelAddress(address)), hostname: "",
        weight: 1, priority: 0, locality: HostConfig.Locality(), stats: HostStats(registry.makeScope(prefix: "h\(number).")))
      return OutlierHost(Frozen(config), number: UInt32(number)) { _ in OutlierReading(latency: [UInt64](repeating: 0, count: LatencyBuckets.count)) }
    }
    cluster.replace(hosts)
    guard sweep else { return EjectionReason.text(kind, hosts[0], cluster) }
    cluster.beginSweep()
    for host in hosts {
      var times = [UInt64](repeating: 0, count: LatencyBuckets.count)
      times[LatencyBuckets.index(microseconds: host.number == 1 ? 500_000 : 10_000)] = 100
      host.take { _ in
        OutlierReading(
          results: 400, failures: host.number == 1 ? 301 : 0, localResults: 10, localFailures: host.number == 1 ? 10 : 5,
          latency: times)
      }
      _ = cluster.look(host, now: 1000)
    }
    var random = FastRandom(seed: 1)
    cluster.finishSweep(now: 1000, registry.mainSlab, using: &random) { _, _ in }
    return EjectionReason.text(kind, hosts[0], cluster)
  }

  @Test(arguments: [
    (.consecutive5xx, "7 failures in a row"), (.consecutiveGatewayFailure, "8 gateway failures in a row"),
    (.consecutiveLocalOriginFailure, "9 local failures in a row"),
  ] as [(EjectionKind, String)])
  func rows(kind: EjectionKind, wanted: String) throws {
    var settings = OutlierSettings()
    settings.consecutive5xx = 7
    settings.consecutiveGatewayFailure = 8
    settings.consecutiveLocalOriginFailure = 9
    #expect(try text(kind, settings) == wanted)
    settings.consecutive5xx = 1
    #expect(try text(.consecutive5xx, settings) == "1 failure")
  }

  /// Rates of 24.75, 100, 100, 100: mean 81.1875, deviation 32.5842; local ones of 0, 50, 50, 50: 37.5 and 21.6506.
  @Test(arguments: [
    (.successRate, "success rate 24.8 %; mean of all hosts 81.2 %, threshold 48.6 %"),
    (.localOriginSuccessRate, "success rate 0 %; mean of all hosts 37.5 %, threshold 15.8 %"),
    (.failurePercentage, "75.3 % failed, threshold 70 %"), (.localOriginFailurePercentage, "100 % failed, threshold 70 %"),
  ] as [(EjectionKind, String)])
  func rates(kind: EjectionKind, wanted: String) throws {
    var settings = OutlierSettings()
    settings.splitsLocalOrigin = true
    settings.successRateMinimumHosts = 4
    settings.successRateRequestVolume = 10
    settings.successRateStdevFactor = 1000
    settings.failurePercentageThreshold = 70
    #expect(try text(kind, settings, sweep: true) == wanted)
  }

  @Test func latency() throws {
    var settings = OutlierSettings()
    settings.latency = LatencySettings()
    settings.latency?.minimumHosts = 4
    let said = try text(.latency, settings, sweep: true)
    #expect(said.wholeMatch(of: /P95 [0-9.]+ ms; median of all hosts [0-9.]+ ms, threshold [0-9.]+ ms/) != nil, "\(said)")
  }
}
