import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

/// Filters that see a connection before anybody speaks HTTP on it.
extension Explainer {
  /// In the order in which they run, which is not that of the configuration: the PROXY header comes before anything else.
  func listenerFilters(_ listener: Listener) -> [Explanation.Filter] {
    typealias ProxyProtocol = Envoy_Extensions_Filters_Listener_ProxyProtocol_V3_ProxyProtocol
    typealias TLSInspector = Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector
    let named = listener.proto.listenerFilters.enumerated().map { index, proto in
      Explanation.Filter(
        name: proto.name, type: proto.typedConfig.messageName, place: place("\(listener.path).listener_filters[\(index)]"))
    }
    func first(_ type: any Message.Type) -> Explanation.Filter? { named.first { $0.type == type.protoMessageName } }
    var filters: [Explanation.Filter] = []
    if var filter = first(ProxyProtocol.self) {
      filter.says = "the client's address is the one that the PROXY header names"
        + (listener.config.proxyProtocol.allowsRequestsWithout ? ", if there is one" : "")
      filters.append(filter)
    }
    if listener.config.listenerFilters.contains(.tlsInspector) {
      var filter = first(TLSInspector.self)
      if filter == nil {
        filter = Explanation.Filter(name: "tls_inspector", type: TLSInspector.protoMessageName)
        filter?.says = "added, because filter_chain_match asks for what only a ClientHello tells"
      }
      if let filter { filters.append(filter) }
    }
    return filters + named.filter { filter in !filters.contains { $0.type == filter.type } }
  }

  /// Those ahead of the one that takes the bytes.
  func networkFilters(_ proto: Envoy_Config_Listener_V3_FilterChain, _ path: String) -> [Explanation.Filter] {
    proto.filters.dropLast().enumerated().map { index, proto in
      var filter = Explanation.Filter(
        name: proto.name, type: proto.typedConfig.messageName, place: place("\(path).filters[\(index)]"))
      if let limit = proto.typedConfig.unpacked(as: Envoy_Extensions_Filters_Network_ConnectionLimit_V3_ConnectionLimit.self) {
        let wait = limit.hasDelay ? "held \(Self.time(limit.delay)) and " : ""
        filter.says = "at most \(limit.maxConnections.value) connections: further ones are \(wait)closed"
      }
      return filter
    }
  }

  static func time(_ duration: Google_Protobuf_Duration) -> String {
    let seconds = max(0, min(duration.seconds, 1 << 32))
    return time(UInt64(seconds) * 1_000_000_000 + UInt64(max(0, duration.nanos)))
  }
}
