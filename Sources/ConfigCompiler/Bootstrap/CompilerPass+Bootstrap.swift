import ConfigLoader
import ConfigSchema
import Primitives
import Proxy
import SwiftProtobuf

extension CompilerPass {
  struct BootstrapSettings {
    var admin: AdminSettings?
    var sinks: [SinkSettings]
    var flushIntervalMilliseconds: Int
  }

  /// Checks what is neither listener nor cluster.
  func bootstrapSettings() -> BootstrapSettings {
    let bootstrap = loaded.bootstrap
    warnOfRuntimeValues()
    var interval = 5000
    if bootstrap.hasStatsFlushInterval {
      interval = max(
        1, Int(milliseconds(bootstrap.statsFlushInterval, "stats_flush_interval")))
    }
    state.outlierEventLog = outlierEventLog(bootstrap.clusterManager)
    setLocalCluster(bootstrap)
    for diagnostic in StatsSettings.check(loaded) {
      error(diagnostic.path, diagnostic.message)
    }
    return BootstrapSettings(
      admin: bootstrap.hasAdmin ? admin(bootstrap.admin) : nil,
      sinks: bootstrap.statsSinks.enumerated().compactMap { sink($1, "stats_sinks[\($0)]") },
      flushIntervalMilliseconds: interval)
  }

  /// What zone-aware routing is about.
  private func setLocalCluster(_ bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap) {
    let name = bootstrap.clusterManager.localClusterName
    let path = "cluster_manager.local_cluster_name"
    state.localCluster.name = name
    state.localCluster.locality = HostConfig.Locality(bootstrap.node.locality)
    if !options.serviceZone.isEmpty { state.localCluster.locality.zone = options.serviceZone }
    guard !name.isEmpty else { return }
    guard let proto = bootstrap.staticResources.clusters.first(where: { $0.name == name }) else {
      reportUnknownCluster(name, path)
      return
    }
    if let priority = proto.loadAssignment.endpoints.map(\.priority).max(), priority > 0 {
      error(path, "cluster \"\(shown(name))\" has priorities: zones need exactly one")
    }
    if state.localCluster.locality.isEmpty {
      warn(path, "node.locality is not set, nor is --service-zone: no zone is the own one")
    }
  }

  private func admin(_ proto: Envoy_Config_Bootstrap_V3_Admin) -> AdminSettings? {
    let logs = accessLogs(proto.accessLog, "admin.access_log")
    guard proto.hasAddress else {
      ignore("admin", "has no effect without an address")
      return nil
    }
    guard let address = streamAddress(proto.address, "admin.address") else { return nil }
    return AdminSettings(address: address, accessLogs: logs)
  }

  private func sink(
    _ proto: Envoy_Config_Metrics_V3_StatsSink, _ path: String
  ) -> SinkSettings? {
    let place = "\(path).typed_config"
    guard proto.configType != nil else {
      error(path, "typed_config is required")
      return nil
    }
    let any = proto.typedConfig
    if let statsd = any.unpacked(as: Envoy_Config_Metrics_V3_StatsdSink.self) {
      let prefix = statsd.prefix.isEmpty ? "envoy" : statsd.prefix
      switch statsd.statsdSpecifier {
      case .address(let address):
        return udpAddress(address, "\(place).address").map {
          SinkSettings(destination: .udp($0), dialect: .statsd, prefix: prefix)
        }
      case .tcpClusterName(let name):
        guard let addresses = addresses(ofCluster: name, "\(place).tcp_cluster_name") else {
          return nil
        }
        return SinkSettings(
          destination: .tcp(cluster: name, addresses: addresses), dialect: .statsd,
          prefix: prefix)
      case nil:
        error(place, "an address is required")
        return nil
      }
    }
    if let statsd = any.unpacked(as: Envoy_Config_Metrics_V3_DogStatsdSink.self) {
      guard let address = udpAddress(statsd.address, "\(place).address") else { return nil }
      return SinkSettings(
        destination: .udp(address), dialect: .dogStatsd,
        prefix: statsd.prefix.isEmpty ? "envoy" : statsd.prefix,
        datagramBytesMax: statsd.hasMaxBytesPerDatagram
          ? Int(clamping: statsd.maxBytesPerDatagram.value) : nil)
    }
    error(place, "\"\(shown(any.messageName))\" is not a stats sink")
    return nil
  }

  private func udpAddress(
    _ proto: Envoy_Config_Core_V3_Address, _ path: String
  ) -> SocketAddress? {
    guard let address = socketAddress(proto, path) else { return nil }
    if case .pipe = address {
      error(path, "statsd by pipe is not supported by apus yet")
      return nil
    }
    if address.port == 0 {
      error("\(path).socket_address.port_value", "must not be 0")
      return nil
    }
    return address
  }

  /// The hosts of a STATIC cluster.
  private func addresses(ofCluster name: String, _ path: String) -> [SocketAddress]? {
    let clusters = loaded.bootstrap.staticResources.clusters
    guard let index = clusters.firstIndex(where: { $0.name == name }) else {
      reportUnknownCluster(name, path)
      return nil
    }
    let addresses = clusters[index].loadAssignment.endpoints.flatMap(\.lbEndpoints)
      .compactMap { plainAddress($0.endpoint.address) }
    if addresses.isEmpty { error(path, "cluster \"\(shown(name))\" has no IP addresses") }
    return addresses
  }

  /// Faults in it are reported with the cluster.
  private func plainAddress(_ proto: Envoy_Config_Core_V3_Address) -> SocketAddress? {
    guard case .socketAddress(let socket)? = proto.address else { return nil }
    return IPAddress(socket.address).map {
      .ip($0, port: UInt16(truncatingIfNeeded: socket.portValue))
    }
  }
}
