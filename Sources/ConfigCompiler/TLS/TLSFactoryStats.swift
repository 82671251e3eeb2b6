import Glibc
import Proxy
import Stats
import TLS

/// Statistics of what makes TLS connections (`listener.<address>.server_ssl_socket_factory.`,
/// `cluster.<name>.client_ssl_socket_factory.`) and of its certificates (`ssl.certificate.<name>.`), under Envoy's names.
struct TLSFactoryStats {
  let contextUpdateBySDS: Counter
  private let scope: StatsScope

  init(_ scope: StatsScope, isServer: Bool) {
    self.scope = scope
    let prefix = isServer ? "server_ssl_socket_factory." : "client_ssl_socket_factory."
    contextUpdateBySDS = scope.counter(prefix + "ssl_context_update_by_sds")
    // A secret that cannot be had is an error when the configuration is loaded: these stay 0.
    _ = scope.counter(prefix + "downstream_context_secrets_not_ready")
    _ = scope.counter(prefix + "upstream_context_secrets_not_ready")
  }

  /// Says when certificates end; of several with one name the first.
  func show(_ inventories: [TLSInventory]) {
    var ends: [String: Int64] = [:]
    for entry in inventories.flatMap(\.all) { ends[entry.name] = min(ends[entry.name] ?? .max, entry.facts.notAfter) }
    for (name, end) in ends {
      let gauge = scope.gauge("ssl.certificate.\(name).expiration_unix_time_seconds")
      scope.registry.mainSlab.set(gauge, to: UInt64(max(0, end)))
    }
  }
}
