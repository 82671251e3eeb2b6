import Proxy

/// The transport sockets of a cluster, checked: its own one first, then its `transport_socket_matches`.
struct ClusterSockets {
  struct Socket {
    /// Of the match, or Envoy's name of the cluster's own one.
    var name = Self.ownName
    /// What it asks of metadata.
    var wanted = SocketLabels.none
    /// Nil = plain.
    var settings: TransportSettings?
    var tls: TLSClientConfig?

    private static let ownName = "default"
  }

  var own = Socket()
  var matches: [Socket] = []

  var all: [Socket] { [own] + matches }

  /// Whether some hosts are spoken to by TLS.
  var hasTLS: Bool { own.tls != nil || matches.contains { $0.tls != nil } }

  /// Which one of `all` is for a host: the first whose wishes the endpoint's metadata meets, else the first whose wishes
  /// the locality's meets, else the cluster's own.
  func choose(_ endpoint: SocketLabels, _ locality: SocketLabels) -> Int {
    let found =
      matches.firstIndex { endpoint.holds($0.wanted) } ?? matches.firstIndex { locality.holds($0.wanted) }
    return found.map { $0 + 1 } ?? 0
  }
}
