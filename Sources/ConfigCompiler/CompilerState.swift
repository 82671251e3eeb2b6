import ConfigSchema
import HostHealth
import Primitives
import Proxy
import TLS

/// What the compiler remembers from one configuration to the next. A value: a pass works on a copy.
struct CompilerState {
  var generation: UInt64 = 0
  /// Generations handed out and not yet released.
  var liveGenerations: Set<UInt64> = []

  var clusters: [String: ClusterRecord] = [:]
  /// What clusters and route tables were compiled with.
  var runtime = Envoy_Config_Bootstrap_V3_LayeredRuntime()
  /// Keys of it that some field asks for.
  var runtimeKeysRead: Set<String> = []
  /// Those of them whose value no field can use, with what it should be.
  var runtimeKeysOfNoUse: [String: String] = [:]
  /// Of every name that is defined or referred to.
  var clusterSlotsByName: [String: UInt32] = [:]
  var clusterSlots = Slots()
  /// The cluster that this proxy serves, and where it is: what zones are about.
  var localCluster = LocalCluster()
  var nextHostIdentity: UInt64 = 1
  /// Of main's own clusters for active checks.
  var checkSlots = Slots()
  private(set) var checkSlotsByKey: [CheckKey: UInt32] = [:]

  var listeners: [String: ListenerRecord] = [:]
  var routeTableSlots = Slots()
  var retired: [RetiredListener] = []
  var nextListenerVersion: UInt64 = 1
  var listenerNumbers: [String: UInt32] = [:]
  var limiters: [LimiterKey: ConnectionLimiter] = [:]

  /// For as long as a filter counts in it.
  weak var grpcStats: GRPCStatsTable?

  /// Where ejections are logged.
  var outlierEventLog: UInt16?
  var logTargets: [LogTarget] = []
  var logTargetNumbers: [LogTarget: UInt16] = [:]

  /// Keys of TLS tickets that all listeners without their own share.
  var ticketKeys: TicketKeyring?

  var secrets: [SecretKey: SecretRecord] = [:]
  /// Directories that `watched_directory` of the configuration itself names.
  var watchedDirectories: Set<String> = []
  /// Of the configuration in force.
  var certificates = CertificateCache()

  /// The slot of a cluster's name, defined or not.
  mutating func clusterSlot(_ name: String) -> UInt32 {
    if let slot = clusterSlotsByName[name] { return slot }
    let slot = clusterSlots.take()
    clusterSlotsByName[name] = slot
    return slot
  }

  /// The number of a listener's name; never another name's.
  mutating func listenerNumber(_ name: String) -> UInt32 {
    if let number = listenerNumbers[name] { return number }
    let number = UInt32(truncatingIfNeeded: listenerNumbers.count)
    listenerNumbers[name] = number
    return number
  }

  mutating func takeListenerVersion() -> UInt64 {
    defer { nextListenerVersion += 1 }
    return nextListenerVersion
  }

  /// The slot of a cluster's check.
  mutating func checkSlot(cluster: String, check: Int) -> UInt32 {
    let key = CheckKey(cluster: cluster, check: check)
    if let slot = checkSlotsByKey[key] { return slot }
    let slot = checkSlots.take()
    checkSlotsByKey[key] = slot
    return slot
  }

  /// Gives up the slots of checks that are gone.
  mutating func giveUpCheckSlots(lastGeneration: UInt64) {
    for (key, slot) in checkSlotsByKey where key.check >= clusters[key.cluster]?.checks.count ?? 0 {
      checkSlots.giveUp(slot, lastGeneration: lastGeneration)
      checkSlotsByKey[key] = nil
    }
  }

  mutating func takeHostIdentity() -> UInt64 {
    defer { nextHostIdentity += 1 }
    return nextHostIdentity
  }
}

struct CheckKey: Hashable {
  let cluster: String
  let check: Int
}

/// A cluster of the running configuration.
struct ClusterRecord {
  let proto: Envoy_Config_Cluster_V3_Cluster
  let frozen: Frozen<ClusterConfig>
  let shared: ClusterShared
  let statsOwner: StatsScopeOwner
  let connection: ConnectionSettings
  let hosts: [HostKey: Frozen<HostConfig>]
  let ledger: HostLedger
  /// Milliseconds.
  let mergeWindow: UInt64
  /// Changes with the configuration of the checks.
  let checksVersion: UInt64
  /// The hosts as checks see them.
  let checkedHosts: [CheckedCluster.Host]
  let checks: [CheckCluster]
  let healthStats: HealthCheckStats?
  let outliers: OutlierRecord?
  /// With `track_remaining`.
  let remaining: RemainingGauges
  /// Places of its TLS configurations.
  let sockets: SocketTable
  let tlsStats: TLSStats?
}

/// Outlier detection of a cluster.
struct OutlierRecord {
  let settings: OutlierSettings
  let stats: OutlierStats
}

/// Where a TLS configuration is, and what counts that its secrets change.
struct TLSPlace<Config: AnyObject & Sendable> {
  let slot: TLSSlot<Config>
  let stats: TLSFactoryStats
}

/// What of a cluster matters for a connection that is open, beside its transport socket: when it changes, hosts get a
/// new identity and connections are not used again.
struct ConnectionSettings: Equatable {
  var connectTimeoutNanoseconds: UInt64
  var bufferLimitBytes: Int
  var keepalive: ClusterConfig.Keepalive?
  var http: UpstreamHTTPSettings
}

/// What of a transport socket with TLS matters for open connections: everything but the content of its files.
struct TransportSettings: Hashable {
  private let socket: Envoy_Config_Core_V3_TransportSocket
  let keepsTickets: Bool

  init(_ config: TLSClientConfig, _ proto: Envoy_Config_Core_V3_TransportSocket) {
    socket = proto
    keepsTickets = config.options.tickets > 0
  }

  /// Secrets from files that it names.
  var secretKeys: Set<SecretKey> { SecretReferences.keys(in: socket) }
}

/// A host within its cluster.
struct HostKey: Hashable {
  var address: SocketAddress
  /// Addresses may occur more than once: 0 for the first.
  var occurrence: Int
}

/// A listener of the running configuration.
struct ListenerRecord {
  var proto: Envoy_Config_Listener_V3_Listener
  /// Without route tables.
  let signature: ListenerSignature
  let frozen: Frozen<ListenerConfig>
  var tables: [RouteTableRecord]
  /// Places of the chains' TLS configurations, by the chain's position.
  let tls: [Int: TLSPlace<TLSServerConfig>]
  /// Clusters that must exist, with the place of the name below the listener.
  let references: [ClusterReference]
  let configuredAddresses: [SocketAddress]
  let mentions: TLSMentions
}

/// A route table of a listener, in the order of its connection managers.
struct RouteTableRecord {
  let slot: UInt32
  /// Below the listener.
  let path: String
  let proto: Envoy_Config_Route_V3_RouteConfiguration
  let frozen: Frozen<RouteTableConfig>
  /// Every cluster that it names.
  let references: [ClusterReference]
}

struct ClusterReference {
  let name: String
  /// Below the listener or the route configuration.
  let path: String
  /// False with `validate_clusters: false`.
  let mustExist: Bool
}

/// A listener that was replaced or removed and whose connections may still drain: its route tables
/// stay in their places.
struct RetiredListener {
  weak var config: Frozen<ListenerConfig>?
  let tables: [RouteTableRecord]
  let clusterNames: [String]
}

/// Identifies a `connection_limit` filter over configuration changes.
struct LimiterKey: Hashable {
  var listener: String
  var chain: Int
  var filter: Int
}
