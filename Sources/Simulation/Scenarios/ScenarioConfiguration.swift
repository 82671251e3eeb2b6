/// A proxy's configuration with one listener and one cluster, `hosts`, as Envoy v3 YAML: what scenarios differ in is given
/// as text.
public struct ScenarioConfiguration: Sendable {
  static let port = 8080

  /// Who is in the cluster.
  public var hosts: [Scenario.Host]
  /// Fields of the route's action: `, timeout: 1s`.
  public var route = ""
  /// Fields of the cluster, each a line.
  public var cluster: [String] = []
  /// Fields of the bootstrap, each a line.
  public var bootstrap: [String] = []
  /// Zones of the instances of the proxy's own service, as a cluster `self`.
  public var ownZones: [String] = []

  public init(_ hosts: [Scenario.Host]) { self.hosts = hosts }

  private static let manager =
    "\(SimulatedConfiguration.types).extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
  private static let log =
    "{ name: file, typed_config: { \"@type\": \(SimulatedConfiguration.types).extensions.access_loggers.file.v3.FileAccessLog, path: /access, log_format: { text_format_source: { inline_string: \"%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% attempts %UPSTREAM_REQUEST_ATTEMPT_COUNT% %DURATION% ms\\n\" } } } }"
  private static let router = "\(SimulatedConfiguration.types).extensions.filters.http.router.v3.Router"

  var text: String {
    let own =
      ownZones.isEmpty
      ? ""
      : "  - { name: self, load_assignment: { cluster_name: self, endpoints: [\(ownZones.enumerated().map { endpoint(zone: $0.element, priority: 0, [$0.offset + 1], subnet: 2) }.joined(separator: ", "))] } }"
    return """
      \(bootstrap.joined(separator: "\n"))
      static_resources:
        listeners:
        - name: http
          address: { socket_address: { address: \(SimulatedConfiguration.address), port_value: \(Self.port) } }
          filter_chains:
          - filters:
            - name: hcm
              typed_config: { "@type": \(Self.manager), stat_prefix: main, access_log: [\(Self.log)], route_config: { name: routes, virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: hosts\(route) } }] }] }, http_filters: [{ name: envoy.filters.http.router, typed_config: { "@type": \(Self.router) } }] }
        clusters:
      \(own)
        - name: hosts
          \(cluster.joined(separator: "\n    "))
          load_assignment: { cluster_name: hosts, endpoints: [\(endpoints)] }
      """
  }

  private var endpoints: String {
    var places: [(zone: String, priority: Int, hosts: [Int])] = []
    for host in hosts {
      if let known = places.firstIndex(where: { $0.zone == host.zone && $0.priority == host.priority }) {
        places[known].hosts.append(host.number)
      } else {
        places.append((host.zone, host.priority, [host.number]))
      }
    }
    return places.map { endpoint(zone: $0.zone, priority: $0.priority, $0.hosts, subnet: 1) }.joined(separator: ", ")
  }

  private func endpoint(zone: String, priority: Int, _ numbers: [Int], subnet: Int) -> String {
    let hosts = numbers.map {
      "{ endpoint: { address: { socket_address: { address: 10.1.\(subnet).\($0), port_value: 80 } } } }"
    }.joined(separator: ", ")
    let locality = zone.isEmpty ? "" : "locality: { region: r, zone: \(zone) }, "
    return "{ \(locality)priority: \(priority), lb_endpoints: [\(hosts)] }"
  }
}
