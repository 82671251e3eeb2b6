import Testing

@testable import Server

@Suite struct ConfigDumpTests {
  private static let configuration = """
    {
      "node": {"id": "n1"},
      "static_resources": {
        "listeners": [{
          "name": "edge",
          "address": {"socket_address": {"address": "127.0.0.1", "port_value": 80}},
          "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
              "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              "stat_prefix": "ingress",
              "route_config": {"name": "local", "virtual_hosts": [{"name": "all", "domains": ["*"]}]}
            }
          }]}]
        }],
        "clusters": [
          {"name": "one", "type": "STATIC", "connect_timeout": "1s"},
          {"name": "two", "type": "STATIC", "connect_timeout": "0.250s"}
        ]
      }
    }
    """

  private func dump(_ query: String = "") throws -> (reply: AdminReply, tree: JSONValue) {
    let harness = try AdminHarness()
    _ = try harness.get("/config_dump")
    try harness.delegate.configure(Self.configuration)
    let reply = try harness.get("/config_dump" + query)
    return (reply, JSONReader.read(reply.body) ?? .null)
  }

  private static let withSecrets = """
    {
      "static_resources": {
        "listeners": [{
          "name": "edge",
          "address": {"socket_address": {"address": "127.0.0.1", "port_value": 80}},
          "filter_chains": [{"transport_socket": {"name": "tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "session_ticket_keys": {"keys": [{"inline_string": "SECRET-1"}, {"filename": "/keys/t"}]},
            "common_tls_context": {"tls_certificates": [{
              "certificate_chain": {"inline_string": "PUBLIC"},
              "private_key": {"inline_string": "SECRET-2"},
              "password": {"inline_bytes": "U0VDUkVULTM="}
            }]}
          }}}]
        }],
        "clusters": [{"name": "one", "transport_socket": {"name": "tls", "typed_config": {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
          "common_tls_context": {"tls_certificates": [{
            "certificate_chain": {"inline_string": "PUBLIC"}, "private_key": {"inline_string": "SECRET-4"}
          }]}
        }}}]
      }
    }
    """

  @Test(arguments: ["", "?resource=static_listeners", "?resource=static_clusters", "?mask=bootstrap"])
  func secretsAreNotPrinted(query: String) throws {
    let harness = try AdminHarness()
    try harness.delegate.configure(Self.withSecrets)
    let body = try harness.get("/config_dump" + query).body
    #expect(body.contains("PUBLIC") && body.contains("[redacted]"))
    #expect(!body.contains("SECRET") && !body.contains("U0VDUkVULTM"))
    if query != "?resource=static_clusters" { #expect(body.contains("/keys/t")) }
  }

  @Test func withoutConfiguration() throws {
    #expect(try AdminHarness().get("/config_dump").status == 503)
  }

  @Test func everything() throws {
    let (reply, tree) = try dump()
    let configs = try #require(tree["configs"]?.elements)
    #expect(
      configs.map { $0["@type"]?.text?.split(separator: ".").last } == [
        "BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump",
      ])
    let bootstrap = try #require(configs[0]["bootstrap"])
    #expect(bootstrap["node"]?["id"]?.text == "n1")
    #expect(bootstrap["static_resources"]?["clusters"]?.elements?.count == 2)
    #expect(bootstrap["static_resources"]?["listeners"]?.elements?.count == 1)
    #expect(configs[0]["last_updated"]?.text == "2026-11-24T01:02:03.456Z")
    let cluster = try #require(configs[1]["static_clusters"]?.elements?.last?["cluster"])
    #expect(cluster["@type"]?.text == "type.googleapis.com/envoy.config.cluster.v3.Cluster")
    #expect(cluster["name"]?.text == "two")
    #expect(cluster["connect_timeout"]?.text == "0.250s")
    let route = configs[3]["static_route_configs"]?.elements?.first?["route_config"]
    #expect(route?["name"]?.text == "local")
    var printed: [UInt8] = []
    tree.print(into: &printed)
    #expect(String(decoding: printed, as: UTF8.self) + "\n" == reply.body)
  }

  @Test func oneResource() throws {
    let tree = try dump("?resource=static_clusters&name_regex=^t.+&mask=cluster.name").tree
    #expect(
      tree
        == .object([
          .init(
            "configs",
            .array([
              .object([
                .init(
                  "@type",
                  .string("type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster")),
                .init(
                  "cluster",
                  .object([
                    .init("@type", .string("type.googleapis.com/envoy.config.cluster.v3.Cluster")),
                    .init("name", .string("two")),
                  ])),
              ])
            ]))
        ]))
  }

  @Test(arguments: ["?resource=static_clusters&name_regex=zz", "?resource=dynamic_active_clusters"])
  func nothingIsAnEmptyObject(query: String) throws {
    #expect(try dump(query).tree == .object([]))
  }

  @Test func aMaskPicksDumps() throws {
    let configs = try #require(try dump("?mask=bootstrap.node").tree["configs"]?.elements)
    #expect(configs.count == 1)
    #expect(
      configs[0]["bootstrap"] == .object([.init("node", .object([.init("id", .string("n1"))]))]))
  }

  @Test(arguments: [
    ("?resource=foo", 404, "foo not found in config dump\n"),
    (
      "?resource=bootstrap", 400,
      "bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field\n"
    ),
    ("?mask=xx", 400, "FieldMask xx could not be successfully applied to any configs.\n"),
    ("?resource=static_clusters&mask=xx", 400, "FieldMask xx could not be successfully used.\n"),
    ("?name_regex=(", 400, "Error while parsing name_regex from (: missing ): (\n"),
  ])
  func badParameters(query: String, status: Int, body: String) throws {
    let reply = try dump(query).reply
    #expect(reply.status == status)
    #expect(reply.body == body)
  }
}
