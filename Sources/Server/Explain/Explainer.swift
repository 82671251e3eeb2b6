import ConfigLoader
import ConfigSchema
import Primitives
import Proxy
import SwiftProtobuf

/// Says which way a request would take through a configuration, by the same look-ups that workers make.
struct Explainer {
  let loaded: LoadedConfiguration
  let snapshot: Snapshot
  /// By name: a cluster and its hosts now.
  let clusters: [String: AdminCluster]
  /// What checks and outlier detection say of a host; nil: nobody has looked.
  let facts: ((UInt32) -> AdminHostFacts)?
  /// `/healthcheck/fail` was called.
  var failsHealthChecks = false

  var bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap { loaded.bootstrap }
  /// Alternatives of a step that are told, at most.
  static let rejectionsMax = 20

  func explain(_ request: ExplainedRequest) -> Explanation {
    var explanation = Explanation(request: request)
    explanation.isFromFile = facts == nil
    guard let listener = listener(request, &explanation),
      let (chain, terminal, path) = chain(of: listener, request, &explanation)
    else { return explanation }
    switch terminal {
    case .http(let manager): explainHTTP(request, manager.pointer, chain, path, listener, &explanation)
    case .tcpProxy(let proxy): explainTCP(request, proxy.pointer, &explanation)
    case .directResponse: explanation.outcome = .answered("bytes of the direct_response filter")
    }
    return explanation
  }

  /// Where something stands.
  func place(_ path: String) -> String? { loaded.location(ofPath: path).map { "\($0.file):\($0.line)" } }

  // MARK: Listeners

  /// A listener of the snapshot, and where the configuration has it.
  struct Listener {
    let config: ListenerConfig
    let proto: Envoy_Config_Listener_V3_Listener
    let path: String
    /// The address that the client has connected to.
    let address: SocketAddress
  }

  private var listeners: [Listener] {
    let protos = bootstrap.staticResources.listeners
    return snapshot.listeners.compactMap { frozen in
      let config = frozen.pointer.pointee
      // Names are given to those that have none.
      let index =
        protos.firstIndex { $0.name == config.name } ?? (protos.count == 1 ? 0 : nil)
      guard let index, let address = config.addresses.first else { return nil }
      return Listener(
        config: config, proto: protos[index], path: "static_resources.listeners[\(index)]", address: address)
    }
  }

  private func listener(_ request: ExplainedRequest, _ explanation: inout Explanation) -> Listener? {
    let all = listeners
    var step = Explanation.Step(name: "listener")
    var chosen = all.firstIndex { Self.isWanted($0, request) }
    if chosen == nil, request.listener == nil, request.port == nil {
      chosen = all.firstIndex(where: Self.hasHTTP)
      if chosen != nil {
        step.add("", "no listener has port \(request.effectivePort): this is the first with HTTP (a port in the URL or a listener's name says another)")
      }
    }
    for (index, listener) in all.enumerated() where index != chosen {
      step.rejected.append(
        Explanation.Rejection(what: Self.shown(listener), why: Self.reason(listener, request), place: place(listener.path)))
    }
    guard let chosen else {
      explanation.steps.append(step)
      explanation.outcome = .failed(
        request.listener.map { "there is no listener \"\($0)\"" } ?? "no listener has port \(request.effectivePort): the connection is refused")
      return nil
    }
    step.taken = Explanation.Part(text: Self.shown(all[chosen]), place: place(all[chosen].path))
    step.filters = listenerFilters(all[chosen])
    explanation.steps.append(step)
    return all[chosen]
  }

  private static func isWanted(_ listener: Listener, _ request: ExplainedRequest) -> Bool {
    if let name = request.listener { return listener.config.name == name }
    return listener.config.addresses.contains { port($0) == request.effectivePort }
  }

  private static func reason(_ listener: Listener, _ request: ExplainedRequest) -> String {
    if let name = request.listener { return "its name is not \(name)" }
    if isWanted(listener, request) { return "an earlier one has this port" }
    return port(listener.address).map { "port \($0)" } ?? "it has no port"
  }

  private static func hasHTTP(_ listener: Listener) -> Bool {
    listener.config.chains.buffer.contains {
      if case .http = $0.pointer.pointee.terminal { true } else { false }
    }
  }

  private static func shown(_ listener: Listener) -> String {
    "\(listener.config.name) (\(listener.config.addresses.map(\.description).joined(separator: ", ")))"
  }

  private static func port(_ address: SocketAddress) -> UInt16? {
    if case .ip(_, let port) = address { port } else { nil }
  }

  // MARK: Filter chains

  private func chain(
    of listener: Listener, _ request: ExplainedRequest, _ explanation: inout Explanation
  ) -> (index: Int, terminal: FilterChainConfig.Terminal, path: String)? {
    var step = Explanation.Step(name: "chain")
    let name = FrozenText((request.serverName ?? request.host).lowercased())
    let protocols = FrozenText("\u{2}h2\u{8}http/1.1")
    var connection = FilterChainMatcher.Connection(
      destination: nil, destinationPort: request.port ?? Self.port(listener.address) ?? 0, source: request.source,
      sourcePort: 0, directSource: request.source)
    if case .ip(let address, _) = listener.address { connection.destination = IPAddress(request.host) ?? address }
    if request.isTLS, listener.config.listenerFilters.contains(.tlsInspector) {
      connection.isTLS = true
      connection.serverName = IPAddress(request.host) != nil && request.serverName == nil ? .empty : name.view
      connection.protocols = protocols.view
    }
    let chosen = withExtendedLifetime((name, protocols)) { listener.config.matcher.match(connection) }
    for index in 0..<listener.config.chains.buffer.count where index != chosen {
      let isDefault = index >= listener.proto.filterChains.count
      let why = isDefault
        ? "another one matches" : withExtendedLifetime((name, protocols)) { listener.config.matcher.mismatch(chain: index, connection) }
          .map { "\($0): \(wanted($0, listener.proto.filterChains[index].filterChainMatch))" }
          ?? "another one is more specific"
      step.rejected.append(
        Explanation.Rejection(what: shown(index, listener), why: why, place: place(path(index, listener))))
    }
    guard let chosen else {
      explanation.steps.append(step)
      explanation.outcome = .failed("no filter chain matches and there is no default one: the connection is closed")
      return nil
    }
    let config = listener.config.chains.buffer[chosen].pointer
    step.taken = Explanation.Part(text: shown(chosen, listener), place: place(path(chosen, listener)))
    let endsTLS = config.pointee.transport != nil
    if endsTLS, request.isTLS { step.add("", "TLS ends here") }
    step.filters = networkFilters(
      chosen < listener.proto.filterChains.count ? listener.proto.filterChains[chosen] : listener.proto.defaultFilterChain,
      path(chosen, listener))
    explanation.steps.append(step)
    if endsTLS, !request.isTLS {
      explanation.outcome = .failed("this chain speaks TLS, and the client does not")
      return nil
    }
    if !endsTLS, request.isTLS, case .http = config.pointee.terminal {
      explanation.outcome = .failed("this chain speaks plain HTTP, and the client TLS: 400 or a closed connection")
      return nil
    }
    return (chosen, config.pointee.terminal, path(chosen, listener))
  }

  private func path(_ chain: Int, _ listener: Listener) -> String {
    chain < listener.proto.filterChains.count
      ? "\(listener.path).filter_chains[\(chain)]" : "\(listener.path).default_filter_chain"
  }

  private func shown(_ chain: Int, _ listener: Listener) -> String {
    let isDefault = chain >= listener.proto.filterChains.count
    let name = listener.config.chains.buffer[chain].pointer.pointee.name.view.string
    return (isDefault ? "default_filter_chain" : "filter_chains[\(chain)]") + (name.isEmpty ? "" : " \"\(name)\"")
  }

  private func wanted(_ field: String, _ match: Envoy_Config_Listener_V3_FilterChainMatch) -> String {
    func ranges(_ list: [Envoy_Config_Core_V3_CidrRange]) -> String {
      list.map { "\($0.addressPrefix)/\($0.prefixLen.value)" }.joined(separator: ", ")
    }
    return switch field {
    case "destination_port": "\(match.destinationPort.value)"
    case "prefix_ranges": ranges(match.prefixRanges)
    case "server_names": match.serverNames.joined(separator: ", ")
    case "transport_protocol": match.transportProtocol
    case "application_protocols": match.applicationProtocols.joined(separator: ", ")
    case "direct_source_prefix_ranges": ranges(match.directSourcePrefixRanges)
    case "source_type": match.sourceType == .external ? "EXTERNAL" : "SAME_IP_OR_LOOPBACK"
    case "source_prefix_ranges": ranges(match.sourcePrefixRanges)
    case "source_ports": match.sourcePorts.map(String.init).joined(separator: ", ")
    default: "not met"
    }
  }

  // MARK: TCP

  private func explainTCP(
    _ request: ExplainedRequest, _ proxy: UnsafeMutablePointer<TCPProxyConfig>, _ explanation: inout Explanation
  ) {
    let targets = Array(proxy.pointee.targets.buffer)
    let chosen = targets.indices.max { targets[$0].weight < targets[$1].weight } ?? 0
    var step = Explanation.Step(name: "tcp_proxy")
    step.add("", "bytes are not looked at: the URL's path and headers do not count")
    if targets.count > 1 {
      let sum = targets.reduce(0.0) { $0 + Double($1.weight) }
      let shares = targets.map { "\(clusterName($0.cluster)) \(Self.percent(Double($0.weight) / sum)) %" }
      step.add("weighted", shares.joined(separator: ", ") + "; shown: \(clusterName(targets[chosen].cluster))")
    }
    explanation.steps.append(step)
    let match = proxy.pointee.matches.explained(chosen)
    explainHosts(
      clusterName(targets[chosen].cluster), HostQuestion(hash: proxy.pointee.hashesSourceIP ? .sourceIP(request.source) : .none, match: match),
      &explanation)
    var limits = Explanation.Step(name: "limits")
    limits.add("connect attempts", "\(proxy.pointee.maxConnectAttempts)")
    limits.add("idle timeout", Self.time(proxy.pointee.idleTimeoutNanoseconds))
    if proxy.pointee.maxDurationNanoseconds > 0 { limits.add("longest", Self.time(proxy.pointee.maxDurationNanoseconds)) }
    addClusterLimits(clusterName(targets[chosen].cluster), isHigh: false, &limits)
    explanation.steps.append(limits)
  }

  func clusterName(_ slot: UInt32) -> String {
    Int(slot) < snapshot.clusters.buffer.count
      ? snapshot.clusters.buffer[Int(slot)]?.pointer.pointee.name.view.string ?? "(unknown)" : "(unknown)"
  }

  // MARK: Texts

  static func time(_ nanoseconds: UInt64) -> String {
    if nanoseconds == 0 { return "none" }
    if nanoseconds % 1_000_000_000 == 0 { return "\(nanoseconds / 1_000_000_000) s" }
    if nanoseconds % 1_000_000 == 0 { return "\(nanoseconds / 1_000_000) ms" }
    return "\(Double(nanoseconds / 1000) / 1000) ms"
  }

  static func percent(_ share: Double) -> String { PercentText.text(100 * share) }
}
