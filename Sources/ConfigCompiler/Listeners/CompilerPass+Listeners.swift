import ConfigLoader
import ConfigSchema
import Foundation
import Primitives
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// Checks all listeners. Clusters must have been checked.
  func listenerPlans() -> [ListenerPlan] {
    let protos = loaded.bootstrap.staticResources.listeners
    var names: [String: Int] = [:]
    var addresses: [SocketAddress: Int] = [:]
    return protos.enumerated().compactMap { index, proto in
      let path = "static_resources.listeners[\(index)]"
      guard let plan = listener(proto, path) else { return nil }
      if let other = names[plan.name] {
        error(
          "\(path).name",
          "\"\(shown(plan.name))\" is already used by static_resources.listeners[\(other)]")
        return nil
      }
      names[plan.name] = index
      for address in plan.addresses where address.port != 0 {
        if let other = addresses[address], other != index {
          error(
            "\(path).address",
            "\(address) is already used by static_resources.listeners[\(other)]")
        } else if addresses[address] == index {
          error("\(path).additional_addresses", "\(address) is given twice")
        }
        addresses[address] = index
      }
      return plan
    }
  }

  private func listener(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String
  ) -> ListenerPlan? {
    guard let name = listenerName(proto, path) else { return nil }
    if let record = state.listeners[name] {
      if isRuntimeKept, record.proto == proto, record.signature.serviceCluster == serviceCluster,
        record.signature.serviceNode == serviceNode
      {
        checkReferences(record, path)
        rereadCertificates(proto, record, path)
        return ListenerPlan(name: name, path: path, proto: proto, change: .none(record))
      }
      if record.signature == signature(proto), let plan = routesOnly(proto, record, name, path) { return plan }
    }
    guard let blueprint = blueprint(proto, signature(proto), name, path) else { return nil }
    return ListenerPlan(name: name, path: path, proto: proto, change: .all(blueprint))
  }

  /// The files that an unchanged listener's TLS names may have changed: its connections stay, new ones see the new
  /// certificate.
  func rereadCertificates(
    _ proto: Envoy_Config_Listener_V3_Listener, _ record: ListenerRecord, _ path: String
  ) {
    var index = 0
    forEachChain(proto, path) { chain, place in
      defer { index += 1 }
      guard let known = record.tls[index], let tls = chainTLS(chain, place),
        tls.config.digest != known.slot.current.digest
      else { return }
      tlsUpdates.append(TLSUpdate(stats: known.stats) {
        known.slot.replace(with: tls.config)
        known.stats.show([tls.config.inventory])
      })
    }
  }

  /// The name, or the address in text when there is none.
  func listenerName(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String
  ) -> String? {
    if !proto.name.isEmpty { return proto.name }
    guard let address = streamAddress(proto.address, "\(path).address") else { return nil }
    return address.description
  }

  private func signature(_ proto: Envoy_Config_Listener_V3_Listener) -> ListenerSignature {
    var stripped = proto
    var managers:
      [Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager] = []
    func strip(_ chain: inout Envoy_Config_Listener_V3_FilterChain) {
      for index in chain.filters.indices {
        guard var manager = connectionManager(chain.filters[index]) else { continue }
        manager.routeSpecifier = nil
        managers.append(manager)
        chain.filters[index].typedConfig.value = .init()
      }
    }
    for index in stripped.filterChains.indices { strip(&stripped.filterChains[index]) }
    if stripped.hasDefaultFilterChain { strip(&stripped.defaultFilterChain) }
    return ListenerSignature(
      listener: stripped, managers: managers, serviceCluster: serviceCluster,
      serviceNode: serviceNode, mentions: TLSMentions(proto))
  }

  /// The settings of a connection manager; nil for other filters.
  func connectionManager(
    _ filter: Envoy_Config_Listener_V3_Filter
  ) -> Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager? {
    guard filter.configType != nil else { return nil }
    return filter.typedConfig.unpacked(
      as: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager.self)
  }

  /// A listener whose chains are as before: compiles the route tables that changed.
  private func routesOnly(
    _ proto: Envoy_Config_Listener_V3_Listener, _ record: ListenerRecord, _ name: String,
    _ path: String
  ) -> ListenerPlan? {
    var places:
      [(
        manager:
          Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager,
        path: String
      )] = []
    forEachChain(proto, path) { chain, place in
      for (index, filter) in chain.filters.enumerated() {
        if let manager = connectionManager(filter) {
          places.append((manager, "\(place).filters[\(index)].typed_config"))
        }
      }
    }
    guard places.count == record.tables.count else { return nil }
    var changed: [Int: RouteTablePlan] = [:]
    for (index, place) in places.enumerated() {
      let table = record.tables[index]
      if isRuntimeKept, table.proto == place.manager.routeConfig {
        checkReferences(table.references, "\(place.path).route_config")
        continue
      }
      changed[index] = routeTable(
        place.manager.routeConfig, filters: managerFilters(place.manager, place.path).all,
        "\(place.path).route_config")
    }
    checkReferences(record.references, path)
    rereadCertificates(proto, record, path)
    let isAsBefore = changed.isEmpty && record.proto == proto
    return ListenerPlan(
      name: name, path: path, proto: proto, change: isAsBefore ? .none(record) : .routes(record, changed))
  }

  /// The chains in their order, the default chain last.
  func forEachChain(
    _ proto: Envoy_Config_Listener_V3_Listener, _ path: String,
    _ body: (Envoy_Config_Listener_V3_FilterChain, String) -> Void
  ) {
    for (index, chain) in proto.filterChains.enumerated() {
      body(chain, "\(path).filter_chains[\(index)]")
    }
    if proto.hasDefaultFilterChain {
      body(proto.defaultFilterChain, "\(path).default_filter_chain")
    }
  }

  // MARK: What an unchanged listener refers to

  private func checkReferences(_ record: ListenerRecord, _ path: String) {
    checkReferences(record.references, path)
    for table in record.tables { checkReferences(table.references, path + table.path) }
  }

  private func checkReferences(_ references: [ClusterReference], _ path: String) {
    for reference in references
    where reference.mustExist && !clusterNames.contains(reference.name) {
      reportUnknownCluster(reference.name, path + reference.path)
    }
  }
}

extension ListenerPlan {
  var addresses: [SocketAddress] {
    switch change {
    case .none(let record), .routes(let record, _): record.configuredAddresses
    case .all(let blueprint): blueprint.addresses
    }
  }
}
