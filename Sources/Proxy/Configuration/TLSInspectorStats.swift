import Stats

/// Statistics of all TLS inspectors (`tls_inspector.`), under Envoy's names.
public struct TLSInspectorStats: Sendable {
  public let clientHelloTooLarge, tlsFound, tlsNotFound, alpnFound, alpnNotFound, sniFound, sniNotFound: Counter
  /// Bytes read until it was decided.
  public let bytesProcessed: Histogram

  public init(_ scope: StatsScope) {
    func counter(_ name: String) -> Counter { scope.counter("tls_inspector." + name) }
    clientHelloTooLarge = counter("client_hello_too_large")
    tlsFound = counter("tls_found")
    tlsNotFound = counter("tls_not_found")
    alpnFound = counter("alpn_found")
    alpnNotFound = counter("alpn_not_found")
    sniFound = counter("sni_found")
    sniNotFound = counter("sni_not_found")
    bytesProcessed = scope.histogram("tls_inspector.bytes_processed")
  }
}
