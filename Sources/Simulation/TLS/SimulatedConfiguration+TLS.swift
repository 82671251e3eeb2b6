/// Listener and clusters with TLS as text.
extension SimulatedConfiguration {
  private static let sockets = "\(types).extensions.transport_sockets.tls.v3"
  private static let listenerFilters = "\(types).extensions.filters.listener"

  /// The listener with TLS: chains by name when it has an inspector, and one for all others.
  var secureListener: String {
    guard tls.isOn else { return "" }
    var filters: [String] = []
    if tls.isBehindProxy {
      filters.append(
        "{ name: envoy.filters.listener.proxy_protocol, typed_config: { \"@type\": \(Self.listenerFilters).proxy_protocol.v3.ProxyProtocol } }"
      )
    }
    if tls.hasNames {
      filters.append(
        "{ name: envoy.filters.listener.tls_inspector, typed_config: { \"@type\": \(Self.listenerFilters).tls_inspector.v3.TlsInspector } }"
      )
    }
    return """
        - name: secure
          address: { socket_address: { address: \(Self.address), port_value: \(TLSSettings.port) } }
          per_connection_buffer_limit_bytes: \(bufferLimitBytes)
          listener_filters: [\(filters.joined(separator: ", "))]
          listener_filters_timeout: \(handshakeTimeout)
          access_log: [{ name: file, typed_config: { "@type": \(Self.types).extensions.access_loggers.file.v3.FileAccessLog, path: /access, log_format: { text_format_source: { inline_string: "listener %DOWNSTREAM_TLS_VERSION% %REQUESTED_SERVER_NAME% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\\n" } } } }]
          filter_chains:
      \((tls.hasNames ? namedChains : []).joined(separator: "\n"))
          - transport_socket: \(serverSocket())
            transport_socket_connect_timeout: \(handshakeTimeout)
            filters:
      \(connectionManager("secure"))
      """
  }

  private var handshakeTimeout: String { tls.hasShortTimeout ? "3s" : "3600s" }

  private var namedChains: [String] {
    [
      """
          - filter_chain_match: { server_names: [\(TLSSettings.mutual)] }
            transport_socket: \(serverSocket(asksForCertificate: true))
            transport_socket_connect_timeout: \(handshakeTimeout)
            filters:
      \(connectionManager("mutual", tellsOfClient: true))
      """,
      """
          - filter_chain_match: { server_names: [\(TLSSettings.tcp)] }
            transport_socket: \(serverSocket(protocols: ""))
            transport_socket_connect_timeout: \(handshakeTimeout)
            filters:
      \(tcpProxy("secured", cluster: "t"))
      """,
      """
          - filter_chain_match: { server_names: [\(TLSSettings.passed)] }
            filters:
      \(tcpProxy("passed", cluster: "p"))
      """,
    ]
  }

  private func serverSocket(asksForCertificate: Bool = false, protocols: String = "h2, http/1.1") -> String {
    let certificates = ["{ name: edge }"] + (tls.hasRSA ? ["{ name: edge-rsa }"] : [])
    let asking =
      asksForCertificate
      ? ", require_client_certificate: true" : ""
    let tickets = tls.givesTickets ? "" : ", disable_stateless_session_resumption: true"
    let validation =
      asksForCertificate
      ? ", combined_validation_context: { validation_context_sds_secret_config: { name: authority }, default_validation_context: { match_typed_subject_alt_names: [{ san_type: URI, matcher: { prefix: \"spiffe://sim/\" } }] } }"
      : ""
    return
      "{ name: tls, typed_config: { \"@type\": \(Self.sockets).DownstreamTlsContext\(asking)\(tickets), common_tls_context: { alpn_protocols: [\(protocols)], tls_params: { tls_maximum_protocol_version: \(tls.listenerVersionMax.rawValue) }, tls_certificate_sds_secret_configs: [\(certificates.joined(separator: ", "))]\(validation) } } }"
  }

  /// What may be renewed without a new version of the listener or the cluster.
  var secrets: String {
    guard tls.isOn else { return "" }
    let edge = tls.hasRenewedEdge ? SimulatedIdentity.edgeRenewed : .edge
    let client = tls.hasRenewedClient ? SimulatedIdentity.client : .proxyClient
    return """
        secrets:
        - { name: edge, tls_certificate: \(edge.text) }
        - { name: edge-rsa, tls_certificate: \(SimulatedIdentity.edgeRSA.text) }
        - { name: proxy, tls_certificate: \(client.text) }
        - { name: authority, validation_context: { trusted_ca: { inline_string: \(SimulatedIdentity.quoted(SimulatedIdentity.authority)) } } }
      """
  }

  /// A cluster's, as a line of its own.
  func clientSocket(isOn: Bool) -> String {
    guard isOn else { return "" }
    let certificates =
      tls.showsCertificateToHosts ? ", tls_certificate_sds_secret_configs: [{ name: proxy }]" : ""
    return
      "transport_socket: { name: tls, typed_config: { \"@type\": \(Self.sockets).UpstreamTlsContext, sni: \(TLSSettings.origin), auto_sni_san_validation: true, max_session_keys: \(tls.keepsTickets ? 1 : 0), common_tls_context: { tls_params: { tls_maximum_protocol_version: \(tls.clusterVersionMax.rawValue) }\(certificates), validation_context_sds_secret_config: { name: authority } } } }"
  }
}
