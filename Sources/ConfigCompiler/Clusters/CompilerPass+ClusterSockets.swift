import ConfigLoader
import ConfigSchema
import Proxy

/// Transport sockets of clusters, and what chooses among them.
extension CompilerPass {
  /// At most so many, so that hosts know theirs by a small number.
  private static let matchesMax = 10_000

  /// The cluster's own socket and its matches; some are plain after errors.
  func clusterSockets(
    _ proto: Envoy_Config_Cluster_V3_Cluster, _ http: UpstreamHTTPSettings, _ path: String
  ) -> ClusterSockets {
    var sockets = ClusterSockets()
    sockets.own = socket(proto.hasTransportSocket ? proto.transportSocket : nil, http, "\(path).transport_socket")
    let matches = "\(path).transport_socket_matches"
    guard proto.transportSocketMatches.count <= Self.matchesMax else {
      error(matches, "at most \(Self.matchesMax) matches, got \(proto.transportSocketMatches.count)")
      return sockets
    }
    sockets.matches = proto.transportSocketMatches.enumerated().map { index, match in
      let place = "\(matches)[\(index)].transport_socket"
      guard match.hasTransportSocket else {
        error(place, "is required")
        return ClusterSockets.Socket()
      }
      var made = socket(match.transportSocket, http, place)
      made.name = match.name
      made.wanted = SocketLabels(match.match)
      return made
    }
    return sockets
  }

  /// - Parameter proto: Nil = plain.
  private func socket(
    _ proto: Envoy_Config_Core_V3_TransportSocket?, _ http: UpstreamHTTPSettings, _ path: String
  ) -> ClusterSockets.Socket {
    var socket = ClusterSockets.Socket()
    switch proto.map({ upstreamTransport($0, path) }) ?? .plain {
    case .plain:
      if http.upstreamProtocol == .automatic {
        error(path, "auto_config needs TLS: the protocol is agreed on in the handshake (ALPN)")
      }
    case .tls(let context):
      let protocols: [String] =
        switch http.upstreamProtocol {
        case .http1, .asDownstream: ["http/1.1"]
        case .http2: ["h2"]
        case .automatic: ["h2", "http/1.1"]
        }
      socket.tls = clientTLS(context, http.upstream, protocols: protocols, "\(path).typed_config")
      if let proto, let tls = socket.tls { socket.settings = TransportSettings(tls, proto) }
    case .wrong: break
    }
    return socket
  }

  /// The files that an unchanged cluster's TLS names may have changed: connections stay, new ones use what is there now.
  func rereadCertificates(
    _ proto: Envoy_Config_Cluster_V3_Cluster, _ record: ClusterRecord, _ path: String
  ) {
    guard record.sockets.entries.contains(where: { $0 != nil }) else { return }
    var seen: Set<UInt16> = []
    for socket in clusterSockets(proto, record.connection.http, path).all {
      guard let tls = socket.tls, let place = record.sockets.entry(of: socket.settings)?.place,
        seen.insert(record.sockets.number(of: socket.settings)).inserted,
        tls.digest != place.slot.current.digest
      else { continue }
      tlsUpdates.append(TLSUpdate(stats: place.stats) {
        place.slot.replace(with: tls)
        record.sockets.showCertificates()
      })
    }
  }

  // MARK: What is probably a mistake

  /// Warns of matches that no host can have, and of names that tell nobody which one is meant.
  func warnOfHiddenMatches(_ sockets: ClusterSockets, _ path: String) {
    let place = "\(path).transport_socket_matches"
    var places: [String: Int] = [:]
    for (index, match) in sockets.matches.enumerated() {
      if let other = places[match.name] {
        warn("\(place)[\(index)].name", "transport_socket_matches[\(other)] has it too: both are counted as one")
      } else {
        places[match.name] = index
      }
    }
    guard let all = sockets.matches.firstIndex(where: { $0.wanted.isEmpty }), all + 1 < sockets.matches.count else { return }
    warn("\(place)[\(all + 1)]", "is for nobody: transport_socket_matches[\(all)] asks for nothing and so is for every host")
  }

  /// Warns of endpoints whose metadata asks for a socket that there is not: they get another one, perhaps without TLS.
  ///
  /// - Parameter path: Of the cluster.
  func warnOfUnmatchedHosts(_ plan: ClusterPlan, _ path: String) {
    let left = plan.hosts.filter { $0.socket == 0 && !($0.socketLabels.isEmpty && $0.localitySocketLabels.isEmpty) }
    guard let first = left.first, !plan.sockets.matches.isEmpty else { return }
    let others = left.count == 1 ? "" : " (nor \(left.count - 1) more)"
    let instead = plan.sockets.own.tls == nil ? "plain text is spoken there" : "the cluster's transport_socket is used"
    warn(
      "\(path).load_assignment",
      "no transport_socket_matches fits the metadata of \(first.address)\(others): \(instead)")
  }

  /// Warns of checks whose criteria no match fits.
  ///
  /// - Parameter path: Of the list of checks.
  func warnOfUnmatchedChecks(_ plan: ClusterPlan, _ path: String) {
    for (index, proto) in plan.proto.healthChecks.enumerated() where proto.hasTransportSocketMatchCriteria {
      let place = "\(path)[\(index)].transport_socket_match_criteria"
      let labels = SocketLabels(proto.transportSocketMatchCriteria)
      ignore(place, if: plan.sockets.matches.isEmpty, "has no effect: the cluster has no transport_socket_matches")
      if !plan.sockets.matches.isEmpty, !plan.sockets.matches.contains(where: { labels.holds($0.wanted) }) {
        warn(place, "no transport_socket_matches fits: checks use the cluster's transport_socket, or what metadata of the locality says")
      }
    }
  }
}
