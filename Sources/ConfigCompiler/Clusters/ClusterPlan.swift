import Balancing
import ConfigSchema
import HostHealth
import Primitives
import Proxy
import Routing

/// A cluster that was checked: what remains cannot fail.
struct ClusterPlan {
  let proto: Envoy_Config_Cluster_V3_Cluster
  var statName: String
  var connection: ConnectionSettings
  var balancing = BalanceSettings()
  /// What hashes are made of, in place of what routes say.
  var hashPolicies: HashPolicies?
  var normalLimits = ClusterLimits()
  var highLimits = ClusterLimits()
  /// `drop_overloads`
  var dropsPerMillion: UInt32 = 0
  var maintenancePercent: UInt32 = 0
  var retryPercent: UInt32 = 100
  var retryBackoff = RetryBackoff.standard
  /// `metadata.filter_metadata.apus`
  var options = Apus_V1_ClusterOptions()
  var hosts: [HostPlan] = []
  /// `load_balancing_weight` of localities that have one.
  var localityWeights: [LevelLocality: UInt32] = [:]
  var sockets = ClusterSockets()
  var outliers: OutlierSettings?
  var checks: [ActiveCheck] = []
  /// `common_lb_config.update_merge_window`
  var mergeWindowMilliseconds: UInt64 = 1000
}

extension ClusterPlan {
  /// Says how each host is spoken to.
  mutating func chooseSockets() {
    guard !sockets.matches.isEmpty else { return }
    for index in hosts.indices {
      hosts[index].socket = sockets.choose(hosts[index].socketLabels, hosts[index].localitySocketLabels)
    }
  }

  /// Whether a host has a limit of its own.
  var limitsHosts: Bool { normalLimits.hostConnections < .max || highLimits.hostConnections < .max }
}

/// An endpoint that was checked.
struct HostPlan {
  var address: SocketAddress
  var hostname: String
  /// What stands for it on rings and tables; empty: its hostname or address.
  var hashKey: String
  /// `envoy.lb` of its metadata.
  var subsetMetadata: [MetadataPair]
  var weight: UInt32
  var priority: UInt32
  var locality: HostConfig.Locality
  var labels = HostLabels.none
  /// What chooses its transport socket: its own metadata, and those of its locality.
  var socketLabels = SocketLabels.none
  var localitySocketLabels = SocketLabels.none
  /// Which one of ``ClusterSockets/all``.
  var socket = 0
  /// What `health_status` says.
  var flags: HostFlags
  /// `health_check_config`: where active checks ask, under which name, and whether they do.
  var checkAddress: SocketAddress
  var checkHostname: String
  var isCheckDisabled: Bool
}

/// How HTTP is spoken with a cluster's hosts.
struct UpstreamHTTPSettings: Equatable {
  var maxRequestsPerConnection: UInt32 = 0
  var idleTimeoutNanoseconds: UInt64 = 3_600_000_000_000
  var maxConnectionDurationNanoseconds: UInt64 = 0
  var maxStreamDurationNanoseconds: UInt64 = 0
  var maxResponseHeadBytes = 80 * 1024
  var maxResponseHeaders = 100
  var enableTrailers = false
  var usesProperCaseHeaders = false
  var upstreamProtocol = ClusterConfig.UpstreamProtocol.http1
  /// With `upstreamProtocol` other than HTTP/1.
  var http2: HTTP2Settings?
  /// Where the names for TLS come from.
  var upstream = Envoy_Config_Core_V3_UpstreamHttpProtocolOptions()
  /// `maxResponseHeadBytes` was configured.
  var limitsResponseHeads = false

  /// HTTP/2 has another default.
  var http2ResponseHeadBytesMax: Int { limitsResponseHeads ? maxResponseHeadBytes : 60 * 1024 }
}
