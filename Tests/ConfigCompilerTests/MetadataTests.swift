import ConfigCompiler
import ConfigLoader
import Testing

/// Metadata where nobody reads them.
@Suite struct MetadataTests {
  private static let warning = "has no effect: only metadata of clusters, endpoints and routes are read"

  private static func warnings(
    table: String = "", virtualHost: String = "", route: String = "", listener: String = "", chain: String = "",
    locality: String = "", endpoint: String = "", cluster: String = ""
  ) throws -> [String] {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http(
          "l", routes: "[{ match: { prefix: / }, \(route) route: { cluster: a } }]", virtualHost: virtualHost, table: table,
          listener: listener)
          + Fixture.tcp("t", chain: chain),
        clusters: """
              - name: a
                \(cluster)
                load_assignment:
                  cluster_name: a
                  endpoints:
                  - \(locality)
                    lb_endpoints: [{ \(endpoint) endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }]

          """))
    return compilation.warnings.map(\.description)
  }

  private static let some = "metadata: { filter_metadata: { apus: { retry_grpc_trailers: true }, other: { a: 1 } } }"

  @Test func whereTheyAreNotRead() throws {
    let found = try Self.warnings(
      table: Self.some, virtualHost: Self.some, listener: Self.some, chain: Self.some, locality: Self.some)
    let places = [
      "static_resources.clusters[0].load_assignment.endpoints[0].metadata", "static_resources.listeners[0].metadata",
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.metadata",
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].metadata",
      "static_resources.listeners[1].filter_chains[0].metadata",
    ]
    #expect(found.count == places.count, "\(found)")
    for place in places { #expect(found.contains { $0.hasSuffix("warning: \(place): \(Self.warning)") }, "\(place)") }
  }

  @Test func whereTheyAre() throws {
    let foreign = "metadata: { filter_metadata: { other: { a: 1 } } }"
    #expect(try Self.warnings(route: Self.some + ",", endpoint: foreign + ",", cluster: foreign) == [])
  }
}
