import ConfigSchema
import Primitives
import Proxy
import Stats
import TLS

/// What of a listener matters for its connections: everything but the route tables.
struct ListenerSignature: Equatable {
  /// Without the settings of connection managers.
  var listener: Envoy_Config_Listener_V3_Listener
  /// Without route tables, in order.
  var managers:
    [Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager]
  var serviceCluster: String
  var serviceNode: String
  /// Routes may ask for more of TLS than connections have kept.
  var mentions: TLSMentions
}

/// A listener that was checked.
struct ListenerPlan {
  enum Change {
    case none(ListenerRecord)
    /// New tables by index; the others stay.
    case routes(ListenerRecord, [Int: RouteTablePlan])
    case all(ListenerBlueprint)
  }

  let name: String
  let path: String
  let proto: Envoy_Config_Listener_V3_Listener
  let change: Change
}

/// A new or changed listener: what remains needs sockets and statistics and cannot fail.
struct ListenerBlueprint {
  var signature: ListenerSignature
  var addresses: [SocketAddress]
  var options: ListenerSocketOptions
  var statName: String
  var chains: [FilterChainPlan] = []
  var matcher: FilterChainMatcher
  var bufferLimitBytes = 1 << 20
  var listenerFilters: ListenerConfig.ListenerFilters = []
  var proxyProtocol = ListenerConfig.ProxyProtocol()
  var tlsInspector = ListenerConfig.TLSInspector()
  var listenerFiltersTimeoutNanoseconds: UInt64 = 15_000_000_000
  var continueOnListenerFiltersTimeout = false
  var accessLogs: AccessLogList
  var references: [ClusterReference] = []
  var mentions = TLSMentions()
}

/// A filter chain that was checked.
struct FilterChainPlan {
  var name: String
  var limits: [(ListenerBuild) -> FilterChainConfig.ConnectionLimit] = []
  var terminal: (ListenerBuild) -> FilterChainConfig.Terminal
  var tls: ChainTLS?
  var forwarded: ForwardedCertificate = []
}

/// TLS in front of a chain, checked.
struct ChainTLS {
  var config: TLSServerConfig
  /// How many secrets of it come from files.
  var secretCount: Int
  var timeoutNanoseconds: UInt64
}

/// What building one listener needs and gathers.
final class ListenerBuild {
  let registry: StatsRegistry
  /// `listener.<address>.`
  let prefix: String
  let pass: CompilerPass
  let mentions: TLSMentions
  private(set) var owners: [AnyObject] = []
  private(set) var tables: [RouteTableRecord] = []

  init(registry: StatsRegistry, prefix: String, pass: CompilerPass, mentions: TLSMentions) {
    self.mentions = mentions
    self.registry = registry
    self.prefix = prefix
    self.pass = pass
  }

  /// Statistics that live as long as the listener.
  func scope(_ prefix: String) -> StatsScope {
    let owner = StatsScopeOwner(registry, prefix: prefix)
    owners.append(owner)
    return owner.scope
  }

  /// Gives a route table its slot.
  ///
  /// - Parameter path: Below the listener.
  func add(_ plan: RouteTablePlan, _ path: String) -> UInt32 {
    let slot = pass.state.routeTableSlots.take()
    tables.append(
      RouteTableRecord(
        slot: slot, path: path, proto: plan.proto, frozen: plan.frozen(registry), references: plan.references))
    return slot
  }
}
