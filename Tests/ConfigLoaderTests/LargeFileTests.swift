import ConfigLoader
import ConfigSchema
import SwiftProtobuf
import Testing

@Suite struct LargeFileTests {
  @Test func thousandsOfHostsAndEndpointsLoad() throws {
    let count = 2_000
    let bootstrap = try load(LargeFixture.text(count: count)).bootstrap
    let endpoints = bootstrap.staticResources.clusters[0].loadAssignment.endpoints
    #expect(endpoints[0].lbEndpoints.count == count)
    let filter = bootstrap.staticResources.listeners[0].filterChains[0].filters[0]
    let manager = try #require(filter.typedConfig.unpacked(as: ConnectionManager.self))
    #expect(manager.routeConfig.virtualHosts.count == count)
    #expect(manager.routeConfig.virtualHosts.last?.domains == ["host\(count - 1).example.com"])
  }
}

enum LargeFixture {
  /// `count` virtual hosts and as many endpoints.
  static func text(count: Int) -> String {
    var text = """
      static_resources:
        listeners:
        - name: a
          address: {socket_address: {address: 127.0.0.1, port_value: 80}}
          filter_chains:
          - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: a
                route_config:
                  virtual_hosts:

      """
    for index in 0..<count {
      text += """
                    - name: host\(index)
                      domains: [host\(index).example.com]
                      routes:
                      - match: {prefix: /}
                        route: {cluster: a}

        """
    }
    text += """
        clusters:
        - name: a
          load_assignment:
            cluster_name: a
            endpoints:
            - lb_endpoints:

      """
    for index in 0..<count {
      text += """
                - endpoint: {address: {socket_address: {address: 10.0.\(index / 250).\(index % 250), port_value: 80}}}

        """
    }
    return text
  }
}
