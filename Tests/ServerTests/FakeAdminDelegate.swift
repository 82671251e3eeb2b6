import ConfigSchema
import Primitives
import Proxy
import Reactor
import Stats
import SwiftProtobuf
import Upstreams

@testable import Server

final class FakeAdminDelegate: AdminDelegate {
  var state = AdminState.live
  var version = "1.2.3"
  var uptimeSeconds: UInt64 = 65
  var commandLineOptions = [
    AdminOption("config_path", .text("edge.yaml")), AdminOption("concurrency", .number(2)),
    AdminOption("disable_hot_restart", .flag(true)),
  ]
  var configuration: AdminConfiguration?
  var listeners: [AdminListener] = []
  var clusters: [AdminCluster] = []
  var certificates: [TLSInventory] = []
  let registry: StatsRegistry
  var reloadOutcome = AdminReloadOutcome.applied
  let log: ProcessLog?
  /// What was asked for, in order.
  var calls: [String] = []

  init(registry: StatsRegistry) {
    self.registry = registry
    log = try? ProcessLog(level: .info)
  }

  var logLevels: any AdminLogLevels { log ?? NoLevels() }

  func value(of counter: Counter) -> UInt64 { 3 }
  func value(of gauge: Gauge) -> UInt64 { 1 }
  var facts: [UInt32: AdminHostFacts] = [:]
  var rates: [String: OutlierRates] = [:]
  var latency: [String: (median: Double?, threshold: Double?)] = [:]
  func facts(ofHost number: UInt32) -> AdminHostFacts { facts[number] ?? AdminHostFacts() }
  func updateGauges() {}
  func outlierLatency(ofCluster name: String) -> (median: Double?, threshold: Double?)? { latency[name] }
  func outlierRates(ofCluster name: String) -> OutlierRates? { rates[name] }
  func setFailsHealthChecks(_ fails: Bool) { calls.append("fails \(fails)") }
  func explain(_ request: ExplainedRequest) -> Explanation { Explanation(request: request) }

  func drainListeners(_ options: AdminDrainOptions) {
    calls.append(
      "drain graceful \(options.isGraceful) inbound \(options.isInboundOnly) skip \(options.skipsExit)")
  }
  func quit() { calls.append("quit") }
  func reopenLogs() { calls.append("reopen") }
  func resetCounters() { calls.append("reset") }
  func reload() -> AdminReloadOutcome {
    calls.append("reload")
    return reloadOutcome
  }

  private struct NoLevels: AdminLogLevels {
    var loggers: [(name: String, level: ProcessLog.Level)] { [] }
    func setAll(_ level: ProcessLog.Level) {}
    func set(_ logger: String, to level: ProcessLog.Level) -> Bool { false }
  }

  /// Adds a cluster with hosts on 10.0.0.x:80.
  func addCluster(_ name: String, hostCount: Int) throws {
    let hosts = (0..<hostCount).compactMap { index -> Frozen<HostConfig>? in
      let address = SocketAddress.ip(IPAddress(v4: 0x0A00_0001 + UInt32(index)), port: 80)
      guard let kernel = KernelAddress(address) else { return nil }
      var locality = HostConfig.Locality()
      locality.region = "r"
      locality.zone = "z"
      return Frozen(
        HostConfig(
          identity: UInt64(index), address: address, kernelAddress: kernel, hostname: "",
          weight: 1, priority: 0, locality: locality,
          stats: HostStats(registry.makeScope(prefix: "host."))))
    }
    clusters.append(
      AdminCluster(
        config: Frozen(
          ClusterConfig(
            slot: UInt32(clusters.count), name: name, statName: name,
            stats: ClusterStats(registry.makeScope(prefix: "cluster.\(name).")),
            shared: ClusterShared())),
        hosts: HostSetBuilder(BalanceSettings()).build(hosts, flags: hosts.map { _ in [] })))
  }

  /// Takes a configuration written as protobuf's JSON.
  func configure(_ json: String) throws {
    configuration = AdminConfiguration(
      bootstrap: try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: json),
      loadedAtNanoseconds: 1_795_482_123_456_000_000)
  }
}
