import Stats

/// Statistics of what makes TLS connections (`listener.<address>.server_ssl_socket_factory.`,
/// `cluster.<name>.client_ssl_socket_factory.`), under Envoy's names.
struct TLSFactoryStats {
  let contextUpdateBySDS: Counter

  init(_ scope: StatsScope, isServer: Bool) {
    let prefix = isServer ? "server_ssl_socket_factory." : "client_ssl_socket_factory."
    contextUpdateBySDS = scope.counter(prefix + "ssl_context_update_by_sds")
    // A secret that cannot be had is an error when the configuration is loaded: these stay 0.
    _ = scope.counter(prefix + "downstream_context_secrets_not_ready")
    _ = scope.counter(prefix + "upstream_context_secrets_not_ready")
  }
}
