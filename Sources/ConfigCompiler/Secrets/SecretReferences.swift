import ConfigLoader
import ConfigSchema

/// Finds the secrets from files that parts of a configuration name.
enum SecretReferences {
  static func keys(in bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap) -> Set<SecretKey> {
    var keys: Set<SecretKey> = []
    for listener in bootstrap.staticResources.listeners { keys.formUnion(self.keys(in: listener)) }
    for cluster in bootstrap.staticResources.clusters { keys.formUnion(self.keys(in: cluster)) }
    return keys
  }

  static func keys(in listener: Envoy_Config_Listener_V3_Listener) -> Set<SecretKey> {
    var keys: Set<SecretKey> = []
    for chain in listener.filterChains + (listener.hasDefaultFilterChain ? [listener.defaultFilterChain] : []) {
      guard chain.hasTransportSocket,
        let context = chain.transportSocket.typedConfig.unpacked(as: DownstreamTLSProto.self)
      else { continue }
      keys.formUnion(self.keys(in: context))
    }
    return keys
  }

  static func keys(in cluster: Envoy_Config_Cluster_V3_Cluster) -> Set<SecretKey> {
    let own = cluster.hasTransportSocket ? keys(in: cluster.transportSocket) : []
    return cluster.transportSocketMatches.reduce(into: own) { $0.formUnion(keys(in: $1.transportSocket)) }
  }

  /// - Parameter socket: Of a cluster.
  static func keys(in socket: Envoy_Config_Core_V3_TransportSocket) -> Set<SecretKey> {
    guard let context = socket.typedConfig.unpacked(as: UpstreamTLSProto.self) else { return [] }
    return keys(in: context.commonTlsContext)
  }

  static func keys(in context: DownstreamTLSProto) -> Set<SecretKey> {
    var keys = keys(in: context.commonTlsContext)
    if case .sessionTicketKeysSdsSecretConfig(let config)? = context.sessionTicketKeysType,
      let key = SecretKey(config)
    {
      keys.insert(key)
    }
    return keys
  }

  static func keys(in common: CommonTLSProto) -> Set<SecretKey> {
    var configs = common.tlsCertificateSdsSecretConfigs
    switch common.validationContextType {
    case .validationContextSdsSecretConfig(let config): configs.append(config)
    case .combinedValidationContext(let combined): configs.append(combined.validationContextSdsSecretConfig)
    case .validationContext, nil: break
    }
    return Set(configs.compactMap { SecretKey($0) })
  }
}
